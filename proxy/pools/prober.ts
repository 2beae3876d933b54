import type { Probe } from '../config/snapshot.ts';
import type { Clock } from './clock.ts';
import type { Endpoint } from './endpoint.ts';
import type { ProbeResult } from './probe.ts';

/** Does one probe; `probeEndpoint` but for tests. */
export type ProbeFunction = (endpoint: Endpoint, probe: Probe, signal: AbortSignal) => Promise<ProbeResult>;

/** At most so many probes are under way at a time, over all pools: the rest wait, or a large pool would be a flood. */
const MAX_CONCURRENT = 256;

/** Hands out the places of {@link MAX_CONCURRENT}, first come, first served. */
export class ProbeSlots {
  #free = MAX_CONCURRENT;
  readonly #waiting: (() => void)[] = [];

  take(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

export interface ProberOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly slots: ProbeSlots;
  readonly probe: ProbeFunction;
  readonly result: (result: ProbeResult, durationMs: number) => void;
}

/** Probes one endpoint, again and again. */
export class Prober {
  #endpoint: Endpoint;
  #probe: Probe;
  readonly #options: ProberOptions;
  #cancel: (() => void) | null = null;
  readonly #abort = new AbortController();

  /** @param atOnce whether the first probe is due now, or somewhen within the interval */
  constructor(endpoint: Endpoint, probe: Probe, atOnce: boolean, options: ProberOptions) {
    this.#endpoint = endpoint;
    this.#probe = probe;
    this.#options = options;
    if (atOnce) void this.#run();
    else this.#schedule(options.random());
  }

  /** From the next probe on. */
  configure(endpoint: Endpoint, probe: Probe): void {
    const sooner = probe.intervalMs < this.#probe.intervalMs;
    this.#endpoint = endpoint;
    this.#probe = probe;
    if (sooner && this.#cancel !== null) this.#schedule(this.#options.random());
  }

  stop(): void {
    this.#cancel?.();
    this.#abort.abort();
  }

  #schedule(intervals: number): void {
    this.#cancel?.();
    this.#cancel = this.#options.clock.after(this.#probe.intervalMs * intervals, () => {
      this.#cancel = null;
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    const { clock, random, slots, probe, result } = this.#options;
    const { signal } = this.#abort;
    await slots.take();
    let outcome: ProbeResult;
    const startMs = clock.now();
    try {
      if (signal.aborted) return;
      outcome = await probe(this.#endpoint, this.#probe, signal);
    } finally {
      slots.give();
    }
    if (signal.aborted) return;
    // Jitter of a tenth either way keeps endpoints and pods from probing in step.
    this.#schedule(0.9 + random() / 5);
    result(outcome, clock.now() - startMs);
  }
}
