/**
 * Work by key, level-triggered: a key says that something about an object may have changed, never what. A key that
 * waits is not added twice, and no two workers ever have the same key.
 */
import assert from 'node:assert';
import { Backoff, type BackoffOptions } from './backoff.ts';
import type { Clock } from './clock.ts';
import { KubernetesError } from './errors.ts';

/** Trying again is of no use until something changes. */
export class TerminalError extends Error {}

export interface Outcome {
  /** Look at the key again after this long, even if nothing happens. */
  readonly requeueAfterMs?: number;
}

export interface Failure {
  readonly key: string;
  readonly error: KubernetesError | TerminalError;
  /** Failures in a row. */
  readonly attempts: number;
  /** `null` when only a change brings the key back. */
  readonly retryInMs: number | null;
}

export interface WorkQueueOptions {
  /**
   * Brings the world in line with what the key stands for. A `KubernetesError` is tried again with backoff, a
   * `TerminalError` is not; anything else is a bug, and ends the process.
   */
  readonly reconcile: (key: string) => Promise<Outcome | undefined>;
  readonly onFailure: (failure: Failure) => void;
  /** How many keys are worked on at once. */
  readonly concurrency: number;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly backoff?: BackoffOptions;
}

interface Delayed {
  readonly dueAtMs: number;
  readonly cancel: () => void;
}

const BACKOFF: BackoffOptions = { minMs: 200, maxMs: 300_000 };

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #backoffOptions: BackoffOptions;
  /** In the order in which they were added: whoever comes again stands at the end. */
  readonly #ready = new Set<string>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #running = new Set<string>();
  /** Keys that were added while they were worked on. */
  readonly #again = new Set<string>();
  readonly #failing = new Map<string, { readonly backoff: Backoff; failedAtMs: number }>();
  #state: 'holding' | 'working' | 'stopped' = 'holding';
  readonly #stopped = Promise.withResolvers<void>();

  constructor(options: WorkQueueOptions) {
    assert.ok(options.concurrency >= 1);
    this.#options = options;
    this.#backoffOptions = options.backoff ?? BACKOFF;
  }

  /** Keys that wait for a worker. */
  get depth(): number {
    return this.#ready.size + this.#again.size;
  }

  /** Keys that are worked on. */
  get active(): number {
    return this.#running.size;
  }

  /** Keys that failed last time. */
  get failing(): number {
    return this.#failing.size;
  }

  /**
   * Asks for a key to be looked at. A key that waits after a failure need not wait to the end, since what is wrong
   * may have been put right; but it waits the shortest backoff, so that a key that fails and changes all the time
   * does not take over.
   */
  add(key: string): void {
    if (this.#state === 'stopped' || this.#ready.has(key)) return;
    if (this.#running.has(key)) {
      this.#again.add(key);
      return;
    }
    const failing = this.#failing.get(key);
    const earliestMs = failing === undefined ? 0 : failing.failedAtMs + this.#backoffOptions.minMs;
    if (earliestMs > this.#options.clock.now()) this.#delayUntil(key, earliestMs);
    else this.#makeReady(key);
  }

  /** Starts work; keys that were added before have waited for it. */
  start(): void {
    assert.equal(this.#state, 'holding');
    this.#state = 'working';
    this.#dispatch();
  }

  /** Begins nothing more. Resolves when what was begun is done; what waited is forgotten. */
  stop(): Promise<void> {
    if (this.#state !== 'stopped') {
      this.#state = 'stopped';
      for (const { cancel } of this.#delayed.values()) cancel();
      this.#delayed.clear();
      this.#ready.clear();
      this.#again.clear();
      this.#failing.clear();
      this.#settle();
    }
    return this.#stopped.promise;
  }

  #makeReady(key: string): void {
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
    this.#ready.add(key);
    this.#dispatch();
  }

  /** The earlier of two times wins. */
  #delayUntil(key: string, dueAtMs: number): void {
    const known = this.#delayed.get(key);
    if (known !== undefined && known.dueAtMs <= dueAtMs) return;
    known?.cancel();
    const cancel = this.#options.clock.after(Math.max(0, dueAtMs - this.#options.clock.now()), () =>
      this.#makeReady(key),
    );
    this.#delayed.set(key, { dueAtMs, cancel });
  }

  #dispatch(): void {
    if (this.#state !== 'working') return;
    for (const key of this.#ready) {
      if (this.#running.size >= this.#options.concurrency) return;
      this.#ready.delete(key);
      assert.ok(!this.#running.has(key) && !this.#delayed.has(key));
      this.#running.add(key);
      // What it rejects with is our bug: nobody handles it, so it ends the process.
      void this.#work(key);
    }
  }

  async #work(key: string): Promise<void> {
    let nextInMs: number | null;
    try {
      const outcome = await this.#options.reconcile(key);
      this.#failing.delete(key);
      nextInMs = outcome?.requeueAfterMs ?? null;
    } catch (error) {
      if (!(error instanceof KubernetesError || error instanceof TerminalError)) throw error;
      nextInMs = this.#failed(key, error);
    }
    this.#running.delete(key);
    if (this.#state === 'stopped') {
      this.#settle();
      return;
    }
    if (nextInMs !== null) this.#delayUntil(key, this.#options.clock.now() + nextInMs);
    if (this.#again.delete(key)) this.add(key);
    this.#dispatch();
  }

  /** @returns when to try again. */
  #failed(key: string, error: KubernetesError | TerminalError): number | null {
    const { clock, random, onFailure } = this.#options;
    const backoff = this.#failing.get(key)?.backoff ?? new Backoff(this.#backoffOptions, random);
    this.#failing.set(key, { backoff, failedAtMs: clock.now() });
    const delayMs = backoff.next();
    const retryInMs = error instanceof TerminalError ? null : delayMs;
    onFailure({ key, error, attempts: backoff.attempts, retryInMs });
    return retryInMs;
  }

  #settle(): void {
    if (this.#running.size === 0) this.#stopped.resolve();
  }
}
