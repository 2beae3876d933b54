import { type Credentials, CredentialsError, loadCredentials, systemClock } from '../kubernetes/index.ts';
import type { Log } from '../proxy/telemetry/log.ts';

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

/** The same for a program that stays. @returns `null` after having said why there are none */
export async function credentialsOrNull(options: AccessOptions, log: Log): Promise<Credentials | null> {
  try {
    return await credentialsFor(options);
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    log.error(error.message);
    return null;
  }
}
