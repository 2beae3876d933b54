/**
 * A hub that speaks the ASP.NET Core SignalR protocol over its three transports: WebSockets, server-sent events and
 * long polling (https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md).
 *
 * An instance knows only the connections that it has negotiated itself. All further requests with the same `id` must
 * come to the same instance, which is what the affinity of the pool sees to.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { HubConnection, type HubMethods, type Wire } from './connection.ts';
import { PollWire } from './poll.ts';

const MAX_MESSAGE_BYTES = 1 << 20;
const ID_BYTES = 16;
/** How long a client may take from negotiating to connecting. */
const OFFER_MS = 15_000;
/** For how long a poll of a connection that is over is told so. */
const FAREWELL_MS = 30_000;

const TRANSPORTS = [
  { transport: 'WebSockets', transferFormats: ['Text'] },
  { transport: 'ServerSentEvents', transferFormats: ['Text'] },
  { transport: 'LongPolling', transferFormats: ['Text'] },
];

export interface HubOptions {
  readonly path: string;
  readonly methods: HubMethods;
  readonly port?: number;
  readonly host?: string;
}

interface Client {
  readonly connection: HubConnection;
  /** `null` unless it polls. */
  readonly poll: PollWire | null;
}

export class HubServer {
  readonly #clients = new Map<string, Client>();
  readonly #offers = new Set<string>();
  readonly #over = new Map<string, PollWire>();
  readonly #options: HubOptions;
  readonly #server = createServer();
  readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });

  private constructor(options: HubOptions) {
    this.#options = options;
    this.#server.on('request', (request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket, head) => {
      const id = this.#idOf(request);
      if (id === null || !this.#offers.delete(id)) {
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        const connection = this.#add(id, {
          send: (text) => webSocket.send(text),
          end: () => webSocket.close(),
        });
        webSocket.on('message', (data) => connection.receive(data.toString()));
        webSocket.on('error', () => webSocket.terminate());
        webSocket.on('close', () => connection.lost());
      });
    });
  }

  static async start(options: HubOptions): Promise<HubServer> {
    const hub = new HubServer(options);
    hub.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(hub.#server, 'listening');
    return hub;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): readonly HubConnection[] {
    return [...this.#clients.values()].map(({ connection }) => connection);
  }

  /** Calls a method of every client. */
  broadcast(target: string, ...args: readonly unknown[]): void {
    for (const { connection } of this.#clients.values()) connection.invoke(target, ...args);
  }

  /** Asks all clients to come back later, then stops. */
  async close(): Promise<void> {
    for (const { connection } of this.#clients.values()) connection.close({ allowReconnect: true });
    const closed = once(this.#server, 'close');
    this.#server.close();
    setTimeout(() => {
      for (const webSocket of this.#webSockets.clients) webSocket.terminate();
      this.#server.closeAllConnections();
    }, 500).unref();
    this.#server.closeIdleConnections();
    await closed;
  }

  #offer(): string {
    const id = randomBytes(ID_BYTES).toString('base64url');
    this.#offers.add(id);
    setTimeout(() => this.#offers.delete(id), OFFER_MS).unref();
    return id;
  }

  #add(id: string, wire: Wire, poll: PollWire | null = null): HubConnection {
    const connection = new HubConnection(id, wire, this.#options.methods, () => {
      this.#clients.delete(id);
      if (poll === null) return;
      this.#over.set(id, poll);
      setTimeout(() => this.#over.delete(id), FAREWELL_MS).unref();
    });
    this.#clients.set(id, { connection, poll });
    return connection;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?', 1)[0];
    if (path === '/api/v1/health') {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"status":"ok"}');
      return;
    }
    if (request.method === 'POST' && path === `${this.#options.path}/negotiate`) {
      const id = this.#offer();
      response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
      response.end(
        JSON.stringify({
          negotiateVersion: 1,
          connectionId: id,
          connectionToken: id,
          availableTransports: TRANSPORTS,
        }),
      );
      return;
    }
    const id = this.#idOf(request);
    if (id === null) {
      response.writeHead(404).end();
      return;
    }
    const client = this.#clients.get(id);
    if (request.method === 'GET') {
      this.#receiveBy(request, response, id, client);
    } else if (client === undefined) {
      response.writeHead(404).end();
    } else if (request.method === 'POST') {
      client.connection.receive(await textOf(request));
      response.writeHead(200, { 'Content-Type': 'text/plain' }).end();
    } else if (request.method === 'DELETE') {
      client.connection.lost();
      response.writeHead(202).end();
    } else {
      response.writeHead(405, { Allow: 'GET, POST, DELETE' }).end();
    }
  }

  #receiveBy(
    request: IncomingMessage,
    response: ServerResponse,
    id: string,
    client: Client | undefined,
  ): void {
    const over = this.#over.get(id);
    if (over !== undefined) {
      over.poll(response);
    } else if (client === undefined && !this.#offers.delete(id)) {
      response.writeHead(404).end();
    } else if (request.headers.accept?.includes('text/event-stream')) {
      if (client !== undefined) response.writeHead(409).end();
      else this.#stream(response, id);
    } else if (client === undefined) {
      const wire = new PollWire(() => this.#clients.get(id)?.connection.lost());
      this.#add(id, wire, wire);
      // The first poll only says that the connection is there.
      response.writeHead(200, { 'Content-Type': 'text/plain' }).end();
    } else if (client.poll === null) {
      response.writeHead(409).end();
    } else {
      client.poll.poll(response);
    }
  }

  #stream(response: ServerResponse, id: string): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    response.write(':\r\n');
    const connection = this.#add(id, {
      send: (text) => response.write(`data: ${text}\r\n\r\n`),
      end: () => response.end(),
    });
    response.on('close', () => connection.lost());
  }

  /** The `id` of a request for the hub's path, or `null`. */
  #idOf(request: IncomingMessage): string | null {
    const [path, query] = (request.url ?? '').split('?');
    return path === this.#options.path ? new URLSearchParams(query).get('id') : null;
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_MESSAGE_BYTES) throw new Error('The message is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
