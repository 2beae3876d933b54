import type { Filter } from './filter.ts';
import type { LiveEndpoint } from './live-endpoint.ts';

/**
 * Virtual time of a pool, in which an endpoint has a turn every 1/weight. It outlives changes of the pool, and turns
 * are kept at the endpoints, so that a change does not start the order over.
 */
export class VirtualTime {
  #now = 0;

  /**
   * Gives a turn to endpoints that are new or were away: one that was away must not make up for what it missed.
   * They begin at a random phase, else all workers would send their first requests to the same endpoint.
   */
  admit(endpoints: readonly LiveEndpoint[], random: () => number): void {
    for (const endpoint of endpoints) {
      const step = 1 / endpoint.weight;
      const inTime = endpoint.nextTurn >= this.#now && endpoint.nextTurn <= this.#now + step;
      if (!inTime) endpoint.nextTurn = this.#now + random() * step;
    }
  }

  /** The endpoint takes its turn. One that was passed over for long gets one turn at once, not all of them. */
  take(endpoint: LiveEndpoint): void {
    if (endpoint.nextTurn > this.#now) this.#now = endpoint.nextTurn;
    const next = endpoint.nextTurn + 1 / endpoint.weight;
    endpoint.nextTurn = next > this.#now ? next : this.#now;
  }
}

/**
 * Smooth weighted round robin: the endpoint with the earliest turn is next. A heap makes a pick logarithmic, where
 * the usual form (add all weights, take the largest) is linear.
 */
export class RoundRobin {
  readonly #heap: LiveEndpoint[];
  readonly #time: VirtualTime;

  /** @param endpoints with positive weights */
  constructor(endpoints: readonly LiveEndpoint[], time: VirtualTime) {
    this.#heap = [...endpoints];
    this.#time = time;
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#sink(i);
  }

  pick(filter: Filter): LiveEndpoint | null {
    const heap = this.#heap;
    let best = heap[0];
    if (best === undefined) return null;
    let at = 0;
    if (!filter.takes(best)) {
      // Rare: the first in turn is full or already tried, so look at all. It keeps its turn for the next request.
      best = undefined;
      for (let i = 1; i < heap.length; i++) {
        const endpoint = heap[i]!;
        if ((best === undefined || endpoint.nextTurn < best.nextTurn) && filter.takes(endpoint)) {
          best = endpoint;
          at = i;
        }
      }
      if (best === undefined) return null;
    }
    this.#time.take(best);
    this.#sink(at);
    return best;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const endpoint = heap[from]!;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.nextTurn < heap[child]!.nextTurn) child++;
      if (heap[child]!.nextTurn >= endpoint.nextTurn) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = endpoint;
  }
}
