/**
 * Two sockets joined: what one says, the other hears, with back-pressure and half-close kept.
 *
 * A gateway holds many thousands of these, nearly all of them idle, so a splice is one record that both sockets
 * refer to, with no handlers and no timer of its own and nothing of the request that opened it.
 * For a WebSocket the record reads frame headers in passing, so that a ping or a close frame of the gateway's own
 * can be put between two frames; the frames themselves pass as the bytes they are.
 */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Settings } from '../config/snapshot.ts';
import { type SocketOwner, setOwner } from '../connections/socket-owner.ts';
import { NEVER } from '../http/clock.ts';
import { CLOSE, closeFrame, FrameReader } from './frames.ts';
import { PING_FRAME, PongFilter, type Upstream } from './own-ping.ts';
import type { Splicer } from './splicer.ts';

export type SpliceSettings = Settings['webSocket'];

export interface SpliceOptions {
  /** One object for all splices of a snapshot: it is kept by reference. */
  readonly settings: SpliceSettings;
  /** Whether these are WebSocket frames from the first byte: heartbeats and an orderly close need that. */
  readonly frames: boolean;
  /** Bytes that were read from a socket before the splice began. */
  readonly clientHead?: Uint8Array;
  readonly upstreamHead?: Uint8Array;
  /** Called exactly once, when the client's socket is gone. */
  readonly onClose: (splice: Splice) => void;
}

/** Why a splice ended, for logs and metrics. */
export type SpliceEnd =
  | 'client_closed'
  | 'upstream_closed'
  | 'client_error'
  | 'upstream_error'
  | 'idle_timeout'
  | 'pong_timeout'
  | 'half_close_timeout'
  | 'closed_by_gateway';

/** Close codes of RFC 6455 §7.4.1 and its registry. */
export const GOING_AWAY = 1001;
export const POLICY_VIOLATION = 1008;
export const SERVICE_RESTART = 1012;

export class Splice implements SocketOwner, Upstream {
  readonly client: Duplex;
  readonly upstream: Duplex;
  /** From the client, and to it, since the splice began; without frames of the gateway's own. */
  bytesIn = 0;
  bytesOut = 0;
  /** `null` while it is open. */
  end: SpliceEnd | null = null;
  /** When {@link check} has something to look at: never too late, often too early. */
  deadlineMs = 0;
  readonly #splicer: Splicer;
  readonly #settings: SpliceSettings;
  readonly #onClose: (splice: Splice) => void;
  /** Of what the client sends, and of what it gets; `null` where the bytes are no frames. */
  readonly #fromClient: FrameReader | null;
  readonly #toClient: FrameReader | null;
  /** The client's last bytes, pongs included. */
  #heardMs: number;
  /** The last bytes that either side sent to the other. */
  #trafficMs: number;
  /** Since when the client owes a sign of life; 0 when it does not. */
  #awaitingMs = 0;
  /** Since when one direction is closed, or the gateway closes; 0 when neither. */
  #closingMs = 0;
  /** A frame to put between two frames to the client. */
  #forClient: Buffer | null = null;
  #forUpstream: Buffer | null = null;
  /** The gateway closes: after its close frame nothing more is said to that side. */
  #closing = false;
  #clientTold = false;
  #upstreamTold = false;
  /** From the first ping of the gateway's own on. */
  #pongs: PongFilter | null = null;
  #clientGone = false;
  #upstreamGone = false;

  constructor(splicer: Splicer, client: Duplex, upstream: Duplex, options: SpliceOptions) {
    this.#splicer = splicer;
    this.client = client;
    this.upstream = upstream;
    this.#settings = options.settings;
    this.#onClose = options.onClose;
    this.#fromClient = options.frames ? new FrameReader() : null;
    this.#toClient = options.frames ? new FrameReader() : null;
    this.#heardMs = splicer.nowMs;
    this.#trafficMs = splicer.nowMs;
  }

  /** For the splicer. */
  start(clientHead: Uint8Array | undefined, upstreamHead: Uint8Array | undefined): void {
    this.#schedule();
    this.#adopt(this.client);
    this.#adopt(this.upstream);
    if (upstreamHead !== undefined && upstreamHead.length > 0) this.onData(this.upstream, upstreamHead);
    if (clientHead !== undefined && clientHead.length > 0) this.onData(this.client, clientHead);
    this.#catchUp(this.client);
    this.#catchUp(this.upstream);
  }

