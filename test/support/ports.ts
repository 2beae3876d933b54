import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer } from 'node:net';

/** Below the range from which the system takes ports for outgoing connections, so that none of those is in the way. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/**
 * A port that nobody listens on now, for a process that must be told its port beforehand. What can listen on port 0
 * should do that instead.
 */
export async function freePort(): Promise<number> {
  while (true) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    const server = createServer();
    try {
      server.listen({ port, host: '0.0.0.0', exclusive: true });
      await once(server, 'listening');
    } catch {
      continue;
    }
    const found = (server.address() as AddressInfo).port;
    server.close();
    await once(server, 'close');
    return found;
  }
}

/** Whether somebody accepts connections on this port of 127.0.0.1. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
