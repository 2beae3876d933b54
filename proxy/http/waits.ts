/**
 * How long an attempt lasts, and its present wait, by the ticks of the clock: the first tick after the beginning counts
 * as the beginning, so that no clock is read in between.
 */
export class Waits {
  /** 0 is to be set at the next tick. */
  #attemptSinceMs = 0;
  #waitSinceMs = 0;

  beginAttempt(): void {
    this.#attemptSinceMs = 0;
    this.#waitSinceMs = 0;
  }

  /** Something came: another wait begins. */
  progress(): void {
    this.#waitSinceMs = 0;
  }

  attemptMs(nowMs: number): number {
    if (this.#attemptSinceMs === 0) this.#attemptSinceMs = nowMs;
    return nowMs - this.#attemptSinceMs;
  }

  waitMs(nowMs: number): number {
    if (this.#waitSinceMs === 0) this.#waitSinceMs = nowMs;
    return nowMs - this.#waitSinceMs;
  }
}
