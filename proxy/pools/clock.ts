/** Time as pools need it, so that tests can move it. */
export interface Clock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Milliseconds since the epoch, to be shown to people. */
  epochMs(): number;
  /** @returns cancels the call, if it is still to come. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Its timers keep no process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  epochMs: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
};
