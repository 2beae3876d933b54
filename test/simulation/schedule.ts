export interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

const MAX_EVENTS = 3_000_000;

/** Virtual time: what is to happen, in the order of its time, and of its making where times are equal. */
export class Schedule {
  readonly #heap: Entry[] = [];
  #order = 0;
  #nowMs = 0;
  #count = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have happened. */
  get count(): number {
    return this.#count;
  }

  at(atMs: number, run: () => void): void {
    const entry = { atMs: Math.max(atMs, this.#nowMs), order: this.#order++, run };
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#nowMs + delayMs, run);
  }

  /** Runs what is due until a time, and calls `each` after every event. */
  runUntil(endMs: number, each: () => void): void {
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= endMs) {
      const { atMs, run } = this.#pop();
      this.#nowMs = atMs;
      if (++this.#count > MAX_EVENTS) throw new Error(`more than ${MAX_EVENTS} events: it turns in a circle`);
      run();
      each();
    }
    this.#nowMs = endMs;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(one: Entry, other: Entry): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
