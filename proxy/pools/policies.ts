import type { Filter } from './filter.ts';
import type { LiveEndpoint } from './live-endpoint.ts';
import { RoundRobin, type VirtualTime } from './turns.ts';

/** Chooses among the usable endpoints; rebuilt when that set changes. */
export interface Policy {
  pick(filter: Filter): LiveEndpoint | null;
}

export type PolicyName = 'RoundRobin' | 'LeastConnections' | 'Random2';

/** @param endpoints usable ones, with positive weights */
export function createPolicy(
  name: PolicyName,
  endpoints: readonly LiveEndpoint[],
  time: VirtualTime,
  random: () => number,
): Policy {
  time.admit(endpoints, random);
  switch (name) {
    case 'RoundRobin':
      return new RoundRobin(endpoints, time);
    case 'LeastConnections':
      return new LeastConnections(endpoints, time);
    case 'Random2':
      return new Random2(endpoints, random);
  }
}

/**
 * The endpoint with the fewest open requests and connections for its weight, over all workers. Equal ones take turns
 * by weight, so an idle pool is spread as by round robin.
 */
class LeastConnections implements Policy {
  readonly #endpoints: readonly LiveEndpoint[];
  readonly #time: VirtualTime;
  #start = 0;

  constructor(endpoints: readonly LiveEndpoint[], time: VirtualTime) {
    this.#endpoints = endpoints;
    this.#time = time;
  }

  pick(filter: Filter): LiveEndpoint | null {
    const endpoints = this.#endpoints;
    const { length } = endpoints;
    let best: LiveEndpoint | null = null;
    let bestLoad = 0;
    let at = this.#start;
    for (let seen = 1; seen <= length; seen++) {
      const endpoint = endpoints[at]!;
      if (++at === length) at = 0;
      if (filter.takes(endpoint)) {
        const load = filter.counts.open(endpoint.row) / endpoint.weight;
        if (best === null || load < bestLoad || (load === bestLoad && endpoint.nextTurn < best.nextTurn)) {
          best = endpoint;
          bestLoad = load;
        }
      }
      if (seen >= WINDOW && best !== null) break;
    }
    if (length > WINDOW) this.#start = at;
    if (best !== null) this.#time.take(best);
    return best;
  }
}

/** In a larger pool the least of this many is taken, the next time of the next ones: exact is not worth the time. */
const WINDOW = 256;

/** Two endpoints at random by weight; the one with less open for its weight takes the request. */
class Random2 implements Policy {
  readonly #endpoints: readonly LiveEndpoint[];
  readonly #sums: Float64Array;
  readonly #random: () => number;

  constructor(endpoints: readonly LiveEndpoint[], random: () => number) {
    this.#endpoints = endpoints;
    this.#random = random;
    this.#sums = new Float64Array(endpoints.length);
    let sum = 0;
    endpoints.forEach(({ weight }, index) => {
      sum += weight;
      this.#sums[index] = sum;
    });
  }

  pick(filter: Filter): LiveEndpoint | null {
    const { length } = this.#endpoints;
    if (length === 0) return null;
    const sums = this.#sums;
    const total = sums[length - 1]!;
    const firstAt = this.#indexOf(this.#random() * total);
    const first = this.#endpoints[firstAt]!;
    // The second is drawn from what is left without the first.
    const before = firstAt === 0 ? 0 : sums[firstAt - 1]!;
    const value = this.#random() * (total - first.weight);
    const second =
      length === 1 ? first : this.#endpoints[this.#indexOf(value < before ? value : value + first.weight)]!;
    const takesFirst = filter.takes(first);
    const takesSecond = filter.takes(second);
    if (takesFirst && takesSecond) {
      const { counts } = filter;
      // A tie goes to the first, so that an idle pool is spread by weight.
      return counts.open(second.row) / second.weight < counts.open(first.row) / first.weight ? second : first;
    }
    if (takesFirst) return first;
    if (takesSecond) return second;
    return this.#scan(filter);
  }

  /** Whose part of the summed weights a value lies in. */
  #indexOf(value: number): number {
    const sums = this.#sums;
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Neither of the two may take it: whoever may, from a random place on. */
  #scan(filter: Filter): LiveEndpoint | null {
    const endpoints = this.#endpoints;
    const start = Math.floor(this.#random() * endpoints.length);
    for (let i = 0; i < endpoints.length; i++) {
      const endpoint = endpoints[(start + i) % endpoints.length]!;
      if (filter.takes(endpoint)) return endpoint;
    }
    return null;
  }
}
