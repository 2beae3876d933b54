/**
 * A hub with groups and events, for the clients of Azure Web PubSub. It does not check tokens, only reads them: the
 * gateway in front has verified the signature, the audience and the expiry of every token that comes here.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt } from 'jose';
import { WebSocketServer } from 'ws';
import { type Claims, type Groups, PubSubConnection, SUBPROTOCOL } from './connection.ts';

const MAX_MESSAGE_BYTES = 1 << 20;

export interface PubSubOptions {
  /** Clients come to `/client/hubs/<hub>`. */
  readonly hub: string;
  readonly onEvent: (event: string, data: unknown, connection: PubSubConnection) => unknown;
  readonly port?: number;
  readonly host?: string;
}

export class PubSubServer implements Groups {
  readonly #server = createServer();
  readonly #groups = new Map<string, Set<PubSubConnection>>();
  readonly #connections = new Set<PubSubConnection>();
  readonly #options: PubSubOptions;

  private constructor(options: PubSubOptions) {
    this.#options = options;
    const webSockets = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_MESSAGE_BYTES,
      handleProtocols: (offered) => offered.has(SUBPROTOCOL) && SUBPROTOCOL,
    });
    this.#server.on('request', (request, response) => {
      const healthy = request.url === '/api/health';
      response.writeHead(healthy ? 200 : 404).end();
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket, head) => {
      const [path, query] = (request.url ?? '').split('?');
      const claims = claimsOf(new URLSearchParams(query).get('access_token') ?? '');
      if (path !== `/client/hubs/${options.hub}` || claims === null) {
        const status = claims === null ? '401 Unauthorized' : '404 Not Found';
        socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.#connections.add(new PubSubConnection(webSocket, claims, this));
      });
    });
  }

  static async start(options: PubSubOptions): Promise<PubSubServer> {
    const hub = new PubSubServer(options);
    hub.#server.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    await once(hub.#server, 'listening');
    return hub;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): ReadonlySet<PubSubConnection> {
    return this.#connections;
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.close('The service restarts', 1012);
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  join(group: string, connection: PubSubConnection): void {
    const members = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, members.add(connection));
  }

  leave(group: string, connection: PubSubConnection): void {
    const members = this.#groups.get(group);
    if (members?.delete(connection) && members.size === 0) this.#groups.delete(group);
  }

  leaveAll(connection: PubSubConnection): void {
    this.#connections.delete(connection);
    for (const group of [...this.#groups.keys()]) this.leave(group, connection);
  }

  members(group: string): Iterable<PubSubConnection> {
    return this.#groups.get(group) ?? [];
  }

  handle(event: string, data: unknown, connection: PubSubConnection): unknown {
    return this.#options.onEvent(event, data, connection);
  }
}

function claimsOf(token: string): Claims | null {
  try {
    const { sub, role, ...rest } = decodeJwt(token);
    return { userId: sub ?? null, roles: list(role), groups: list(rest['webpubsub.group']) };
  } catch {
    return null;
  }
}

function list(claim: unknown): string[] {
  return [claim].flat().filter((entry): entry is string => typeof entry === 'string');
}
