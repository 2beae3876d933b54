import { performance } from 'node:perf_hooks';

/**
 * Time as the data path sees it. Deadlines are numbers that a common tick compares, so that a request sets no timer:
 * a deadline is noticed up to {@link TICK_MS} late, never early.
 */
export interface Clock {
  /** Milliseconds, monotonic, from an arbitrary origin. */
  now(): number;
  /** Calls back about every {@link TICK_MS}. Returns how to stop it. */
  everyTick(callback: (nowMs: number) => void): () => void;
  /** Calls back once; for the few waits that are too short for ticks. Returns how to cancel it. */
  after(delayMs: number, callback: () => void): () => void;
}

export const TICK_MS = 100;

/** Timers take no more: one that is set for longer goes off at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A deadline that is not set. */
export const NEVER = Number.POSITIVE_INFINITY;

export const systemClock: Clock = {
  now: () => performance.now(),
  everyTick(callback) {
    const timer = setInterval(() => callback(performance.now()), TICK_MS);
    timer.unref();
    return () => clearInterval(timer);
  },
  after(delayMs, callback) {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      if (leftMs <= MAX_TIMER_MS) timer = setTimeout(callback, leftMs);
      else timer = setTimeout(() => wait(leftMs - MAX_TIMER_MS), MAX_TIMER_MS);
    };
    wait(delayMs);
    return () => clearTimeout(timer);
  },
};

/** Whether a wait has reached its timeout; 0 is no limit. */
export function overdue(elapsedMs: number, timeoutMs: number): boolean {
  return timeoutMs > 0 && elapsedMs >= timeoutMs;
}
