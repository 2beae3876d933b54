import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { CloseReason } from '../connections/registry.ts';
import { type SocketOwner, setOwner } from '../connections/socket-owner.ts';
import { http1Refusal, type Reason, reasonOfCodecStatus } from './answers.ts';
import { NEVER, overdue } from './clock.ts';
import type { HeaderPlan } from './codec/edit.ts';
import type { RequestHead, ResponseHead } from './codec/head.ts';
import { normalizePath } from './codec/path.ts';
import { scanRequestHead } from './codec/scan.ts';
import { upgradeLines, writeResponseHead } from './codec/write.ts';
import type { SwitchedClient } from './downstream.ts';
import { type Arrival, Exchange, type ServingState } from './exchange.ts';
import { Http1Downstream } from './http1-downstream.ts';
import type { HttpServices } from './services.ts';

const STAGE = {
  /** Between requests, or in the middle of a head. */
  head: 0,
  exchange: 1,
  /** The answer is sent, the rest of the request body is read away. */
  discarding: 2,
  /** Our side is closed: what the client still sends is read away so that it can read the answer. */
  lingering: 3,
  closed: 4,
} as const;

/** How long, and how many bytes of, a client is listened to after the last answer (RFC 9112 §9.6). */
const LINGER_MS = 2000;
const MAX_LINGER_BYTES = 1_048_576;
/** How long an answer in progress may take once its connection is to end. */
const CLOSE_GRACE_MS = 10_000;

/** What a connection needs of its server side. */
export interface ConnectionOwner {
  readonly services: HttpServices;
  /** What new requests are served by; changes on a reload. */
  readonly state: ServingState;
  readonly draining: boolean;
  nextConnectionId(): number;
  closed(connection: DownstreamConnection): void;
}

/**
 * One client connection by HTTP/1.x. Requests are served one after the other, so that answers keep their order;
 * what a client sends ahead waits here, and beyond a limit in its own socket.
 */
export class DownstreamConnection extends Http1Downstream implements SocketOwner {
  readonly #owner: ConnectionOwner;

  #stage: number = STAGE.head;
  #state: ServingState;
  #processing = false;
  #paused = false;
  #clientEnded = false;

  #headBegun = false;
  #exchange: Exchange | null = null;
  #lingeredBytes = 0;

  #closeRequested = false;
  #closeDeadlineMs = NEVER;

  /** Since when the present wait lasts, by ticks; 0 is to be set at the next one. */
  #sinceMs = 0;
  #blockedSinceMs = 0;
  #served = 0;

  constructor(owner: ConnectionOwner, socket: Socket, arrival: Arrival, peerAddress: string) {
    super(owner.nextConnectionId(), socket, arrival, peerAddress);
    this.#owner = owner;
    this.#state = owner.state;
    setOwner(socket, this);
  }

  // --- What the socket says

