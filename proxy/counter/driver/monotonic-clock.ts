import type { Clock } from '../../../kubernetes/clock.ts';

/**
 * The kernel's monotonic clock, the same in all threads (`performance.now()` starts at 0 in each). It stands still
 * while the machine sleeps: nodes of a cluster must not.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

export const monotonicClock: Clock = {
  now: monotonicMs,
  epochMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
