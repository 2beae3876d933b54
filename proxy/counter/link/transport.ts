import type { IncomingMessage } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Incarnation } from '../protocol/lease.ts';
import { FRAME_VERSION, isIncarnation } from './codec.ts';

/** What takes one process's links to another, and lets others in. */
export interface LinkTransport {
  /** How others reach this process. */
  readonly address: string;
  /**
   * From now on this process is that member, until the next call.
   * @param onLink told of every link that another member has opened
   */
  serve(self: Incarnation, onLink: (peer: Incarnation, socket: WebSocket) => void): void;
  /**
   * Opens a link to a member. Whoever answers has proven to be that member when the socket is open.
   * @param address as the member's own transport had it
   * @throws Error when that is none
   */
  dial(self: Incarnation, peer: Incarnation, address: string): WebSocket;
  close(): Promise<void>;
}

/** Peers without a common version do not link: the log of the one that dials says which there are. */
export const SUBPROTOCOL = `sluice-counter.${FRAME_VERSION}`;
const LINK_PATH = '/counter';
export const HANDSHAKE_TIMEOUT_MS = 3_000;
/** A shard of 300,000 slots is handed over in 30 MB. */
export const MAX_FRAME_BYTES = 64 << 20;

const MAX_CONNECTIONS = 4_096;
const FROM = 'sluice-from';
const TO = 'sluice-to';

/** Asks a member for a link over a connection to it. */
export function dialOver(self: Incarnation, peer: Incarnation, connect: () => Duplex): WebSocket {
  return new WebSocket(`ws://member${LINK_PATH}`, [SUBPROTOCOL], {
    createConnection: connect as () => Socket,
    headers: { [FROM]: self, [TO]: peer },
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
  });
}

/** Has a server let others in, with limits on what strangers can take up. */
export function letIn(server: Server, acceptor: Acceptor): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    acceptor.upgrade(request, socket, head),
  );
  return sockets;
}

export async function endServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  for (const socket of sockets) socket.destroy();
  await closed;
}

/** The common part of what lets others in. */
export class Acceptor {
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
  });
  readonly #mayBe: (peer: Incarnation, socket: Duplex) => boolean;
  #self: Incarnation = '';
  #onLink: (peer: Incarnation, socket: WebSocket) => void = () => {};

  /** @param mayBe whether the one at the other end may speak for a member */
  constructor(mayBe: (peer: Incarnation, socket: Duplex) => boolean) {
    this.#mayBe = mayBe;
  }

  serve(self: Incarnation, onLink: (peer: Incarnation, socket: WebSocket) => void): void {
    this.#self = self;
    this.#onLink = onLink;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusal(request, socket);
    if (refusal !== null) {
      socket.on('error', () => {});
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
        socket.destroy(),
      );
      return;
    }
    const peer = request.headers[FROM] as string;
    this.#server.handleUpgrade(request, socket, head, (accepted) => this.#onLink(peer, accepted));
  }

  #refusal(request: IncomingMessage, socket: Duplex): string | null {
    const { [FROM]: from, [TO]: to } = request.headers;
    if (request.url !== LINK_PATH) return '404 Not Found';
    if (typeof from !== 'string' || !isIncarnation(from)) return '400 Bad Request';
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
    if (!offered.includes(SUBPROTOCOL)) return `426 Expected ${SUBPROTOCOL}`;
    // Its address was somebody else's before.
    if (to !== this.#self || from === this.#self) return '421 Misdirected Request';
    return this.#mayBe(from, socket) ? null : '403 Forbidden';
  }
}
