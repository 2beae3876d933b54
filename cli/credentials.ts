import { type Credentials, loadCredentials, systemClock } from '../kubernetes/index.ts';

/** How a command was told to reach a cluster. */
export interface AccessOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** @throws CredentialsError */
export function credentialsFor({ kubeconfig, context }: AccessOptions): Promise<Credentials> {
  return loadCredentials({
    env: process.env,
    clock: systemClock,
    ...(kubeconfig !== undefined && { kubeconfig }),
    ...(context !== undefined && { context }),
  });
}
