import {
  CredentialsError,
  KubernetesError,
  systemClock,
  type Transport,
  UndiciTransport,
} from '../kubernetes/index.ts';
import { ClusterSource } from '../operator/sources/cluster/cluster-source.ts';
import type { SourceState } from '../operator/sources/index.ts';
import { type AccessOptions, credentialsFor } from './credentials.ts';

export interface ClusterOptions extends AccessOptions {
  readonly namespace?: readonly string[];
}

/** No cluster, or not all of it could be read; the message is for whoever typed the command. */
export class ClusterUnreadableError extends Error {}

/**
 * Does something with a connection to the cluster, and closes it.
 *
 * @throws ClusterUnreadableError
 */
export async function withCluster<T>(
  options: ClusterOptions,
  work: (transport: Transport) => Promise<T>,
): Promise<T> {
  try {
    const credentials = await credentialsFor(options);
    const transport = new UndiciTransport(credentials, systemClock);
    try {
      return await work(transport);
    } finally {
      await transport.close();
    }
  } catch (error) {
    if (error instanceof CredentialsError || error instanceof KubernetesError)
      throw new ClusterUnreadableError(error.message);
    throw error;
  }
}

/**
 * What the operator would compile at this moment.
 *
 * @throws ClusterUnreadableError
 */
export function readCluster(options: ClusterOptions): Promise<SourceState> {
  return withCluster(options, async (transport) => {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    // Whoever waits for the operator wants it to go on trying; whoever typed a command wants to know.
    const fail = (message: string): void => reject(new ClusterUnreadableError(message));
    const source = new ClusterSource({
      transport,
      clock: systemClock,
      random: Math.random,
      log: { info: () => {}, warn: fail },
      namespaces: options.namespace ?? null,
      ingress: true,
      onChange: () => {},
    });
    source.start();
    try {
      await Promise.race([source.synced(), failed]);
      return source.state();
    } finally {
      await source.stop();
    }
  });
}
