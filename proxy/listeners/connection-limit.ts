/**
 * How many client connections a pod has over all its workers. Each worker counts in a slot of its own of shared
 * memory, so that the slot of a worker that crashed can be cleared. A connection is counted before the sum is
 * looked at: two workers may both refuse the last place, but never both give it away.
 */
export class ConnectionLimit {
  readonly #counts: Int32Array;
  readonly #slot: number;

  /** @param counts one slot a worker; shared memory where there are several */
  constructor(counts: Int32Array, slot: number) {
    this.#counts = counts;
    this.#slot = slot;
  }

  /** Takes a place; `false` when there is none. @param max 0 is unlimited */
  enter(max: number): boolean {
    Atomics.add(this.#counts, this.#slot, 1);
    if (max === 0 || this.total() <= max) return true;
    this.leave();
    return false;
  }

  leave(): void {
    Atomics.sub(this.#counts, this.#slot, 1);
  }

  total(): number {
    let sum = 0;
    for (let i = 0; i < this.#counts.length; i++) sum += Atomics.load(this.#counts, i);
    return sum;
  }
}
