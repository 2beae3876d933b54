/** The cluster's certificates and the kubeconfig of each of its members. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LeafOptions, TestAuthority } from '../support/certificates.ts';
import { addresses, adminKubeconfig, runFolder } from './paths.ts';

/** Clusters for tests live hours; a developer's may live days. */
const VALIDITY_DAYS = 30;
/** Certificates are made at the start, for as many nodes as there may be. */
export const MAX_NODES = 3;

const folder = join(runFolder, 'pki');

export const pki = {
  path: (file: string): string => join(folder, file),
  /** The kubeconfig of a member of the cluster, such as `kube-scheduler` or `node1`. */
  kubeconfig: (name: string): string => join(folder, `${name}.kubeconfig`),
  ca: join(folder, 'ca.crt'),
  /** Signs the tokens of service accounts, and checks them. */
  serviceAccounts: {
    privateKey: join(folder, 'service-accounts.key'),
    publicKey: join(folder, 'service-accounts.pub'),
  },
};

/** Who the API server takes a member for: its built-in roles are bound to these names. */
function members(): Record<string, LeafOptions> {
  const nodes = Array.from({ length: MAX_NODES }, (_, index) => `node${index + 1}`);
  return {
    admin: { commonName: 'admin', organization: 'system:masters' },
    'kube-controller-manager': { commonName: 'system:kube-controller-manager' },
    'kube-scheduler': { commonName: 'system:kube-scheduler' },
    'kube-proxy': { commonName: 'system:kube-proxy' },
    ...Object.fromEntries(
      nodes.map((name) => [name, { commonName: `system:node:${name}`, organization: 'system:nodes' }]),
    ),
  };
}

export async function createPki(): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const notAfter = new Date(Date.now() + VALIDITY_DAYS * 24 * 3_600_000);
  const authority = await TestAuthority.create('Cluster CA', { notAfter });
  write('ca.crt', authority.caPem);

  const apiServer = await authority.issue({
    commonName: 'kube-apiserver',
    dnsNames: ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
    addresses: [addresses.node(1), addresses.kubernetesService, '127.0.0.1'],
    notAfter,
  });
  write('kube-apiserver.crt', apiServer.chainPem);
  write('kube-apiserver.key', apiServer.keyPem);

  for (const [name, identity] of Object.entries(members())) {
    const { chainPem, keyPem } = await authority.issue({ ...identity, usage: 'client', notAfter });
    write(`${name}.crt`, chainPem);
    write(`${name}.key`, keyPem);
    write(`${name}.kubeconfig`, kubeconfig(authority.caPem, chainPem, keyPem));
    if (name === 'admin') {
      writeFileSync(adminKubeconfig, kubeconfig(authority.caPem, chainPem, keyPem), { mode: 0o600 });
    }
  }

  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  write('service-accounts.key', privateKey.export({ type: 'sec1', format: 'pem' }) as string);
  write('service-accounts.pub', publicKey.export({ type: 'spki', format: 'pem' }) as string);
}

function write(file: string, text: string): void {
  writeFileSync(join(folder, file), text, { mode: 0o600 });
}

/** JSON, which is YAML. */
function kubeconfig(ca: string, certificate: string, key: string): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'test',
        cluster: {
          server: `https://${addresses.node(1)}:${addresses.apiServerPort}`,
          'certificate-authority-data': base64(ca),
        },
      },
    ],
    users: [
      {
        name: 'test',
        user: { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) },
      },
    ],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  });
}
