import type { Clock } from './clock.ts';
import { type EndpointCounts, MAX_ENDPOINTS } from './counts.ts';

/** A freed row waits this long, since a worker may still use it until it has heard that the endpoint is gone. */
const QUARANTINE_MS = 60_000;

/** Gives each endpoint its row in the shared counts. */
export class Rows {
  readonly #counts: EndpointCounts;
  readonly #clock: Clock;
  #used = 0;
  /** In the order they were freed. */
  readonly #freed: { readonly row: number; readonly atMs: number }[] = [];

  constructor(counts: EndpointCounts, clock: Clock) {
    this.#counts = counts;
    this.#clock = clock;
  }

  /** Rows that were ever in use are below this. */
  get used(): number {
    return this.#used;
  }

  /** @returns `null` when all are taken. */
  take(): number | null {
    const row = this.#takeFreed();
    if (row !== null) return row;
    return this.#used < MAX_ENDPOINTS ? this.#used++ : null;
  }

  free(row: number): void {
    this.#freed.push({ row, atMs: this.#clock.now() });
  }

  #takeFreed(): number | null {
    const oldest = this.#clock.now() - QUARANTINE_MS;
    for (let i = 0; i < this.#freed.length; i++) {
      const { row, atMs } = this.#freed[i]!;
      if (atMs > oldest) break;
      // What is still open on it, if only a long WebSocket, would count for the next one.
      if (this.#counts.open(row) !== 0) continue;
      this.#freed.splice(i, 1);
      this.#counts.clearRow(row);
      return row;
    }
    return null;
  }
}
