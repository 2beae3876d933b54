export interface BackoffOptions {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * Exponential backoff with jitter: each delay is between half of a step and the whole of it, so that many clients
 * that lost the same server do not return together.
 */
export class Backoff {
  #attempts = 0;
  readonly #options: BackoffOptions;
  readonly #random: () => number;

  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** Failures since the last reset. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Counts a failure and says how long to wait for it; at least `leastMs`, which the jitter then exceeds. */
  next(leastMs = 0): number {
    const { minMs, maxMs } = this.#options;
    const step = Math.min(maxMs, minMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts++;
    const delay = step * (0.5 + this.#random() / 2);
    return leastMs > delay ? leastMs * (1 + this.#random() / 4) : delay;
  }

  reset(): void {
    this.#attempts = 0;
  }
}
