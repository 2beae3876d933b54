import type { Duplex } from 'node:stream';
import type { Clock } from '../http/clock.ts';
import { Splice, type SpliceOptions } from './splice.ts';

/** All splices of a worker: they share one clock tick. */
export class Splicer {
  readonly clock: Clock;
  readonly #splices = new Set<Splice>();
  #stopTicks: (() => void) | null = null;
  /** As of the last tick: precise enough for timeouts of seconds. */
  nowMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.nowMs = clock.now();
  }

  get size(): number {
    return this.#splices.size;
  }

  /** Both sockets must be rid of other handlers of their data, and are the splice's from here on. */
  splice(client: Duplex, upstream: Duplex, options: SpliceOptions): Splice {
    if (this.#stopTicks === null) {
      this.nowMs = this.clock.now();
      this.#stopTicks = this.clock.everyTick((nowMs) => this.#tick(nowMs));
    }
    const splice = new Splice(this, client, upstream, options);
    this.#splices.add(splice);
    splice.start(options.clientHead, options.upstreamHead);
    return splice;
  }

  /** For the splice itself, once both sockets are gone. */
  forget(splice: Splice): void {
    this.#splices.delete(splice);
    if (this.#splices.size === 0) {
      this.#stopTicks?.();
      this.#stopTicks = null;
    }
  }

  #tick(nowMs: number): void {
    this.nowMs = nowMs;
    for (const splice of this.#splices) {
      if (nowMs >= splice.deadlineMs) splice.check(nowMs);
    }
  }
}
