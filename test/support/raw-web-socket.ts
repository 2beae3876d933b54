/**
 * WebSockets down at the TCP socket, for tests that open thousands of them and end them in every way that a network
 * knows. The client side counts itself: it is open from the moment it has read 101 to the moment it has read, or
 * caused, the end.
 */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY = Buffer.alloc(16, 'sluice').toString('base64');
const ACCEPT = createHash('sha1')
  .update(KEY + GUID)
  .digest('base64');
const CLOSE_OPCODE = 8;
/** A masked close frame with code 1000 and a mask of zeros. */
const CLOSE_FRAME = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);

export interface RawWebSocketOptions {
  readonly port: number;
  /** With the query. */
  readonly target: string;
  /** For more connections than one address has ports. */
  readonly localAddress?: string;
}

export class RawWebSocket {
  /** The status of the handshake's answer, or `null` when the connection ended without one. */
  readonly answered: Promise<number | null>;
  readonly gone: Promise<void>;
  open = false;
  readonly #socket: Socket;
  readonly #opened: (socket: RawWebSocket) => void;
  readonly #ended: (socket: RawWebSocket) => void;
  #answer: (status: number | null) => void = () => {};
  #head = '';
  #stubborn = false;

  constructor(
    options: RawWebSocketOptions,
    opened: (socket: RawWebSocket) => void = () => {},
    ended: (socket: RawWebSocket) => void = () => {},
  ) {
    this.#opened = opened;
    this.#ended = ended;
    const { port, target, localAddress } = options;
    this.answered = new Promise((resolve) => {
      this.#answer = resolve;
    });
    this.#socket = connect({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true });
    this.#socket.on('connect', () => {
      this.#socket.write(
        `GET ${target} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
      );
    });
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('error', () => this.#end());
    this.gone = new Promise((resolve) => {
      this.#socket.on('close', () => {
        this.#end();
        resolve();
      });
    });
    this.#socket.on('end', () => {
      this.#end();
      if (!this.#stubborn) this.#socket.end();
    });
  }

  send(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** RST. */
  reset(): void {
    this.#end();
    this.#socket.resetAndDestroy();
  }

  /** FIN, without a close frame. */
  finish(): void {
    this.#end();
    this.#socket.end();
  }

  /** A close frame, then FIN when the other side has answered. */
  close(): void {
    this.#socket.write(CLOSE_FRAME);
  }

  /** From now on does not answer the other side's FIN with its own. */
  neverFinish(): void {
    this.#stubborn = true;
  }

  #receive(chunk: Buffer): void {
    if (this.open) {
      // Nothing but close frames is ever sent to these clients in one piece with the opcode first.
      if ((chunk[0]! & 0x0f) === CLOSE_OPCODE) {
        this.#end();
        if (!this.#stubborn) this.#socket.end(CLOSE_FRAME);
      }
      return;
    }
    this.#head += chunk.toString('latin1');
    if (!this.#head.includes('\r\n\r\n')) return;
    const status = Number(this.#head.slice(9, 12));
    if (status === 101) {
      this.open = true;
      this.#opened(this);
    } else {
      this.#socket.destroy();
    }
    this.#answer(status);
  }

  #end(): void {
    this.#answer(null);
    if (!this.open) return;
    this.open = false;
    this.#ended(this);
  }
}

/** A server that accepts every WebSocket, says nothing and answers close frames; `/health` is 200. */
export class RawWebSocketServer {
  readonly http: Server = createServer((_request, response) => response.end('ok'));
  readonly sockets = new Set<Socket>();

  constructor() {
    this.http.on('upgrade', (_request, socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('end', () => socket.end());
      socket.on('data', (chunk: Buffer) => {
        if ((chunk[0]! & 0x0f) === CLOSE_OPCODE) socket.end(Buffer.from([0x88, 2, 0x03, 0xe8]));
      });
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n\r\n`,
      );
    });
  }

  /** As a process does that is killed. */
  kill(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }
}
