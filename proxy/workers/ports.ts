import { createServer } from 'node:net';
import type { Port } from '../config/snapshot.ts';
import { type ListenFailure, listenErrorInWords } from '../listeners/words.ts';

/**
 * Whether nobody else listens on a port, in words when somebody does.
 *
 * Workers share their ports (`SO_REUSEPORT`), and so would a second process of the same user: without asking,
 * it would silently take a part of the connections. Binding once without sharing finds that out.
 */
export async function portFailure(port: Port, address: string): Promise<ListenFailure | null> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | null>();
  server.once('error', resolve);
  server.listen({ port: port.port, host: address, exclusive: true }, () => server.close(() => resolve(null)));
  const error = await promise;
  if (error === null) return null;
  return {
    port: port.port,
    listeners: port.listeners.map(({ name }) => name),
    message: listenErrorInWords(error, port.port, address),
  };
}
