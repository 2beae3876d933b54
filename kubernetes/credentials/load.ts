import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Clock } from '../clock.ts';
import { CredentialsError } from '../errors.ts';
import type { Credentials } from './access.ts';
import { type Environment, inClusterCredentials, isInCluster } from './in-cluster.ts';
import { readKubeconfig } from './kubeconfig.ts';
import { kubeconfigCredentials } from './kubeconfig-credentials.ts';

export interface LoadOptions {
  readonly env: Environment;
  readonly clock: Clock;
  /** A file that the user named; it comes before all others. */
  readonly kubeconfig?: string;
  /** A context that the user named. */
  readonly context?: string;
  readonly home?: string;
}

/**
 * Finds the API server: the kubeconfig that was named, else those of `KUBECONFIG`, else a pod's own credentials, else
 * `~/.kube/config`.
 *
 * @throws CredentialsError
 */
export async function loadCredentials(options: LoadOptions): Promise<Credentials> {
  const { env, clock, kubeconfig, context = null, home = homedir() } = options;
  const byUser = kubeconfig === undefined ? (env.KUBECONFIG ?? '').split(delimiter) : [kubeconfig];
  const files = byUser.filter((file) => file !== '');
  // As kubectl has it: a file of several may be missing.
  const there = files.length > 1 ? files.filter((file) => existsSync(file)) : files;
  if (there.length > 0) return kubeconfigCredentials(await readKubeconfig(there, context), clock);
  if (files.length === 0 && isInCluster(env)) return inClusterCredentials(env, clock);
  const standard = join(home, '.kube', 'config');
  if (files.length === 0 && existsSync(standard)) {
    return kubeconfigCredentials(await readKubeconfig([standard], context), clock);
  }
  const looked = files.length > 0 ? files.join(', ') : `KUBECONFIG, a pod's service account, ${standard}`;
  throw new CredentialsError(`No cluster to talk to: looked at ${looked}`);
}
