import { createServer } from 'node:net';
import type { Port } from '../config/snapshot.ts';
import type { PortFailure } from './topics.ts';

/**
 * Whether nobody else listens on a port, in words when somebody does.
 *
 * Workers share their ports (`SO_REUSEPORT`), and so would a second process of the same user: without asking,
 * it would silently take a part of the connections. Binding once without sharing finds that out.
 */
export async function portFailure(port: Port, address: string): Promise<PortFailure | null> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<NodeJS.ErrnoException | null>();
  server.once('error', resolve);
  server.listen({ port: port.port, host: address, exclusive: true }, () => server.close(() => resolve(null)));
  const error = await promise;
  if (error === null) return null;
  return {
    port: port.port,
    listeners: port.listeners.map(({ name }) => name),
    message: inWords(error, port.port),
  };
}

function inWords(error: NodeJS.ErrnoException, port: number): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${port} is in use by another process`;
    case 'EACCES':
      return `port ${port} needs a privilege that this process does not have (ports below 1024 usually do)`;
    case 'EADDRNOTAVAIL':
      return `port ${port} cannot be opened: this machine does not have the address`;
    default:
      return `port ${port} cannot be opened: ${error.message}`;
  }
}
