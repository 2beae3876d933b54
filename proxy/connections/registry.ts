/**
 * Every open client connection of a worker: what is shown on the admin page, and what is drained when a listener, a
 * backend or the whole pod goes.
 */
import type { Drain } from '../config/snapshot.ts';
import type { Endpoint } from '../pools/endpoint.ts';

export type ConnectionKind = 'http' | 'websocket' | 'event-stream' | 'tcp' | 'tls' | 'udp';

export type CloseReason = 'drain' | 'lifetime' | 'kicked' | 'shutdown';

/** One open connection. Its fields may change while it is open: an HTTP connection serves one rule after another. */
export interface ConnectionEntry {
  /** Unique within the worker. */
  readonly id: number;
  readonly kind: ConnectionKind;
  /** Port and name of its listener. */
  readonly port: number;
  readonly listener: string;
  readonly rule: string | null;
  readonly pool: string | null;
  readonly endpoint: Endpoint | null;
  readonly clientAddress: string;
  readonly userId: string | null;
  /** By the monotonic clock of the worker (`performance.now()`). */
  readonly openedAtMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /**
   * Ends the connection in the orderly way of its protocol, within a bounded time; harmless when repeated. The
   * entry leaves the registry when the client's socket is gone.
   */
  close(reason: CloseReason): void;
}

/** Clock, timers and randomness of a registry. */
export interface RegistryEnvironment {
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
  /** Uniform in [0, 1). */
  random(): number;
}

const REAL_ENVIRONMENT: RegistryEnvironment = {
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
  random: Math.random,
};

export class ConnectionRegistry {
  readonly #entries = new Set<ConnectionEntry>();
  readonly #drains = new Set<Draining>();
  readonly #environment: RegistryEnvironment;
  #whenEmpty: PromiseWithResolvers<void> | null = null;

  constructor(environment: RegistryEnvironment = REAL_ENVIRONMENT) {
    this.#environment = environment;
  }

  get size(): number {
    return this.#entries.size;
  }

  add(entry: ConnectionEntry): void {
    this.#entries.add(entry);
  }

  /** Harmless for an entry that is not there. */
  remove(entry: ConnectionEntry): void {
    if (!this.#entries.delete(entry)) return;
    for (const draining of this.#drains) draining.left(entry);
    if (this.#entries.size === 0 && this.#whenEmpty !== null) {
      this.#whenEmpty.resolve();
      this.#whenEmpty = null;
    }
  }

  /** At most `limit` of the entries that pass, oldest first. */
  list(limit: number, filter: (entry: ConnectionEntry) => boolean = () => true): ConnectionEntry[] {
    const found: ConnectionEntry[] = [];
    if (limit <= 0) return found;
    for (const entry of this.#entries) {
      if (!filter(entry)) continue;
      found.push(entry);
      if (found.length >= limit) break;
    }
    return found;
  }

  countsByKind(): Record<ConnectionKind, number> {
    const counts = { http: 0, websocket: 0, 'event-stream': 0, tcp: 0, tls: 0, udp: 0 };
    for (const { kind } of this.#entries) counts[kind]++;
    return counts;
  }

  /** Resolves once no connection is left; at once when there is none. */
  whenEmpty(): Promise<void> {
    if (this.#entries.size === 0) return Promise.resolve();
    this.#whenEmpty ??= Promise.withResolvers<void>();
    return this.#whenEmpty.promise;
  }

  /**
   * Lets the connections that pass now finish by themselves until the timeout, then closes those that are left, in
   * random order and evenly over the jitter window. Connections that are added later are not meant.
   * Resolves once all of them are gone.
   */
  drain(
    filter: (entry: ConnectionEntry) => boolean,
    { timeoutMs, jitterMs }: Drain,
    reason: CloseReason = 'drain',
  ): Promise<void> {
    const entries = new Set(this.list(Number.POSITIVE_INFINITY, filter));
    if (entries.size === 0) return Promise.resolve();
    const draining = new Draining(entries, timeoutMs, jitterMs, reason, this.#environment);
    this.#drains.add(draining);
    return draining.done.then(() => {
      this.#drains.delete(draining);
    });
  }

  /** Closes every connection now. */
  closeAll(reason: CloseReason): void {
    // A copy: closing may remove the entry at once.
    for (const entry of [...this.#entries]) entry.close(reason);
  }
}

class Draining {
  readonly done: Promise<void>;
  readonly #waiting: Set<ConnectionEntry>;
  readonly #jitterMs: number;
  readonly #reason: CloseReason;
  readonly #environment: RegistryEnvironment;
  readonly #resolve: () => void;
  #timer: unknown;
  #order: ConnectionEntry[] = [];

  constructor(
    waiting: Set<ConnectionEntry>,
    timeoutMs: number,
    jitterMs: number,
    reason: CloseReason,
    environment: RegistryEnvironment,
  ) {
    this.#waiting = waiting;
    this.#jitterMs = jitterMs;
    this.#reason = reason;
    this.#environment = environment;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#resolve = resolve;
    this.#timer = environment.setTimeout(() => this.#begin(), timeoutMs);
  }

  left(entry: ConnectionEntry): void {
    if (!this.#waiting.delete(entry) || this.#waiting.size > 0) return;
    this.#environment.clearTimeout(this.#timer);
    this.#resolve();
  }

  #begin(): void {
    this.#order = shuffled(this.#waiting, this.#environment.random);
    this.#next(0, 0);
  }

  /** Entry `index` is closed at a random moment of its own equal share of the window. One timer serves them all. */
  #next(index: number, nowMs: number): void {
    if (index >= this.#order.length) return;
    const share = this.#jitterMs / this.#order.length;
    const atMs = (index + this.#environment.random()) * share;
    this.#timer = this.#environment.setTimeout(() => {
      const entry = this.#order[index]!;
      // First, since the last entry's leaving clears the timer that is current then.
      this.#next(index + 1, atMs);
      if (this.#waiting.has(entry)) entry.close(this.#reason);
    }, atMs - nowMs);
  }
}

function shuffled<T>(items: Iterable<T>, random: () => number): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}
