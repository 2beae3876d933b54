import type { Channel } from '../workers/channel.ts';
import type { Acquisition, ConnectionId, Counter, Demand } from './counter.ts';
import {
  acquisitionAt,
  addAcquisition,
  COUNTER_REPLIES,
  COUNTER_REQUESTS,
  emptyRequest,
  type ReplyBatch,
} from './messages.ts';

export interface CounterClientOptions {
  readonly channel: Channel;
  /** Acquisitions without an answer; one more is `unavailable` at once. */
  readonly maxPending?: number;
  /** An acquisition without an answer for so long is `unavailable`, and is released. */
  readonly answerTimeoutMs?: number;
}

/**
 * A worker's half of the counter. What is asked in one turn of the event loop goes out as one message.
 *
 * Connection ids must ascend from one new acquisition to the next. The channel keeps order, so that a release always
 * arrives behind its acquisition: a connection whose answer is not awaited any more is released without a leak.
 */
export class CounterClient implements Counter {
  readonly #channel: Channel;
  readonly #maxPending: number;
  readonly #answerTimeoutMs: number;
  #queued = new Map<ConnectionId, Queued>();
  #released: ConnectionId[] = [];
  readonly #inFlight = new Map<number, InFlight>();
  #pending = 0;
  #batch = 0;
  #flushScheduled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CounterClientOptions) {
    this.#channel = options.channel;
    this.#maxPending = options.maxPending ?? 16_384;
    this.#answerTimeoutMs = options.answerTimeoutMs ?? 5_000;
    this.#channel.on(COUNTER_REPLIES, (reply) => this.#settle(reply));
  }

  /** Acquisitions that have no answer yet. */
  get pending(): number {
    return this.#pending;
  }

  acquire(connection: ConnectionId, demands: readonly Demand[]): Promise<Acquisition> {
    const queued = this.#queued.get(connection);
    if (queued !== undefined) return queued.promise;
    if (this.#pending >= this.#maxPending) return Promise.resolve(TOO_MANY_PENDING);
    this.#pending++;
    const { promise, resolve } = Promise.withResolvers<Acquisition>();
    this.#queued.set(connection, { demands, promise, resolve });
    this.#scheduleFlush();
    return promise;
  }

  release(connection: ConnectionId): void {
    const queued = this.#queued.get(connection);
    if (queued !== undefined) {
      this.#queued.delete(connection);
      this.#pending--;
      queued.resolve(RELEASED);
      return;
    }
    this.#released.push(connection);
    this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushScheduled = false;
    if (this.#queued.size === 0 && this.#released.length === 0) return;
    const request = { ...emptyRequest(++this.#batch), released: this.#released };
    this.#released = [];
    if (this.#queued.size > 0) {
      for (const [connection, { demands }] of this.#queued) addAcquisition(request, connection, demands);
      this.#inFlight.set(request.batch, { sentAtMs: performance.now(), queued: this.#queued });
      this.#queued = new Map();
      this.#armTimer(this.#answerTimeoutMs);
    }
    this.#channel.post(COUNTER_REQUESTS, request);
  }

  #settle(reply: ReplyBatch): void {
    const inFlight = this.#inFlight.get(reply.batch);
    // Given up on: its releases are under way.
    if (inFlight === undefined) return;
    this.#inFlight.delete(reply.batch);
    this.#pending -= inFlight.queued.size;
    let position = 0;
    for (const { resolve } of inFlight.queued.values()) resolve(acquisitionAt(reply, position++));
  }

  #armTimer(delayMs: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#giveUpOnOverdue(), delayMs).unref();
  }

  #giveUpOnOverdue(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [batch, { sentAtMs, queued }] of this.#inFlight) {
      const remainingMs = sentAtMs + this.#answerTimeoutMs - nowMs;
      if (remainingMs > 0) {
        this.#armTimer(remainingMs);
        return;
      }
      this.#inFlight.delete(batch);
      this.#pending -= queued.size;
      for (const [connection, { resolve }] of queued) {
        this.release(connection);
        resolve(NO_ANSWER);
      }
    }
  }
}

interface Queued {
  readonly demands: readonly Demand[];
  readonly promise: Promise<Acquisition>;
  readonly resolve: (acquisition: Acquisition) => void;
}

interface InFlight {
  /** Monotonic. */
  readonly sentAtMs: number;
  /** In the order of the batch. */
  readonly queued: ReadonlyMap<ConnectionId, Queued>;
}

const TOO_MANY_PENDING: Acquisition = { outcome: 'unavailable', reason: 'too many decisions are pending' };
const RELEASED: Acquisition = { outcome: 'unavailable', reason: 'released before it was asked for' };
const NO_ANSWER: Acquisition = { outcome: 'unavailable', reason: 'the counter did not answer in time' };
