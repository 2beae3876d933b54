/**
 * Keeps a store in step with the API server: lists once, then watches from there on.
 *
 * The store is the truth. Handlers are told the key of what changed and look it up; nothing is queued here, so
 * memory does not grow with the number of changes. Whatever the server or the network does, the reflector goes on
 * trying: there is no error after which it is silently over.
 */
import { Backoff } from './backoff.ts';
import { type Clock, wait } from './clock.ts';
import { ApiError, KubernetesError, ProtocolError } from './errors.ts';
import { Listing } from './listing.ts';
import { compareResourceVersions, type KubernetesObject, keyOf } from './objects.ts';
import { inWords, type Selection } from './selection.ts';
import { type ReadonlyStore, Store } from './store.ts';
import type { Transport } from './transport.ts';
import { type WatchEvent, watch } from './watch.ts';

/** Servers end watches after about this long; each time a random part more, so that not all end together. */
const WATCH_SECONDS = 300;
/**
 * Servers send a bookmark about every minute. After this much silence the connection is taken for dead; should the
 * server merely have had nothing to say, resuming costs one request.
 */
const SILENCE_MS = 150_000;
/** A watch that lived this long was no failure. */
const LIVELY_MS = 5_000;
const BACKOFF = { minMs: 200, maxMs: 10_000 };
const MAX_RETRY_AFTER_MS = 60_000;
/** So many refusals of one resourceVersion mean that it will never be accepted. */
const MAX_REFUSALS = 5;

export interface ReflectorOptions extends Selection {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: ReflectorLog;
  /**
   * Called with the key of each object that is new, changed or gone, when the store shows it. What it throws is a
   * bug, and ends the process.
   */
  readonly onChange: (key: string) => void;
  /** A server without this type counts as one without such objects, until the type turns up. */
  readonly optional?: boolean;
  /** Keeps `metadata.managedFields`, which applying needs; `false` unless given. */
  readonly keepManagedFields?: boolean;
  readonly pageSize?: number;
  readonly maxPageBytes?: number;
  readonly maxEventBytes?: number;
}

export interface ReflectorLog {
  info(message: string): void;
  warn(message: string): void;
}

/** What has happened so far; each only ever grows. */
export interface ReflectorCounts {
  readonly lists: number;
  readonly watches: number;
  readonly events: number;
  readonly failures: number;
}

