import { connect } from 'node:net';
import { WebSocket } from 'ws';
import type { FailedAttempt, Link, LinkEnd } from './report.ts';

export interface ClientOptions {
  readonly number: number;
  readonly url: string;
  /** In the header field `Authorization`. */
  readonly token?: string;
  readonly intervalMs: number;
  readonly opened: (link: Link) => void;
  readonly failed: (attempt: FailedAttempt) => void;
  readonly wrongEcho: (words: string) => void;
}

const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 2_000;
const HANDSHAKE_TIMEOUT_MS = 15_000;

/**
 * A client that keeps one WebSocket open and sends numbers on it, one after the other; the backend of `echo.ts` sends
 * them back. When the WebSocket ends, it makes another one, as well-behaved clients do.
 */
export class FleetClient {
  readonly #options: ClientOptions;
  #socket: WebSocket | null = null;
  #link: OpenLink | null = null;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#connect();
  }

  /** Whether it has a WebSocket on which it was greeted. */
  get isOpen(): boolean {
    return this.#link !== null;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#link?.leave();
    this.#socket?.close(1000);
    // Of those that are not answered, nothing is to be known.
    this.#timer = setTimeout(() => this.#socket?.terminate(), 2_000);
  }

  #connect(): void {
    const { url, token, number, failed } = this.#options;
    let error: string | null = null;
    const socket = new WebSocket(url, {
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      perMessageDeflate: false,
      ...(token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } }),
      // The class keeps resets to itself, so they are noted at the socket.
      createConnection: ({ host, port }: { host?: string; port?: number }) =>
        connect({ host: host ?? '127.0.0.1', port: port ?? 80, noDelay: true }).on(
          'error',
          ({ code, message }: NodeJS.ErrnoException) => {
            error = code ?? message;
          },
        ),
    } as WebSocket.ClientOptions);
    this.#socket = socket;
    let status: number | null = null;
    socket.on('unexpected-response', (_request, response) => {
      status = response.statusCode ?? null;
      response.resume();
      socket.terminate();
    });
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      error ??= cause.code ?? cause.message;
    });
    socket.on('message', (data) => this.#receive(String(data)));
    socket.on('close', (code, reason) => {
      this.#socket = null;
      if (this.#stopped) clearTimeout(this.#timer);
      if (this.#link !== null) {
        this.#link.ended({
          atMs: Date.now(),
          code,
          reason: reason.toString(),
          error,
          ours: this.#stopped,
        });
        this.#link = null;
        clearTimeout(this.#timer);
        if (!this.#stopped) this.#later(Math.random() * FIRST_RETRY_MS);
        return;
      }
      if (this.#stopped) return;
      failed({ client: number, atMs: Date.now(), why: String(status ?? error ?? code) });
      this.#failures++;
      this.#later(Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures) * (0.5 + Math.random() / 2));
    });
  }

  #later(delayMs: number): void {
    this.#timer = setTimeout(() => this.#connect(), delayMs);
  }

  #receive(text: string): void {
    const { number, opened, intervalMs, wrongEcho } = this.#options;
    if (this.#link !== null) {
      const problem = this.#link.echo(text);
      if (problem !== null) wrongEcho(`client ${number} through ${this.#link.through}: ${problem}`);
      return;
    }
    this.#failures = 0;
    const [through = '', backend = ''] = text.split(' ');
    this.#link = new OpenLink(number, through, backend);
    opened(this.#link);
    // Not all at the same moment.
    this.#timer = setTimeout(() => this.#send(), Math.random() * intervalMs);
  }

  #send(): void {
    if (this.#socket?.readyState === WebSocket.OPEN && this.#link !== null)
      this.#socket.send(this.#link.next());
    this.#timer = setTimeout(() => this.#send(), this.#options.intervalMs);
  }
}

class OpenLink implements Link {
  readonly client: number;
  readonly through: string;
  readonly backend: string;
  readonly openedMs = Date.now();
  echoes = 0;
  lastEchoMs = this.openedMs;
  end: LinkEnd | null = null;
  #sent = 0;
  /** When each message that waits for its echo was sent. */
  readonly #waiting: number[] = [];
  #longestWaitMs = 0;

  constructor(client: number, through: string, backend: string) {
    this.client = client;
    this.through = through;
    this.backend = backend;
  }

  get longestWaitMs(): number {
    const [oldest] = this.#waiting;
    if (oldest === undefined || this.end !== null) return this.#longestWaitMs;
    return Math.max(this.#longestWaitMs, Date.now() - oldest);
  }

  next(): string {
    this.#waiting.push(Date.now());
    return String(++this.#sent);
  }

  /** What is wrong with the echo, in words. */
  echo(text: string): string | null {
    const now = Date.now();
    const sentMs = this.#waiting.shift();
    this.echoes++;
    this.lastEchoMs = now;
    if (sentMs !== undefined) this.#longestWaitMs = Math.max(this.#longestWaitMs, now - sentMs);
    return text === String(this.echoes) ? null : `got ${text.slice(0, 40)} where ${this.echoes} was next`;
  }

  /** What is under way is not waited for any more. */
  leave(): void {
    this.#longestWaitMs = this.longestWaitMs;
    this.#waiting.length = 0;
  }

  ended(end: LinkEnd): void {
    this.leave();
    this.end = end;
  }

  toJSON(): Link {
    const { client, through, backend, openedMs, echoes, lastEchoMs, longestWaitMs, end } = this;
    return { client, through, backend, openedMs, echoes, lastEchoMs, longestWaitMs, end };
  }
}
