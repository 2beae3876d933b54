import { type FetchedKeys, type FetchLimits, JwksFetchError } from './jwks-fetch.ts';

export interface JwksTimings extends FetchLimits {
  /** Bounds for what `Cache-Control` asks, and what holds when it says nothing. */
  readonly minFreshMs: number;
  readonly maxFreshMs: number;
  readonly defaultFreshMs: number;
  /** The first wait after a failed fetch; doubles up to the maximum. */
  readonly retryMs: number;
  readonly maxRetryMs: number;
  /** Between two fetches that tokens with an unknown key asked for, over all workers. */
  readonly cooldownMs: number;
  /** How long keys stay in use after the last good fetch when no further one succeeds. */
  readonly maxStaleMs: number;
}

export const JWKS_TIMINGS: JwksTimings = {
  timeoutMs: 5_000,
  maxBytes: 1_048_576,
  maxRedirects: 3,
  minFreshMs: 60_000,
  maxFreshMs: 3_600_000,
  defaultFreshMs: 600_000,
  retryMs: 1_000,
  maxRetryMs: 60_000,
  cooldownMs: 30_000,
  maxStaleMs: 24 * 3_600_000,
};

/** How the keys of one URI are, for the admin page. */
export interface JwksStatus {
  readonly uri: string;
  readonly keys: number;
  /** Milliseconds since the last good fetch; `null` when there was none. */
  readonly ageMs: number | null;
  /** Why the last fetch failed; `null` when it did not. */
  readonly problem: string | null;
}

export interface KeySetEvents {
  fetch(): Promise<FetchedKeys>;
  /** The keys are others than before; `null` when there are none any more. */
  changed(json: string | null): void;
  fetched(keyCount: number): void;
  failed(problem: string): void;
  /** The last good keys passed `maxStaleMs`. */
  expired(): void;
}

/** Keys are fetched again when this much of their time is over. */
const REFRESH_AT = 0.8;
/** Spreads the fetches of many gateways. */
const JITTER = 0.1;

/** The keys of one JWKS URI: one fetch at a time, the next one scheduled by how the last one went. */
export class KeySet {
  readonly uri: string;
  readonly #timings: JwksTimings;
  readonly #events: KeySetEvents;
  #json: string | null = null;
  #keyCount = 0;
  #fetchedAtMs: number | undefined;
  #attemptedAtMs = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #problem: string | null = null;
  #inFlight: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(uri: string, timings: JwksTimings, events: KeySetEvents) {
    this.uri = uri;
    this.#timings = timings;
    this.#events = events;
  }

  /** `null` when there are none. */
  get json(): string | null {
    return this.#json;
  }

  start(): void {
    this.#fetch();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /**
   * Fetches now, unless that was done a short while ago.
   * @returns milliseconds until a further refresh can have an effect
   */
  async refresh(): Promise<number> {
    if (this.#inFlight === undefined && this.#cooldownMs() > 0) return this.#cooldownMs();
    await this.#fetch();
    return this.#cooldownMs();
  }

  status(): JwksStatus {
    const ageMs = this.#fetchedAtMs === undefined ? null : performance.now() - this.#fetchedAtMs;
    return { uri: this.uri, keys: this.#keyCount, ageMs, problem: this.#problem };
  }

  /** Without keys the schedule of retries is the limit: whoever asks then waits for the next one. */
  #cooldownMs(): number {
    const waitMs = this.#json === null ? this.#retryMs() : this.#timings.cooldownMs;
    return Math.max(0, this.#attemptedAtMs + waitMs - performance.now());
  }

  #retryMs(): number {
    const { retryMs, maxRetryMs } = this.#timings;
    return Math.min(maxRetryMs, retryMs * 2 ** Math.max(0, this.#failures - 1));
  }

  #fetch(): Promise<void> {
    clearTimeout(this.#timer);
    this.#inFlight ??= this.#attempt().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  }

  async #attempt(): Promise<void> {
    this.#attemptedAtMs = performance.now();
    let delayMs: number;
    try {
      const fetched = await this.#events.fetch();
      if (this.#stopped) return;
      this.#accept(fetched);
      delayMs = this.#freshMs(fetched) * REFRESH_AT;
    } catch (error) {
      if (!(error instanceof JwksFetchError)) throw error;
      if (this.#stopped) return;
      this.#fail(error.message);
      delayMs = this.#retryMs();
    }
    this.#timer = setTimeout(() => void this.#fetch(), delayMs * (1 - Math.random() * JITTER)).unref();
  }

  #accept({ json, keyCount }: FetchedKeys): void {
    this.#failures = 0;
    this.#problem = null;
    this.#fetchedAtMs = performance.now();
    this.#keyCount = keyCount;
    this.#events.fetched(keyCount);
    if (json === this.#json) return;
    this.#json = json;
    this.#events.changed(json);
  }

  #fail(problem: string): void {
    this.#failures++;
    this.#problem = problem;
    this.#events.failed(problem);
    const staleMs = performance.now() - (this.#fetchedAtMs ?? 0);
    if (this.#json === null || staleMs < this.#timings.maxStaleMs) return;
    this.#json = null;
    this.#keyCount = 0;
    this.#events.expired();
    this.#events.changed(null);
  }

  #freshMs({ freshForMs }: FetchedKeys): number {
    const { minFreshMs, maxFreshMs, defaultFreshMs } = this.#timings;
    return Math.min(maxFreshMs, Math.max(minFreshMs, freshForMs ?? defaultFreshMs));
  }
}
