/**
 * The backend of a fleet. A WebSocket is greeted with the address that it comes from and the name of this backend; after
 * that, each message is sent back. `GET /healthz` answers 200; any other path with this backend's name, the path and the
 * host; the header field `through` has the address that the request comes from.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

export interface EchoBackend {
  readonly port: number;
  /** Tells everyone to come back (1012), then stops. */
  close(): Promise<void>;
}

export async function startEchoBackend(options: {
  readonly host: string;
  readonly port: number;
  readonly name: string;
}): Promise<EchoBackend> {
  const server = createServer((request, response) => {
    const { url, headers, socket } = request;
    response.setHeader('through', addressOf(socket.remoteAddress));
    response.end(url === '/healthz' ? 'ok' : `${options.name} ${url} ${headers.host}\n`);
  });
  const webSockets = new WebSocketServer({ server, perMessageDeflate: false });
  webSockets.on('connection', (socket, request) => {
    socket.on('error', () => socket.terminate());
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.send(`${addressOf(request.socket.remoteAddress)} ${options.name}`);
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of webSockets.clients) socket.close(1012, 'Service restart');
      setTimeout(() => {
        for (const socket of webSockets.clients) socket.terminate();
        server.closeAllConnections();
      }, 1_000).unref();
      server.closeIdleConnections();
      await closed;
    },
  };
}

/** An IPv4 address as such, where it comes to a socket of IPv6. */
function addressOf(address = ''): string {
  return address.replace(/^::ffff:/, '');
}
