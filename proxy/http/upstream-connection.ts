import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { type SocketOwner, setOwner } from '../connections/socket-owner.ts';
import type { Endpoint } from '../pools/endpoint.ts';
import { NEVER } from './clock.ts';
import { type BodyReader, bodyReader } from './codec/body.ts';
import { responseFraming } from './codec/framing.ts';
import { DEFAULT_HEAD_LIMITS, type HeadLimits, ResponseHead } from './codec/head.ts';
import { scanResponseHead } from './codec/scan.ts';
import { Output } from './output.ts';
import type { UpstreamFailure } from './upstream-failure.ts';

/** Who gets what a connection receives: an exchange's attempt or a mirrored copy. */
export interface UpstreamReceiver {
  onConnected(): void;
  onConnectError(error: Error): void;
  /** 100 and 103; the head is only valid during the call. */
  onInformational(head: ResponseHead): void;
  /**
   * The final head; valid until the response ends. Its `framing` says how the body ends.
   * @returns false to keep the body back until `resume`
   */
  onResponse(head: ResponseHead): boolean;
  /** A part of the body as it came in; `body.ranges` says what of it is payload. */
  onBody(buffer: Buffer, start: number, end: number, body: BodyReader): void;
  /** The response is complete; the connection is no longer the receiver's. */
  onResponseEnd(body: BodyReader | null): void;
  /** 101: the connection is the receiver's for good, and so are the bytes that followed the head. */
  onUpgrade(head: ResponseHead, early: Buffer | null): void;
  onFailure(failure: UpstreamFailure): void;
  /** The socket takes more of the request body. */
  onDrain(): void;
  /** All of what arrived together has been handed over. */
  onBatchEnd(): void;
}

/** Where a connection goes when it is free again. */
export interface ConnectionHome {
  release(connection: UpstreamConnection): void;
  remove(connection: UpstreamConnection): void;
}

const RESPONSE_LIMITS: HeadLimits = { ...DEFAULT_HEAD_LIMITS, maxFields: 256 };
/** Interim answers to one request; more of them are no HTTP anybody means. */
const MAX_INFORMATIONAL = 16;
/** How much sooner than the backend says we give up an idle connection, so that no request meets its end. */
const KEEP_ALIVE_MARGIN_MS = 1000;

/** One connection to an endpoint: it serves one request at a time. */
export class UpstreamConnection implements SocketOwner {
  readonly endpoint: Endpoint;
  readonly socket: net.Socket;
  readonly output: Output;
  connected = false;
  destroyed = false;
  /** Finished requests: a connection that has served before may be closing under our hands. */
  served = 0;
  /** When an idle connection is closed. */
  idleDeadlineMs = NEVER;
  /** How long the backend said that it keeps an idle connection, less a margin. */
  keepAliveHintMs = NEVER;
  /** Whether any byte of the current response has arrived. */
  responseBegun = false;

  readonly #home: ConnectionHome;
  #receiver: UpstreamReceiver | null = null;
  readonly #head = new ResponseHead();
  #body: BodyReader | null = null;
  /** Bytes that wait: of an unfinished head, or of a body that the receiver does not want yet. */
  #held: Buffer | null = null;
  #method = '';
  #upgrading = false;
  #requestSent = false;
  #informational = 0;
  #error: Error | null = null;

  constructor(endpoint: Endpoint, home: ConnectionHome, options: tls.ConnectionOptions | null) {
    this.endpoint = endpoint;
    this.#home = home;
    const { address: host, port } = endpoint;
    this.socket =
      options === null
        ? net.connect({ host, port, noDelay: true, keepAlive: true, allowHalfOpen: true })
        : // The types leave `allowHalfOpen` out, which the socket below takes as any other does.
          tls.connect({ ...options, host, port, allowHalfOpen: true } as tls.ConnectionOptions);
    this.output = new Output(this.socket);
    this.socket.once(options === null ? 'connect' : 'secureConnect', () => this.#onConnected());
    setOwner(this.socket, this);
    if (options !== null) this.socket.setNoDelay(true).setKeepAlive(true);
  }

  /** Takes the connection for one request, whose head is sent at once. */
  begin(receiver: UpstreamReceiver, method: string, upgrading: boolean, headText: string): void {
    this.#method = method;
    this.#receiver = receiver;
    this.#upgrading = upgrading;
    this.#requestSent = false;
    this.#informational = 0;
    this.responseBegun = false;
    this.output.text(headText);
  }

  /** Sets who hears of the connection attempt, before there is a request on it. */
  await(receiver: UpstreamReceiver): void {
    this.#receiver = receiver;
  }

  /** The request is handed over whole. */
  endRequest(): void {
    this.#requestSent = true;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    const held = this.#held;
    if (held !== null && this.#body !== null) {
      this.#held = null;
      this.#consume(held);
      if (this.destroyed || this.#held !== null) return;
    }
    this.socket.resume();
  }

  /** Ends the receiver's interest and the connection. */
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.#receiver = null;
    this.#held = null;
    this.#home.remove(this);
    this.socket.destroy();
  }

  /** Gives the socket away, after an upgrade: it is to get another owner at once. */
  detach(): net.Socket {
    this.destroyed = true;
    this.#receiver = null;
    this.#held = null;
    this.#home.remove(this);
    return this.socket;
  }

  #onConnected(): void {
    this.connected = true;
    this.#receiver?.onConnected();
  }