export class Reflector<T extends KubernetesObject> {
  readonly #options: ReflectorOptions;
  readonly #store = new Store<T>();
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  readonly #counts = { lists: 0, watches: 0, events: 0, failures: 0 };
  #running: Promise<void> | null = null;
  #listing: Listing<T> | null = null;
  /** From where to watch; `null` when only a list can tell. */
  #resourceVersion: string | null = null;
  #refusals = 0;
  #heardAtMs: number;
  #error: string | null = null;
  #isAbsenceTold = false;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#backoff = new Backoff(BACKOFF, options.random);
    this.#heardAtMs = options.clock.now();
  }

  get store(): ReadonlyStore<T> {
    return this.#store;
  }

  /** Resolves after the first complete list. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** How long the server has not been heard of: what is stored may be out of date by this much. */
  get stalenessMs(): number {
    return this.#options.clock.now() - this.#heardAtMs;
  }

  /** What is wrong now, in words; `null` while all is well. */
  get error(): string | null {
    return this.#error;
  }

  get counts(): ReflectorCounts {
    return this.#counts;
  }

  start(): void {
    if (this.#running !== null) throw new Error('A reflector is started once');
    // What it rejects with is our bug: nobody handles it here, so it ends the process.
    this.#running = this.#run();
  }

  /** Resolves when nothing runs any more. The store stays as it is. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let delayMs: number;
      try {
        if (this.#resourceVersion === null) await this.#list();
        delayMs = await this.#watch();
      } catch (error) {
        if (!(error instanceof KubernetesError)) throw error;
        if (signal.aborted) return;
        delayMs = this.#failed(error);
      }
      if (delayMs > 0) await wait(clock, delayMs, signal);
    }
  }

  async #list(): Promise<void> {
    const { transport, keepManagedFields = false } = this.#options;
    this.#listing ??= new Listing<T>(transport, this.#options, { ...this.#options, keepManagedFields });
    const listing = this.#listing;
    try {
      while (!(await listing.next(this.#stopping.signal))) this.#heard();
    } catch (error) {
      if (!isPassing(error)) this.#listing = null;
      if (this.#isAbsent(error)) {
        this.#heardAtMs = this.#options.clock.now();
        this.#synced.resolve();
      }
      throw error;
    }
    this.#listing = null;
    this.#heard();
    this.#counts.lists++;
    this.#resourceVersion = listing.resourceVersion;
    this.#refusals = 0;
    for (const key of this.#store.replace(listing.objects)) this.#tell(key);
    this.#synced.resolve();
  }

  /** @returns how long to wait before the next. */
  async #watch(): Promise<number> {
    const { transport, clock, random, keepManagedFields = false, maxEventBytes } = this.#options;
    const silence = new SilenceLimit(clock, this.#stopping.signal);
    let acceptedAtMs = Number.POSITIVE_INFINITY;
    let isLively = false;
    try {
      const events = watch<T>(transport, this.#options, {
        resourceVersion: this.#resourceVersion ?? '',
        timeoutSeconds: Math.round(WATCH_SECONDS * (1 + random())),
        keepManagedFields,
        ...(maxEventBytes !== undefined && { maxEventBytes }),
        signal: silence.signal,
        onHeard: () => {
          acceptedAtMs = Math.min(acceptedAtMs, clock.now());
          this.#heard();
          silence.heard();
        },
      });
      this.#counts.watches++;
      for await (const event of events) this.#take(event);
    } finally {
      silence.end();
      isLively = clock.now() - acceptedAtMs >= LIVELY_MS;
      if (isLively) this.#backoff.reset();
    }
    // The server ended the watch: at its time limit, or because it stops.
    return isLively ? 0 : this.#backoff.next();
  }

  #take(event: WatchEvent<T>): void {
    this.#counts.events++;
    this.#advance(event.resourceVersion);
    if (event.type === 'BOOKMARK') return;
    const { type, object } = event;
    const isNews = type === 'DELETED' ? this.#store.remove(object) : this.#store.put(object);
    if (isNews) this.#tell(keyOf(object));
  }

  /** Only ever moves forward. */
  #advance(resourceVersion: string): void {
    const known = this.#resourceVersion;
    const order = known === null ? 1 : (compareResourceVersions(resourceVersion, known) ?? 1);
    if (order <= 0) return;
    this.#resourceVersion = resourceVersion;
    this.#refusals = 0;
    this.#backoff.reset();
  }

  #tell(key: string): void {
    try {
      this.#options.onChange(key);
    } catch (error) {
      throw new Error(`A handler of changes failed for ${key}`, { cause: error });
    }
  }

  #heard(): void {
    this.#heardAtMs = this.#options.clock.now();
    if (this.#error === null) return;
    this.#error = null;
    this.#options.log.info(`${inWords('watch', this.#options)}: the server is back`);
  }

  /** @returns how long to wait. */
  #failed(error: KubernetesError): number {
    this.#counts.failures++;
    if (this.#isAbsent(error)) {
      if (!this.#isAbsenceTold) {
        this.#options.log.info(`${inWords('watch', this.#options)}: the server does not have this type yet`);
      }
      this.#isAbsenceTold = true;
    } else {
      if (error.message !== this.#error) this.#options.log.warn(error.message);
      this.#error = error.message;
    }
    if (this.#needsList(error)) this.#resourceVersion = null;
    const retryAfterMs = error instanceof ApiError ? error.retryAfterMs : 0;
    return this.#backoff.next(Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
  }

  /** Only for a store that is empty anyway: an answer that denies what was there is not believed. */
  #isAbsent(error: unknown): boolean {
    const { optional = false } = this.#options;
    return optional && this.#store.size === 0 && error instanceof ApiError && error.notFound;
  }

  /** Whether watching on from where we are has no prospect. A lost connection has. */
  #needsList(error: KubernetesError): boolean {
    // What could not be read would be sent again.
    if (error instanceof ProtocolError) return true;
    if (!(error instanceof ApiError)) return false;
    if (error.expired) return true;
    if (isAboutUs(error)) return false;
    this.#refusals++;
    return this.#refusals >= MAX_REFUSALS;
  }
}

/** The server refuses the caller, or the number of calls, not this request. */
function isAboutUs({ status }: ApiError): boolean {
  return status === 401 || status === 403 || status === 429;
}

/** Whether the same page may be had later. */
function isPassing(error: unknown): boolean {
  if (error instanceof ApiError) return isAboutUs(error) || error.status >= 500;
  return !(error instanceof ProtocolError);
}

/** Gives up a request after too long a silence, or when the caller stops. */
class SilenceLimit {
  readonly #clock: Clock;
  readonly #stopping: AbortSignal;
  readonly #controller = new AbortController();
  readonly #onStop = () => this.#controller.abort();
  #heardAtMs: number;
  #cancel: () => void = () => {};

  constructor(clock: Clock, stopping: AbortSignal) {
    this.#clock = clock;
    this.#stopping = stopping;
    this.#heardAtMs = clock.now();
    if (stopping.aborted) this.#controller.abort();
    stopping.addEventListener('abort', this.#onStop);
    this.#arm(SILENCE_MS);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Cheap: no timer is set anew. */
  heard(): void {
    this.#heardAtMs = this.#clock.now();
  }

  end(): void {
    this.#cancel();
    this.#stopping.removeEventListener('abort', this.#onStop);
  }

  #arm(delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => {
      const restMs = SILENCE_MS - (this.#clock.now() - this.#heardAtMs);
      if (restMs > 0) this.#arm(restMs);
      else this.#controller.abort();
    });
  }
}