  /**
   * Ends the splice in an orderly way: a WebSocket's client gets a close frame with this code and reason, its backend
   * one with 1001, each between two frames, then both have the half-close timeout to finish. Harmless when repeated.
   */
  close(code: number, reason: string): void {
    if (this.#closing || this.end !== null) return;
    this.#closing = true;
    this.end = 'closed_by_gateway';
    this.#closingMs = this.#splicer.clock.now();
    if (this.#toClient === null || this.#fromClient === null) {
      this.#clientTold = true;
      this.#upstreamTold = true;
      finish(this.client);
      finish(this.upstream);
      // What still comes is read and dropped: unread bytes would turn the FIN into a reset.
      this.client.resume();
      this.upstream.resume();
    } else {
      this.#forClient = closeFrame(code, reason, null);
      this.#forUpstream = closeFrame(GOING_AWAY, '', randomBytes(4));
      if (this.#toClient.atBoundary) this.#tellClient();
      if (this.#fromClient.atBoundary) this.#tellUpstream();
    }
    this.#schedule();
  }

  /** Ends the splice at once. */
  destroy(end: SpliceEnd = 'closed_by_gateway'): void {
    this.end ??= end;
    this.client.destroy();
    this.upstream.destroy();
  }

  /** For the splicer: looks at all timeouts. */
  check(nowMs: number): void {
    const { idleTimeoutMs, halfCloseTimeoutMs, pongTimeoutMs, pingIntervalMs } = this.#settings;
    if (this.#closingMs > 0) {
      if (nowMs - this.#closingMs >= halfCloseTimeoutMs) {
        this.destroy('half_close_timeout');
        return;
      }
    } else {
      if (idleTimeoutMs > 0 && nowMs - this.#trafficMs >= idleTimeoutMs) {
        this.close(GOING_AWAY, 'idle timeout');
        this.end = 'idle_timeout';
        return;
      }
      if (this.#awaitingMs > 0) {
        if (nowMs - this.#awaitingMs >= pongTimeoutMs) {
          this.destroy('pong_timeout');
          return;
        }
      } else if (this.#toClient !== null && pingIntervalMs > 0 && nowMs - this.#heardMs >= pingIntervalMs) {
        this.#ping(nowMs);
      }
    }
    this.#schedule();
  }

  onData(source: Duplex, chunk: Uint8Array): void {
    if (source === this.client) {
      this.bytesIn += chunk.length;
      this.#heard();
      if (this.#fromClient === null) this.toUpstream(chunk);
      else if (this.#forUpstream !== null || this.#upstreamTold)
        this.#hearWhileClosing(this.#fromClient, chunk);
      else if (this.#pongs !== null) this.#pongs.pass(this.#fromClient, chunk, this);
      else {
        readAll(this.#fromClient, chunk, 0);
        this.toUpstream(chunk);
      }
    } else {
      this.bytesOut += chunk.length;
      const reader = this.#toClient;
      if (reader === null) this.#say(chunk);
      else if (this.#clientTold) return;
      else if (this.#forClient !== null) this.#sayWithFrame(reader, chunk);
      else {
        readAll(reader, chunk, 0);
        this.#say(chunk);
      }
    }
  }

  onDrain(drained: Duplex): void {
    if (drained === this.client) {
      // Its kernel takes bytes again: somebody reads there.
      this.#heard();
      this.upstream.resume();
    } else this.client.resume();
  }

  onEnd(ended: Duplex): void {
    const other = ended === this.client ? this.upstream : this.client;
    if (ended === this.client) this.#passHeld();
    this.end ??= ended === this.client ? 'client_closed' : 'upstream_closed';
    finish(other);
    // Whoever was told that the gateway closes has nothing to add.
    if (this.#closing) finish(ended);
    if (this.#closingMs === 0) {
      this.#closingMs = this.#splicer.clock.now();
      this.#schedule();
    }
  }

  onError(failed: Duplex): void {
    this.destroy(failed === this.client ? 'client_error' : 'upstream_error');
  }

  /** Harmless when repeated. */
  onClosed(closed: Duplex): void {
    const isClient = closed === this.client;
    if (isClient ? this.#clientGone : this.#upstreamGone) return;
    if (isClient) this.#clientGone = true;
    else this.#upstreamGone = true;
    this.end ??= isClient ? 'client_closed' : 'upstream_closed';
    const other = isClient ? this.upstream : this.client;
    // Finished both ways: the other one may still have bytes to hand over, and has its timeout for that.
    if (closed.readableEnded && closed.writableFinished) finish(other);
    else other.destroy();
    if (this.#clientGone && this.#upstreamGone) this.#splicer.forget(this);
    if (isClient) this.#onClose(this);
  }

  #adopt(socket: Duplex): void {
    setOwner(socket, this);
    socket.allowHalfOpen = true;
    // Whoever had the socket may have paused it. Data comes with the next tick, after the heads.
    socket.resume();
  }

  /** What happened to a socket before it was adopted. */
  #catchUp(socket: Duplex): void {
    if (socket.closed) this.onClosed(socket);
    else if (socket.destroyed) this.destroy(socket === this.client ? 'client_closed' : 'upstream_closed');
    else if (socket.readableEnded) this.onEnd(socket);
  }

  #heard(): void {
    this.#heardMs = this.#splicer.nowMs;
    this.#awaitingMs = 0;
  }

  #passHeld(): void {
    const held = this.#pongs?.take() ?? null;
    if (held !== null) this.toUpstream(held);
  }

  /** Passes on what the client says. */
  toUpstream(chunk: Uint8Array): void {
    this.#trafficMs = this.#splicer.nowMs;
    if (this.upstream.writable && !this.upstream.write(chunk)) this.client.pause();
  }

  #say(chunk: Uint8Array): void {
    this.#trafficMs = this.#splicer.nowMs;
    if (this.client.writable && !this.client.write(chunk)) this.upstream.pause();
  }

  /** Passes a chunk on to the client, with the gateway's frame after the frame that is under way. */
  #sayWithFrame(reader: FrameReader, chunk: Uint8Array): void {
    const at = reader.read(chunk, 0);
    this.#say(chunk.subarray(0, at));
    if (!reader.atBoundary) return;
    this.#tellClient();
    if (this.#clientTold || at === chunk.length) return;
    readAll(reader, chunk, at);
    this.#say(chunk.subarray(at));
  }

  /** At a boundary: the ping or close frame that waits for one. */
  #tellClient(): void {
    const frame = this.#forClient!;
    this.#forClient = null;
    // After a close frame nothing more may be said (RFC 6455 §5.5.1).
    const closedAlready = saidClose(this.#toClient);
    if (!closedAlready && this.client.writable) this.client.write(frame);
    if (this.#closing) {
      this.#clientTold = true;
      this.upstream.resume();
      if (saidClose(this.#fromClient)) finish(this.client);
    } else {
      this.#pongs ??= new PongFilter();
      this.#awaitingMs = this.#splicer.nowMs;
      this.#schedule();
    }
  }

  #tellUpstream(): void {
    const frame = this.#forUpstream!;
    this.#forUpstream = null;
    this.#upstreamTold = true;
    if (!saidClose(this.#fromClient) && this.upstream.writable) this.upstream.write(frame);
    // Its answer is of no interest, but the client's is.
    this.client.resume();
  }

  /** The client's frame under way is passed on; what follows is dropped, up to the answer to our close frame. */
  #hearWhileClosing(reader: FrameReader, chunk: Uint8Array): void {
    let at = 0;
    if (!this.#upstreamTold) {
      at = reader.read(chunk, 0);
      this.#passHeld();
      this.toUpstream(chunk.subarray(0, at));
      if (!reader.atBoundary) return;
      this.#tellUpstream();
    }
    while (at < chunk.length && !saidClose(reader)) at = reader.read(chunk, at);
    if (this.#clientTold && saidClose(reader)) finish(this.client);
  }

  #ping(nowMs: number): void {
    if (this.client.writableLength > 0) {
      // A ping would wait behind these bytes. A client that takes none of them is as silent as one that does not
      // answer, and `drain` is its sign of life.
      this.#awaitingMs = nowMs;
      return;
    }
    if (saidClose(this.#toClient)) return;
    this.#forClient = PING_FRAME;
    if (this.#toClient!.atBoundary) this.#tellClient();
  }

  /** When the next of the timeouts can be over at the earliest. */
  #schedule(): void {
    const { idleTimeoutMs, halfCloseTimeoutMs, pongTimeoutMs, pingIntervalMs } = this.#settings;
    if (this.#closingMs > 0) {
      this.deadlineMs = this.#closingMs + halfCloseTimeoutMs;
      return;
    }
    let next = idleTimeoutMs > 0 ? this.#trafficMs + idleTimeoutMs : NEVER;
    if (this.#toClient !== null && pingIntervalMs > 0) {
      const heartbeat =
        this.#awaitingMs > 0 ? this.#awaitingMs + pongTimeoutMs : this.#heardMs + pingIntervalMs;
      next = Math.min(next, heartbeat);
    }
    this.deadlineMs = next;
  }
}

/** Says no more to a socket. Node would make an error of saying so twice, stack and all, if only to drop it. */
function finish(socket: Duplex): void {
  if (!socket.writableEnded && !socket.destroyed) socket.end();
}

function readAll(reader: FrameReader, chunk: Uint8Array, from: number): void {
  let at = from;
  while (at < chunk.length) at = reader.read(chunk, at);
}

/** Whether the last frame was a close frame, and is over. */
function saidClose(reader: FrameReader | null): boolean {
  return reader?.atBoundary === true && reader.opcode === CLOSE;
}
