import type { FieldPath } from '../resources/index.ts';
import { withDefaults } from '../resources/index.ts';
import type { ConfigMapResource, GatewayResource, Objects, PoolResource, SecretResource } from './objects.ts';
import { certificatesPem, readCertificates } from './pem.ts';
import type { Report } from './report.ts';
import { dataOf, keysOf } from './secrets.ts';

interface CaRef {
  readonly kind?: 'Secret' | 'ConfigMap';
  readonly name: string;
  readonly key?: string;
}

/**
 * The certificates of all CA references as one PEM text; `null` when none can be used. A reference that
 * cannot be used is left out and reported.
 */
export function compileCaCertificates(
  refs: readonly CaRef[],
  owner: GatewayResource | PoolResource,
  path: FieldPath,
  objects: Objects,
  report: Report,
): string | null {
  const blocks = new Set<string>();
  for (const [index, ref] of refs.entries()) {
    const { kind = 'Secret', name, key } = withDefaults('BackendPool.spec.tls.caCertificateRefs[]', ref);
    const id = `${owner.namespace}/${name}`;
    const expected = `${kind} ${id} with certificates as PEM in the key ${key}`;
    const invalid = (found: string): void =>
      report.error(owner, [...path, index], 'InvalidCACertificateRef', {
        message: 'this reference is left out',
        found,
        expected,
      });
    const object = kind === 'Secret' ? objects.secrets.get(id) : objects.configMaps.get(id);
    if (object === undefined) {
      invalid(objects.describeMissing(kind, id));
      continue;
    }
    const text = dataOf(object, key);
    if (text === undefined) {
      invalid(`${kind} ${id} with ${keysOf(object).join(', ') || 'no keys'}`);
      continue;
    }
    const read = readBlocks(object, key, text);
    if ('problem' in read) {
      invalid(`${read.problem} in the key ${key}`);
      continue;
    }
    for (const block of read.blocks) blocks.add(block);
  }
  return blocks.size === 0 ? null : [...blocks].join('');
}

type Blocks = { readonly blocks: readonly string[] } | { readonly problem: string };

/** By key, for each object that was read before: bundles may hold hundreds of certificates. */
const known = new WeakMap<object, Map<string, Blocks>>();

function readBlocks({ body }: SecretResource | ConfigMapResource, key: string, text: Buffer): Blocks {
  const ofObject = known.get(body) ?? new Map<string, Blocks>();
  known.set(body, ofObject);
  const found = ofObject.get(key);
  if (found !== undefined) return found;
  const read = readCertificates(text.toString('latin1'));
  const blocks: Blocks =
    'problem' in read
      ? read
      : { blocks: read.certificates.map((certificate) => certificatesPem([certificate])) };
  ofObject.set(key, blocks);
  return blocks;
}