  onDrain(): void {
    this.output.drained();
    this.#receiver?.onDrain();
  }

  onError(_socket: Duplex, error: Error): void {
    this.#error = error;
  }

  onClosed(): void {
    if (this.destroyed) return;
    const receiver = this.#receiver;
    const error = this.#error;
    if (this.connected || receiver === null) {
      this.#fail('reset', this.#closeCode());
    } else {
      this.destroy();
      receiver.onConnectError(error ?? new Error('connection closed while it was being made'));
    }
  }

  /** The backend sends no more. */
  onEnd(): void {
    // In the middle of the TLS handshake: the socket makes an error of it, which tells that nothing was sent yet.
    if (!this.connected) return;
    const body = this.#body;
    if (body !== null && this.#held === null && body.completeAtEnd && this.#receiver !== null) {
      const receiver = this.#receiver;
      this.destroy();
      receiver.onResponseEnd(body);
      receiver.onBatchEnd();
      return;
    }
    this.#fail('reset', this.#closeCode());
  }

  onData(_socket: Duplex, chunk: Buffer): void {
    if (this.#receiver === null) {
      // Nobody asked for anything: the next response on this connection could not be trusted (RFC 9112 §9.2).
      this.destroy();
      return;
    }
    const held = this.#held;
    this.#held = null;
    this.responseBegun = true;
    this.#consume(held === null ? chunk : Buffer.concat([held, chunk]));
  }

  #consume(chunk: Buffer): void {
    const receiver = this.#receiver;
    if (receiver === null) return;
    const { length } = chunk;
    let position = 0;
    while (this.#body === null) {
      const head = this.#head;
      const status = scanResponseHead(chunk, position, length, RESPONSE_LIMITS, head);
      if (status === 'incomplete') {
        // A copy: the rest of a head is short and shall not keep what came before it alive.
        this.#held = position === length ? null : Buffer.from(chunk.subarray(position));
        receiver.onBatchEnd();
        return;
      }
      if (status === 'invalid') {
        this.#fail('invalid_response', head.error!.code.toLowerCase());
        return;
      }
      position += head.byteLength;
      responseFraming(head, this.#method);
      if (head.status < 200) {
        if (head.status === 101) {
          if (!this.#upgrading) this.#fail('invalid_response', 'unexpected_upgrade');
          else receiver.onUpgrade(head, position === length ? null : chunk.subarray(position));
          return;
        }
        if (++this.#informational > MAX_INFORMATIONAL) {
          this.#fail('invalid_response', 'too_many_interim_responses');
          return;
        }
        receiver.onInformational(head);
        if (this.destroyed) return;
        if (position === length) {
          receiver.onBatchEnd();
          return;
        }
        continue;
      }
      if (head.framing === 'none') {
        receiver.onResponse(head);
        if (this.destroyed) return;
        this.#finish(receiver, head, null, position === length);
        receiver.onBatchEnd();
        return;
      }
      this.#body = bodyReader(head.framing, head.contentLength);
      const wanted = receiver.onResponse(head);
      if (this.destroyed) return;
      if (!wanted) {
        this.#held = position === length ? null : chunk.subarray(position);
        this.socket.pause();
        receiver.onBatchEnd();
        return;
      }
    }

    const body = this.#body;
    if (position < length) {
      const end = body.push(chunk, position, length);
      if (end < 0) {
        this.#fail('invalid_response', body.error!.code.toLowerCase());
        return;
      }
      receiver.onBody(chunk, position, end, body);
      if (this.destroyed) return;
      position = end;
    }
    if (body.done) this.#finish(receiver, this.#head, body, position === length);
    receiver.onBatchEnd();
  }

  #finish(receiver: UpstreamReceiver, head: ResponseHead, body: BodyReader | null, exact: boolean): void {
    this.#receiver = null;
    this.#body = null;
    this.served++;
    // Bytes behind the response belong to no request: see `onData`.
    if (exact && head.persistent && this.#requestSent) {
      if (this.served === 1) this.keepAliveHintMs = keepAliveHint(head);
      // The last of the body may have filled the client's socket and paused this one.
      this.socket.resume();
      this.#home.release(this);
    } else {
      this.destroy();
    }
    receiver.onResponseEnd(body);
  }

  #fail(kind: UpstreamFailure['kind'], code: string): void {
    const receiver = this.#receiver;
    this.destroy();
    receiver?.onFailure({ kind, code });
  }

  #closeCode(): string {
    const code = (this.#error as NodeJS.ErrnoException | null)?.code;
    if (this.#body !== null) return 'response_truncated';
    if (code === 'ECONNRESET' || code === 'EPIPE') return 'reset_before_response';
    return 'closed_before_response';
  }
}

/** `Keep-Alive: timeout=N`, as Node and Apache send it: N seconds, minus a margin. */
function keepAliveHint(head: ResponseHead): number {
  const value = head.get('keep-alive');
  if (value === undefined) return NEVER;
  const at = value.indexOf('timeout=');
  const seconds = at < 0 ? Number.NaN : Number.parseInt(value.slice(at + 8), 10);
  return Number.isNaN(seconds) ? NEVER : Math.max(0, seconds * 1000 - KEEP_ALIVE_MARGIN_MS);
}
