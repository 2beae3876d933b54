import type { Channel } from '../workers/channel.ts';
import type { Acquisition, ConnectionId, Counter, Demand } from './counter.ts';
import {
  acquisitionAt,
  addAcquisition,
  COUNTER_RECOUNTED,
  COUNTER_REPLIES,
  COUNTER_REQUESTS,
  COUNTER_REVOKED,
  emptyRequest,
  type ReplyBatch,
} from './messages.ts';
import { COUNTER_SESSION, COUNTER_SESSION_CHANGED, SessionGuard } from './session.ts';

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
  /** Where slots can be lost; then what is admitted is kept track of. */
  #guard: SessionGuard | null = null;
  readonly #admitted = new Map<ConnectionId, Admitted>();

  constructor(options: CounterClientOptions) {
    this.#channel = options.channel;
    this.#maxPending = options.maxPending ?? 16_384;
    this.#answerTimeoutMs = options.answerTimeoutMs ?? 5_000;
    this.#channel.on(COUNTER_REPLIES, (reply) => this.#settle(reply));
    this.#channel.on(COUNTER_SESSION, (start) => {
      this.#guard = new SessionGuard(start, () => this.#revokeAll());
    });
    this.#channel.on(COUNTER_SESSION_CHANGED, () => this.#guard?.look());
    this.#channel.on(COUNTER_REVOKED, ({ connections, epoch }) => {
      if (connections === null) this.#revokeAll();
      else for (const connection of connections) this.#revoke(connection);
      this.#guard?.know(epoch);
    });
    this.#channel.on(COUNTER_RECOUNTED, ({ connections }) => {
      for (const connection of connections) {
        const admitted = this.#admitted.get(connection);
        if (admitted !== undefined) admitted.isCounted = true;
      }
    });
  }

  /** Acquisitions that have no answer yet. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Whether counted connections may be open now. What is told of their end comes a moment later, after a stall of this
   * thread perhaps behind other events: who must be sure looks here.
   */
  get isInSession(): boolean {
    return this.#guard?.lasts ?? true;
  }

  acquire(
    connection: ConnectionId,
    demands: readonly Demand[],
    onRevoked?: () => void,
  ): Promise<Acquisition> {
    const queued = this.#queued.get(connection);
    if (queued !== undefined) return queued.promise;
    if (this.#pending >= this.#maxPending) return Promise.resolve(TOO_MANY_PENDING);
    this.#pending++;
    const { promise, resolve } = Promise.withResolvers<Acquisition>();
    this.#queued.set(connection, { demands, promise, resolve, onRevoked: onRevoked ?? nothing });
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
    this.#admitted.delete(connection);
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
      const asked = [...this.#queued];
      this.#inFlight.set(request.batch, { sentAtMs: performance.now(), asked, left: asked.length });
      this.#queued = new Map();
      this.#armTimer(this.#answerTimeoutMs);
    }
    this.#channel.post(COUNTER_REQUESTS, request);
  }

  #settle(reply: ReplyBatch): void {
    const inFlight = this.#inFlight.get(reply.batch);
    // Given up on: its releases are under way.
    if (inFlight === undefined) return;
    const { asked } = inFlight;
    const { positions, outcomes } = reply;
    inFlight.left -= outcomes.length;
    this.#pending -= outcomes.length;
    if (inFlight.left === 0) this.#inFlight.delete(reply.batch);
    for (let place = 0; place < outcomes.length; place++) {
      const position = positions?.[place] ?? place;
      const [connection, queued] = asked[position]!;
      asked[position] = undefined;
      queued.resolve(this.#conclude(connection, queued, acquisitionAt(reply, place), reply.epoch ?? 0));
    }
  }

  /** An admission counts only as long as the session lasts in which it was granted. */
  #conclude(
    connection: ConnectionId,
    { onRevoked }: Queued,
    acquisition: Acquisition,
    epoch: number,
  ): Acquisition {
    if (this.#guard === null || acquisition.outcome !== 'admitted') return acquisition;
    const isCounted = acquisition.uncounted === undefined;
    if (isCounted && !this.#guard.admits(epoch)) {
      this.release(connection);
      return TOO_LATE;
    }
    this.#admitted.set(connection, { onRevoked, isCounted });
    return acquisition;
  }

  #revoke(connection: ConnectionId): void {
    const admitted = this.#admitted.get(connection);
    if (admitted === undefined) return;
    this.#admitted.delete(connection);
    admitted.onRevoked();
  }

  #revokeAll(): void {
    for (const [connection, { isCounted }] of this.#admitted) if (isCounted) this.#revoke(connection);
  }

  #armTimer(delayMs: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#giveUpOnOverdue(), delayMs).unref();
  }

  #giveUpOnOverdue(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [batch, { sentAtMs, asked, left }] of this.#inFlight) {
      const remainingMs = sentAtMs + this.#answerTimeoutMs - nowMs;
      if (remainingMs > 0) {
        this.#armTimer(remainingMs);
        return;
      }
      this.#inFlight.delete(batch);
      this.#pending -= left;
      for (const entry of asked) {
        if (entry === undefined) continue;
        const [connection, { resolve }] = entry;
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
  readonly onRevoked: () => void;
}

interface Admitted {
  readonly onRevoked: () => void;
  /** `false`: admitted without the count, thus not lost with it. */
  isCounted: boolean;
}

interface InFlight {
  /** Monotonic. */
  readonly sentAtMs: number;
  /** In the order of the batch; without those that are answered. */
  readonly asked: ([connection: ConnectionId, queued: Queued] | undefined)[];
  /** How many have no answer. */
  left: number;
}

function nothing(): void {}

const TOO_MANY_PENDING: Acquisition = { outcome: 'unavailable', reason: 'too many decisions are pending' };
const RELEASED: Acquisition = { outcome: 'unavailable', reason: 'released before it was asked for' };
const TOO_LATE: Acquisition = {
  outcome: 'unavailable',
  reason: 'the session in which it was granted is over',
};
const NO_ANSWER: Acquisition = { outcome: 'unavailable', reason: 'the counter did not answer in time' };
