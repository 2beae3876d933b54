import { hash64, hashLow, mix } from './hash.ts';

/**
 * Which endpoint a query value is bound to (a SignalR connection token, a socket.io session id), for all workers:
 * the connection that follows a negotiation may arrive at another worker before any message could, so the table
 * is in shared memory and a binding holds for everyone as soon as {@link AffinityBindings.bind} returns.
 *
 * Bounded: sets of eight entries, of which the one unused for longest is replaced. Entries die after an hour
 * without use. Lock-free, since a lock held by a crashed worker would stop the others: the key is stored
 * combined with the value it belongs to, so an entry torn between two writers matches no key.
 */
export class AffinityBindings {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #sets: number;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#sets = this.#words.length / (ENTRY_WORDS * WAYS);
  }

  /** @param capacity number of bindings, a power of two of at least eight */
  static create(capacity = 65_536): AffinityBindings {
    return new AffinityBindings(new SharedArrayBuffer(capacity * ENTRY_WORDS * 4));
  }

  /** @param nowSeconds of a clock that all threads share: seconds since the epoch */
  bind(poolId: string, value: string, endpoint: EndpointKey, nowSeconds: number): void {
    const high = hash64(value, seedOf(poolId));
    const low = hashLow;
    const words = this.#words;
    const set = this.#setOf(low);
    let at = set;
    for (let i = set; i < set + WAYS * ENTRY_WORDS; i += ENTRY_WORDS) {
      if (matches(words, i, high, low)) {
        at = i;
        break;
      }
      if (words[i + USED]! < words[at + USED]!) at = i;
    }
    const check = mix(endpoint.high ^ mix(endpoint.low));
    Atomics.store(words, at + VALUE_HIGH, endpoint.high);
    Atomics.store(words, at + VALUE_LOW, endpoint.low);
    Atomics.store(words, at + KEY_HIGH, high ^ check);
    Atomics.store(words, at + KEY_LOW, low ^ check);
    Atomics.store(words, at + USED, nowSeconds);
  }

  /** The endpoint that a value is bound to, and a use of the binding; `null` when there is none. */
  find(poolId: string, value: string, nowSeconds: number): EndpointKey | null {
    const high = hash64(value, seedOf(poolId));
    const low = hashLow;
    const words = this.#words;
    const set = this.#setOf(low);
    for (let i = set; i < set + WAYS * ENTRY_WORDS; i += ENTRY_WORDS) {
      if (!matches(words, i, high, low)) continue;
      const used = words[i + USED]!;
      const found = { high: words[i + VALUE_HIGH]!, low: words[i + VALUE_LOW]! };
      // Another thread may have replaced the entry between the two looks.
      if (!matches(words, i, high, low) || nowSeconds - used > BINDING_IDLE_SECONDS) return null;
      if (used !== nowSeconds) Atomics.store(words, i + USED, nowSeconds);
      return found;
    }
    return null;
  }

  #setOf(low: number): number {
    return ((low >>> 0) % this.#sets) * WAYS * ENTRY_WORDS;
  }
}

/** A hash that names an endpoint within its pool. */
export interface EndpointKey {
  readonly high: number;
  readonly low: number;
}

export function endpointKey(endpointId: string): EndpointKey {
  const high = hash64(endpointId, KEY_SEED);
  return { high, low: hashLow };
}

export const BINDING_IDLE_SECONDS = 3600;

const WAYS = 8;
const KEY_HIGH = 0;
const KEY_LOW = 1;
const VALUE_HIGH = 2;
const VALUE_LOW = 3;
const USED = 4;
const ENTRY_WORDS = 5;
const KEY_SEED = 0x51f15e;

function matches(words: Int32Array, at: number, high: number, low: number): boolean {
  const used = Atomics.load(words, at + USED);
  if (used === 0) return false;
  const check = mix(Atomics.load(words, at + VALUE_HIGH) ^ mix(Atomics.load(words, at + VALUE_LOW)));
  return Atomics.load(words, at + KEY_HIGH) === (high ^ check) && words[at + KEY_LOW] === (low ^ check);
}

let lastPoolId = '';
let lastSeed = 0;

/** Hashing a pool's id for every request would be waste: nearly always it is the same as the last one. */
function seedOf(poolId: string): number {
  if (poolId !== lastPoolId) {
    lastSeed = hash64(poolId);
    lastPoolId = poolId;
  }
  return lastSeed;
}