  onData(_socket: Duplex, chunk: Buffer): void {
    if (this.#stage >= STAGE.lingering) {
      this.#lingeredBytes += chunk.length;
      if (this.#lingeredBytes > MAX_LINGER_BYTES) this.socket.destroy();
      return;
    }
    this.input.append(chunk);
    this.#process();
  }

  onEnd(): void {
    this.#clientEnded = true;
    if (this.#stage === STAGE.lingering) this.socket.destroySoon();
    else if (this.#stage === STAGE.exchange) {
      const exchange = this.#exchange!;
      // A client that has sent all may close its side and wait for the answer. But no slot is kept, and no endless
      // answer sent, for one that has most likely left.
      if (!this.bodyPending && !exchange.counted && !exchange.isEventStream) return;
      this.#stage = STAGE.closed;
      exchange.onClientGone();
      this.socket.destroy();
    } else if (this.#stage !== STAGE.closed) {
      this.socket.end();
      this.#stage = STAGE.lingering;
      this.#sinceMs = 0;
    }
  }

  onError(): void {
    // `onClosed` follows.
  }

  onClosed(): void {
    this.#stage = STAGE.closed;
    this.input.clear();
    this.#exchange?.onClientGone();
    this.#exchange = null;
    this.#owner.closed(this);
  }

  onDrain(): void {
    this.output.drained();
    this.#blockedSinceMs = 0;
    this.#exchange?.onDownstreamDrain();
  }

  // --- Reading requests

  /** Uses what has been received as far as the present stage lets it. */
  #process(): void {
    if (this.#processing) return;
    this.#processing = true;
    while (this.input.buffer !== null && this.#step());
    this.#processing = false;
    this.#settleReading();
  }

  /** @returns whether to go on */
  #step(): boolean {
    switch (this.#stage) {
      case STAGE.head:
        return this.#readHead();
      case STAGE.exchange:
        return this.body.pending && this.body.wanted && this.#readBodyBytes();
      case STAGE.discarding:
        return this.#discardBodyBytes();
      default:
        this.input.clear();
        return false;
    }
  }

  #readHead(): boolean {
    const input = this.input;
    const buffer = input.buffer!;
    const head = this.head;
    const status = scanRequestHead(buffer, input.position, buffer.length, this.#owner.state.headLimits, head);
    if (status === 'incomplete') {
      if (!this.#headBegun) {
        this.#headBegun = true;
        this.#sinceMs = 0;
      }
      return false;
    }
    this.#headBegun = false;
    this.bytesReadBefore = input.received - input.unused;
    if (status === 'invalid') {
      this.#refuseHead(reasonOfCodecStatus(head.error!.status));
      return false;
    }
    input.advance(head.byteLength);
    return this.#begin(head);
  }

  #begin(head: RequestHead): boolean {
    const owner = this.#owner;
    this.#state = owner.state;
    const { settings } = this.#state;
    // TRACE would show the client what the gateway adds for the backend; CONNECT is for forward proxies.
    if (head.method === 'CONNECT' || head.method === 'TRACE') return this.#refuseHead('not_implemented');
    const path = normalizePath(head.path, settings.paths);
    if (typeof path !== 'string') return this.#refuseHead('bad_request');
    const { maxRequestBodyBytes } = settings.limits;
    this.beginRequest(path, settings, owner.draining);
    this.#sinceMs = 0;
    this.#served++;
    this.#stage = STAGE.exchange;
    const exchange = new Exchange(owner.services, this.#state, this, this.client.arrival);
    this.#exchange = exchange;
    if (maxRequestBodyBytes > 0 && head.contentLength > maxRequestBodyBytes) {
      exchange.failRequest('body_too_large', false);
    } else exchange.start();
    return true;
  }

  #readBodyBytes(): boolean {
    const body = this.body;
    const buffer = this.input.buffer!;
    const exchange = this.#exchange!;
    const start = this.input.position;
    const end = body.take(buffer, start);
    this.#sinceMs = 0;
    if (end < 0) {
      this.#failBody('bad_request');
      return false;
    }
    const { maxRequestBodyBytes } = this.#state.settings.limits;
    if (maxRequestBodyBytes > 0 && body.receivedBytes > maxRequestBodyBytes) {
      this.#failBody('body_too_large');
      return false;
    }
    this.input.advance(end - start);
    exchange.onRequestBody(buffer, start, end);
    if (!body.pending && !exchange.finished) exchange.onRequestEnd();
    if (!exchange.finished) exchange.onRequestBatchEnd();
    return true;
  }

  /** The body turned out to be invalid or too large while it was being passed on. */
  #failBody(reason: Reason): void {
    const exchange = this.#exchange!;
    this.closing = true;
    exchange.failRequest(reason, this.responded);
  }

