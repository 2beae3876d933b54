import type { Clock } from '../../../kubernetes/clock.ts';

/** Spreads calls so that they are never more than so many a second, however many there is reason for. */
export class CallBudget {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  #left: number;
  #countedMs: number;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#left = burst;
    this.#countedMs = clock.now();
  }

  /**
   * Takes one call.
   * @returns how long it has to wait; `null` when that is longer than it can, and nothing is taken
   */
  take(maxWaitMs: number): number | null {
    const nowMs = this.#clock.now();
    this.#left = Math.min(this.#burst, this.#left + ((nowMs - this.#countedMs) / 1000) * this.#perSecond);
    this.#countedMs = nowMs;
    const queueMs = this.#left >= 1 ? 0 : ((1 - this.#left) / this.#perSecond) * 1000;
    const waitMs = Math.max(queueMs, this.#notBeforeMs - nowMs, 0);
    if (waitMs > maxWaitMs) return null;
    this.#left--;
    return waitMs;
  }

  /** The server asks for a pause. */
  pause(durationMs: number): void {
    this.#notBeforeMs = Math.max(this.#notBeforeMs, this.#clock.now() + durationMs);
  }
}
