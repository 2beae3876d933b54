/** Connections from outside into the cluster's network. */
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { runFolder } from './paths.ts';

export const FORWARDER_SOCKET = join(runFolder, 'forward.sock');

/** Connects with an address of the cluster: a pod's, a service's, a node's. Rejects as `connect` would. */
export async function dial(host: string, port: number): Promise<Socket> {
  const socket = createConnection({ path: FORWARDER_SOCKET, allowHalfOpen: true });
  socket.on('error', () => {});
  socket.write(`${host} ${port}\n`);
  const answer = await firstLine(socket);
  if (answer === 'ok') return socket;
  socket.destroy();
  throw new Error(`${host}:${port}: ${answer}`);
}

async function firstLine(socket: Socket): Promise<string> {
  let read = Buffer.alloc(0);
  while (true) {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) {
      if (socket.readableEnded || socket.destroyed) return 'the way into the cluster is closed';
      await Promise.race([once(socket, 'readable'), once(socket, 'close')]);
      continue;
    }
    read = Buffer.concat([read, chunk]);
    const end = read.indexOf('\n');
    if (end === -1) continue;
    if (end + 1 < read.length) socket.unshift(read.subarray(end + 1));
    return read.toString('utf8', 0, end);
  }
}

export interface Forward extends AsyncDisposable {
  /** On 127.0.0.1. */
  readonly port: number;
}

/** Makes an address of the cluster reachable at a port of 127.0.0.1, for clients that are given a URL. */
export async function forward(host: string, port: number): Promise<Forward> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    sockets.add(client);
    client.on('error', () => client.destroy()).on('close', () => sockets.delete(client));
    dial(host, port).then(
      (target) => {
        client.on('close', () => target.destroy());
        client.pipe(target);
        target.pipe(client);
        client.resume();
      },
      () => client.resetAndDestroy(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