  #discardBodyBytes(): boolean {
    const { buffer, position } = this.input;
    const end = this.body.discard(buffer!, position);
    if (end < 0) {
      this.#linger();
      return false;
    }
    this.input.advance(end - position);
    if (!this.body.pending) this.#nextRequest();
    return true;
  }

  /** Stops reading while what has been read cannot be used, so that the client is slowed down. */
  #settleReading(): void {
    if (this.#stage === STAGE.closed) return;
    const pause = this.input.buffer !== null && this.#stage === STAGE.exchange && this.#mustWait();
    if (pause === this.#paused) return;
    this.#paused = pause;
    if (pause) this.socket.pause();
    else this.socket.resume();
  }

  #mustWait(): boolean {
    if (this.bodyPending) return !this.body.wanted;
    const { maxPipelinedRequests, maxRequestHeaderBytes } = this.#state.settings.limits;
    if (this.input.unused > maxRequestHeaderBytes) return true;
    return this.input.countHeads(maxPipelinedRequests) >= maxPipelinedRequests;
  }

  // --- ExchangeDownstream

  readBody(): void {
    if (!this.body.wanted) this.#sinceMs = 0;
    this.body.wanted = true;
    if (this.input.buffer !== null) this.#process();
    else this.#settleReading();
  }

  complete(): void {
    this.output.flush();
    this.#exchange = null;
    if (this.#stage !== STAGE.exchange) return;
    if (this.closing || this.#closeRequested) this.#linger();
    else if (this.bodyPending) {
      this.#stage = STAGE.discarding;
      this.#sinceMs = 0;
      this.#process();
    } else {
      this.#nextRequest();
      this.#process();
    }
  }

  abort(): void {
    this.#exchange = null;
    this.#stage = STAGE.closed;
    this.reset();
  }

  switchProtocols(head: ResponseHead, plan: HeaderPlan, lines: string): SwitchedClient {
    const socket = this.socket;
    this.output.text(writeResponseHead(head, plan, '', upgradeLines('websocket'), lines));
    this.output.flush();
    const early = this.input.take();
    this.#stage = STAGE.closed;
    this.#exchange = null;
    this.#owner.closed(this);
    // Nothing is emitted before the next turn, when the new owner listens.
    if (this.#paused) socket.resume();
    return { stream: socket, early };
  }

  // --- Endings

  #nextRequest(): void {
    this.#stage = STAGE.head;
    this.endRequest();
    this.#sinceMs = 0;
    if (this.#clientEnded && this.input.buffer === null) this.#linger();
  }

  /** A request that could not be read; nothing more of this connection can be. */
  #refuseHead(reason: Reason): false {
    this.#owner.services.metrics.rejected(reason, null);
    this.output.text(http1Refusal(reason));
    this.#linger();
    return false;
  }

  /** Closes our side, and listens a while so that the client can read the answer before it is reset. */
  #linger(): void {
    this.output.flush();
    this.#stage = STAGE.lingering;
    this.input.clear();
    this.#exchange = null;
    this.#lingeredBytes = 0;
    this.#sinceMs = 0;
    this.socket.end();
    if (this.#clientEnded) this.socket.destroySoon();
    if (this.#paused) {
      this.#paused = false;
      this.socket.resume();
    }
  }

  /** An idle connection ends now, one in use after its answer. */
  finishSoon(): void {
    this.closing = true;
    this.#closeRequested = true;
    if (this.#stage === STAGE.head && this.input.buffer === null) this.#linger();
  }

  /** The same, but within a bounded time: an event stream ends, any other answer has a while. */
  close(reason: CloseReason): void {
    if (this.#closeDeadlineMs !== NEVER) return;
    this.#closeDeadlineMs = this.#owner.services.clock.now() + CLOSE_GRACE_MS;
    this.finishSoon();
    this.#exchange?.endEventStream(reason);
  }

  destroy(): void {
    this.socket.destroy();
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#closeDeadlineMs && this.#stage !== STAGE.lingering) {
      this.reset();
      return;
    }
    this.#exchange?.tick(nowMs);
    if (this.#sinceMs === 0) this.#sinceMs = nowMs;
    const waitedMs = nowMs - this.#sinceMs;
    const { limits } = this.#state.settings;
    switch (this.#stage) {
      case STAGE.head:
        if (this.#headBegun) {
          if (overdue(waitedMs, limits.requestHeaderTimeoutMs)) this.#refuseHead('request_timeout');
        } else {
          const idleMs = this.#served === 0 ? limits.requestHeaderTimeoutMs : limits.keepAliveTimeoutMs;
          // Silently: a client that has asked nothing takes a 408 for the answer to its next request.
          if (overdue(waitedMs, idleMs)) this.#linger();
        }
        break;
      case STAGE.exchange:
        if (this.bodyPending && this.body.wanted && overdue(waitedMs, limits.requestBodyIdleTimeoutMs)) {
          this.#failBody('request_timeout');
        } else this.#checkBlocked(nowMs);
        break;
      case STAGE.discarding:
        if (overdue(waitedMs, LINGER_MS)) this.#linger();
        break;
      case STAGE.lingering:
        if (overdue(waitedMs, LINGER_MS) && this.socket.writableFinished) this.socket.destroy();
        else if (overdue(waitedMs, limits.requestBodyIdleTimeoutMs)) this.socket.destroy();
        break;
      default:
        break;
    }
  }

  /** A client that takes none of its answer for as long as it may be silent in a body has left. */
  #checkBlocked(nowMs: number): void {
    if (!this.output.blocked) return;
    if (this.#blockedSinceMs === 0) this.#blockedSinceMs = nowMs;
    if (overdue(nowMs - this.#blockedSinceMs, this.#state.settings.limits.requestBodyIdleTimeoutMs)) {
      this.reset();
    }
  }

  // --- ExchangeEntry

  protected get current(): Exchange | null {
    return this.#exchange;
  }
}
