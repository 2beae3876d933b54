import type { Pool, Target } from '../config/snapshot.ts';
import type { Clock } from './clock.ts';
import { type NameResolver, ResolveError } from './resolver.ts';

/** What is known of the addresses behind a target. */
export interface SourceState {
  readonly addresses: readonly SourceAddress[];
  /** Those that are there and take nothing new for now: what is open to them goes on. */
  readonly resting?: readonly SourceAddress[];
  /** What went wrong last, in words; the addresses are then the last good ones. `null` when all is well. */
  readonly problem: string | null;
  /** Whether there was any answer yet, good or bad. */
  readonly settled: boolean;
}

export interface SourceAddress {
  readonly address: string;
  readonly port: number;
}

/** Follows the addresses behind one target. */
export interface AddressSource {
  readonly state: SourceState;
  /** Whether an address that leaves the source is to be drained: it was taken away, not merely unlisted. */
  readonly drainsLeft: boolean;
  stop(): void;
}

/** Starts to follow a Service; the state may be settled at once. */
export type ServiceSource = (
  target: Extract<Target, { kind: 'service' }>,
  changed: () => void,
) => AddressSource;

export function fixedSource({ address, port }: Extract<Target, { kind: 'ip' }>): AddressSource {
  return {
    state: { addresses: [{ address, port }], problem: null, settled: true },
    drainsLeft: true,
    stop: () => {},
  };
}

export interface NameSourceOptions {
  readonly resolver: NameResolver;
  readonly clock: Clock;
  readonly random: () => number;
  readonly changed: () => void;
  /** Told of each resolution. */
  readonly resolved: (success: boolean) => void;
  /** Told of each new problem. */
  readonly failed: (problem: string) => void;
}

/** Resolves a name again and again, as its TTL says within the pool's bounds. A failure keeps the last addresses. */
export class NameSource implements AddressSource {
  readonly drainsLeft = false;
  #state: SourceState = { addresses: [], problem: null, settled: false };
  readonly #target: Extract<Target, { kind: 'fqdn' }>;
  readonly #dns: Pool['dns'];
  readonly #options: NameSourceOptions;
  #cancel: (() => void) | null = null;
  #stopped = false;

  constructor(target: Extract<Target, { kind: 'fqdn' }>, dns: Pool['dns'], options: NameSourceOptions) {
    this.#target = target;
    this.#dns = dns;
    this.#options = options;
    void this.#resolve();
  }

  get state(): SourceState {
    return this.#state;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  async #resolve(): Promise<void> {
    const { name, port } = this.#target;
    const { minRefreshMs, maxRefreshMs, family } = this.#dns;
    const { resolver, clock, random, changed, resolved, failed } = this.#options;
    let refreshMs = minRefreshMs;
    let next: SourceState;
    try {
      const { addresses, ttlMs } = await resolver.resolve(name, family);
      next = { addresses: addresses.map((address) => ({ address, port })), problem: null, settled: true };
      refreshMs = Math.min(maxRefreshMs, Math.max(minRefreshMs, ttlMs ?? minRefreshMs));
    } catch (error) {
      if (!(error instanceof ResolveError)) throw error;
      next = { addresses: this.#state.addresses, problem: error.message, settled: true };
    }
    if (this.#stopped) return;
    const news = JSON.stringify(next) !== JSON.stringify(this.#state);
    if (next.problem !== null && next.problem !== this.#state.problem) failed(next.problem);
    this.#state = next;
    resolved(next.problem === null);
    // A little later than asked, so that not all pods ask at the same moment.
    this.#cancel = clock.after(refreshMs * (1 + random() / 10), () => void this.#resolve());
    if (news) changed();
  }
}
