/**
 * Until when a worker may keep counted connections open: the main thread writes it into shared memory, so that
 * workers know it even while the main thread, or they themselves, stand still.
 */
import { topic } from '../workers/channel.ts';
import { monotonicMs } from './driver/monotonic-clock.ts';

/** Sent to a worker before anything else of the counter; never sent where counts cannot be lost. */
export const COUNTER_SESSION = topic<SessionStart>('counter.session');
/** The session's end has come nearer than it was: look again. */
export const COUNTER_SESSION_CHANGED = topic<null>('counter.session-changed');

export interface SessionStart {
  readonly memory: SharedArrayBuffer;
  /** How long before the session's end a worker closes by itself what it was not told to close. */
  readonly marginMs: number;
}

const END = 0;
const EPOCH = 1;
const MICROSECONDS = 1_000;
const NEVER = BigInt(Number.MIN_SAFE_INTEGER);

/** The main thread's half. */
export class SessionClock {
  readonly memory = new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT);
  readonly #cells = new BigInt64Array(this.memory);
  #endMs = Number.NEGATIVE_INFINITY;
  #epoch = 0;

  constructor() {
    Atomics.store(this.#cells, END, NEVER);
  }

  /** Counts how often connections have been taken out of the count: a grant of before is worth nothing after. */
  get epoch(): number {
    return this.#epoch;
  }

  nextEpoch(): void {
    this.#epoch++;
    Atomics.store(this.#cells, EPOCH, BigInt(this.#epoch));
  }

  /** @returns whether the end is nearer than it was, so that workers have to be told */
  setEnd(endMs: number): boolean {
    if (endMs === this.#endMs) return false;
    const isNearer = endMs < this.#endMs;
    this.#endMs = endMs;
    const cell = Number.isFinite(endMs) ? BigInt(Math.floor(endMs * MICROSECONDS)) : NEVER;
    Atomics.store(this.#cells, END, cell);
    return isNearer;
  }
}

/** A worker's half. */
export class SessionGuard {
  readonly #cells: BigInt64Array;
  readonly #marginMs: number;
  readonly #onOver: () => void;
  /** Up to here this worker has been told what was lost. */
  #knownEpoch: bigint;
  #timer: NodeJS.Timeout | undefined;

  /** @param onOver everything counted is to be closed; called again when it is over again */
  constructor({ memory, marginMs }: SessionStart, onOver: () => void) {
    this.#cells = new BigInt64Array(memory);
    this.#marginMs = marginMs;
    this.#onOver = onOver;
    this.#knownEpoch = Atomics.load(this.#cells, EPOCH);
    this.look();
  }

  /** What was lost in an epoch is closed here. */
  know(epoch: number): void {
    this.#knownEpoch = BigInt(epoch);
  }

  /** Whether a connection that was granted in an epoch may be established now. */
  admits(epoch: number): boolean {
    return this.#knownEpoch === BigInt(epoch) && this.lasts;
  }

  /** Whether counted connections may be open now: the session lasts, and no word of a loss is on its way. */
  get lasts(): boolean {
    return Atomics.load(this.#cells, EPOCH) === this.#knownEpoch && this.#restMs() > 0;
  }

  /** Closes if it is time, otherwise looks again when it will be. */
  look(): void {
    clearTimeout(this.#timer);
    const restMs = this.#restMs();
    if (restMs <= 0) this.#onOver();
    // While it is over nothing is open: the next look is a matter of the next session.
    const delayMs = restMs > 0 ? Math.ceil(restMs) : RECHECK_MS;
    this.#timer = setTimeout(() => this.look(), Math.min(delayMs, MAX_DELAY_MS)).unref();
  }

  #restMs(): number {
    const endMs = Number(Atomics.load(this.#cells, END)) / MICROSECONDS;
    return endMs - this.#marginMs - monotonicMs();
  }
}

const RECHECK_MS = 250;
const MAX_DELAY_MS = 2 ** 31 - 1;
