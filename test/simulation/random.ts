/** A seeded generator (xorshift128): the same seed gives the same run. */
export class Random {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    let mixed = seed | 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      mixed = (mixed + 0x9e3779b9) | 0;
      let word = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
      word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
      return (word ^ (word >>> 15)) | 1;
    });
  }

  /** From 0 up to, not including, 1. */
  unit(): number {
    const state = this.#state;
    let word = state[3]!;
    word ^= word << 11;
    word ^= word >>> 8;
    state[3] = state[2]!;
    state[2] = state[1]!;
    state[1] = state[0]!;
    word ^= state[0]! ^ (state[0]! >>> 19);
    state[0] = word;
    return state[0]! / 2 ** 32;
  }

  /** An integer from 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor(this.unit() * bound);
  }

  between(low: number, high: number): number {
    return low + this.unit() * (high - low);
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** Waiting times of events that come independently of each other. */
  exponential(mean: number): number {
    return -Math.log(1 - this.unit()) * mean;
  }
}
