/** A small seeded generator of random numbers (xorshift32), so that a run can be repeated from its seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Zero is a fixed point; the multiplication spreads neighbouring seeds.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) || 1;
  }

  /** An integer from 0 to `bound` - 1. */
  below(bound: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % bound;
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}
