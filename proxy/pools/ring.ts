import type { Filter } from './filter.ts';
import { hash32, mix } from './hash.ts';
import type { LiveEndpoint } from './live-endpoint.ts';

/**
 * A consistent-hash ring. It holds every endpoint of the pool, whatever its health: one that is away is passed over
 * clockwise, so its keys spread over the others and come back to it, and nobody else's move.
 *
 * Memory is bounded by the number of points, at 8 bytes each, and an endpoint's k-th point depends on nothing but
 * its id and k, so a change of membership or weights moves only what it must.
 */
export class Ring {
  readonly #points: Uint32Array;
  readonly #owners: Uint32Array;
  readonly #endpoints: readonly LiveEndpoint[];

  /** @param endpoints with positive weights */
  constructor(endpoints: readonly LiveEndpoint[]) {
    this.#endpoints = endpoints;
    const { length } = endpoints;
    const perEndpoint = Math.max(MIN_POINTS, Math.min(POINTS, Math.floor(MAX_TOTAL_POINTS / length)));
    let weights = 0;
    for (const { weight } of endpoints) weights += weight;
    const counts = endpoints.map(({ weight }) =>
      Math.max(1, Math.round((perEndpoint * weight * length) / weights)),
    );
    let total = 0;
    for (const count of counts) total += count;
    // Point and owner in one number sort as one native array: 32 bits of point above 20 bits of owner.
    const places = new Float64Array(total);
    let at = 0;
    endpoints.forEach(({ id }, owner) => {
      const seed = hash32(id);
      for (let k = 0; k < counts[owner]!; k++) {
        places[at++] = (mix(seed + Math.imul(k + 1, 0x9e3779b1)) >>> 0) * OWNER_RANGE + owner;
      }
    });
    places.sort();
    this.#points = new Uint32Array(total);
    this.#owners = new Uint32Array(total);
    for (let i = 0; i < total; i++) {
      const place = places[i]!;
      const point = Math.floor(place / OWNER_RANGE);
      this.#points[i] = point;
      this.#owners[i] = place - point * OWNER_RANGE;
    }
  }

  /** The first usable endpoint at or after the key's place that may take the request. */
  pick(key: string, filter: Filter): LiveEndpoint | null {
    const points = this.#points;
    if (points.length === 0) return null;
    const place = hash32(key);
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (points[middle]! < place) low = middle + 1;
      else high = middle;
    }
    for (let step = 0; step < points.length; step++) {
      const index = low + step;
      const owner = this.#owners[index < points.length ? index : index - points.length]!;
      const endpoint = this.#endpoints[owner]!;
      if (endpoint.usable && filter.takes(endpoint)) return endpoint;
    }
    return null;
  }
}

/** Points of an endpoint of average weight: shares stay within some 20 % of what the weights say. */
const POINTS = 256;
/** In pools of very many endpoints each has fewer. */
const MAX_TOTAL_POINTS = 65_536;
const MIN_POINTS = 4;
const OWNER_RANGE = 2 ** 20;
