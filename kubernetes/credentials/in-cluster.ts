import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../clock.ts';
import { CredentialsError } from '../errors.ts';
import { type Access, type Credentials, stableTls } from './access.ts';
import { CachedFile } from './cached-file.ts';

const DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

export type Environment = Readonly<Record<string, string | undefined>>;

export function isInCluster(env: Environment): boolean {
  return (env.KUBERNETES_SERVICE_HOST ?? '') !== '';
}

/**
 * What a pod has: the API server's address in the environment, the service account's token and the cluster's CA in
 * files that the kubelet replaces in time.
 *
 * @throws CredentialsError when this is no pod, or one without a token
 */
export async function inClusterCredentials(
  env: Environment,
  clock: Clock,
  directory = DIRECTORY,
): Promise<Credentials> {
  const host = env.KUBERNETES_SERVICE_HOST ?? '';
  const port = env.KUBERNETES_SERVICE_PORT ?? '';
  if (host === '' || port === '') {
    throw new CredentialsError(
      'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no pod',
    );
  }
  const file = (name: string, what: string) => new CachedFile(join(directory, name), what, clock);
  const token = file('token', "the service account's token (is automountServiceAccountToken false?)");
  const ca = file('ca.crt', "the cluster's CA");
  const namespace = await file('namespace', "the pod's namespace").text();
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const keep = stableTls();
  const credentials: Credentials = {
    namespace,
    access: async (): Promise<Access> => ({
      server,
      tls: keep({ ca: await ca.text(), rejectUnauthorized: true }),
      headers: { authorization: `Bearer ${await token.text()}` },
      proxyUrl: null,
    }),
    invalidate: () => {
      token.invalidate();
      ca.invalidate();
    },
  };
  await credentials.access();
  return credentials;
}
