import type { KubernetesObject } from '../../kubernetes/index.ts';
import type { Certificate } from '../../proxy/config/snapshot.ts';
import { readStoredSnapshot, StoredSnapshotError } from '../../proxy/config/stored-snapshot.ts';
import { dataOf, type Secret } from '../../proxy/pod/secret.ts';
import { TLS_SECRET_TYPE } from '../compile/certificates.ts';
import type { LastGood } from '../compile/last-good.ts';
import type { Resource } from '../resources/index.ts';
import { adopt } from '../sources/cluster/adopt.ts';
import type { OwnedObject, OwnedObjects } from './owned-objects.ts';
import { manifestOf } from './snapshot-secrets.ts';

/**
 * The certificates that proxies serve at present, as the Secrets that they came from: what the operator knew to be
 * good before it was started anew. A Secret that was broken in the meantime then takes no listener away.
 */
export async function recoverGood(owned: OwnedObjects): Promise<LastGood> {
  const good = new Map<string, Resource>();
  for (const objects of owned.groups().values()) {
    const secrets = [...objects.values()].filter(({ type }) => type.kind === 'Secret');
    for (const certificate of await certificatesIn(secrets)) {
      good.set(`Secret/${certificate.id}`, adopt(secretOf(certificate)));
    }
  }
  return good;
}

async function certificatesIn(secrets: readonly OwnedObject[]): Promise<readonly Certificate[]> {
  const index = secrets.find(({ object }) => manifestOf(object as Secret) !== null)?.object;
  if (index === undefined) return [];
  const byName = new Map(secrets.map(({ object }) => [object.metadata.name, object as Secret]));
  const part = async (suffix: string) => {
    const secret = byName.get(`${index.metadata.name}-${suffix}`);
    return secret === undefined ? null : dataOf(secret);
  };
  try {
    return (await readStoredSnapshot(dataOf(index as Secret), part)).certificates;
  } catch (error) {
    // Nothing is known then, as at a first start.
    if (error instanceof StoredSnapshotError) return [];
    throw error;
  }
}

function secretOf({ id, chainPem, key }: Certificate): KubernetesObject {
  const [namespace = '', name = ''] = id.split('/');
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name },
    type: TLS_SECRET_TYPE,
    data: {
      'tls.crt': Buffer.from(chainPem).toString('base64'),
      'tls.key': Buffer.from(key.reveal()).toString('base64'),
    },
  };
  return secret;
}
