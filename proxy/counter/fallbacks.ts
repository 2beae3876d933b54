import type { ConnectionId, Demand, Fallback } from './counter.ts';

/**
 * Connections that were admitted while the count was unavailable, since their rules ask for that
 * (`failurePolicy: Local` or `Open`), and how many connections hold each key that has a local share.
 */
export class Fallbacks {
  /** How many of a key this process may have open by itself. */
  readonly #share: (key: string, maxCount: number) => number;
  readonly #uncounted = new Map<ConnectionId, readonly Demand[]>();
  /** Keys with a local share: all that is open here, however it was admitted. */
  readonly #counts = new Map<string, number>();
  /** What each connection holds of these. */
  readonly #held = new Map<ConnectionId, readonly string[]>();

  constructor(share: (key: string, maxCount: number) => number) {
    this.#share = share;
  }

  /** Connections that wait to be counted. */
  get size(): number {
    return this.#uncounted.size;
  }

  isUncounted(connection: ConnectionId): boolean {
    return this.#uncounted.has(connection);
  }

  /** A connection was admitted by the count. */
  hold(connection: ConnectionId, demands: readonly Demand[]): void {
    const keys = demands.filter(({ fallback }) => fallback === 'Local').map(({ key }) => key);
    if (keys.length === 0 || this.#held.has(connection)) return;
    const distinct = [...new Set(keys)];
    this.#held.set(connection, distinct);
    for (const key of distinct) this.#counts.set(key, this.#count(key) + 1);
  }

  /** Admits a connection without the count, if all of its enforced demands allow it. Returns by what. */
  admit(connection: ConnectionId, demands: readonly Demand[]): Fallback | null {
    let by: Fallback | null = null;
    for (const { key, maxCount, enforce, fallback } of demands) {
      if (!enforce) continue;
      if (fallback === undefined) return null;
      if (fallback === 'Local' && this.#count(key) >= this.#share(key, maxCount)) return null;
      if (by !== 'Open') by = fallback;
    }
    if (by === null) return null;
    this.hold(connection, demands);
    this.#uncounted.set(connection, demands);
    return by;
  }

  /** It is counted by now. */
  settle(connection: ConnectionId): boolean {
    return this.#uncounted.delete(connection);
  }

  /** It is closed. */
  release(connection: ConnectionId): void {
    this.#uncounted.delete(connection);
    for (const key of this.#held.get(connection) ?? []) {
      const count = this.#count(key) - 1;
      if (count > 0) this.#counts.set(key, count);
      else this.#counts.delete(key);
    }
    this.#held.delete(connection);
  }

  /** At most `limit` of those that wait to be counted, with their demands as they count: whatever the count is. */
  *waiting(limit: number): IterableIterator<[ConnectionId, Demand[]]> {
    let left = limit;
    for (const [connection, demands] of this.#uncounted) {
      if (left-- <= 0) return;
      yield [connection, demands.map(({ key, maxCount }) => ({ key, maxCount, enforce: false }))];
    }
  }

  #count(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}
