import { type Clock, Reflector, type ReflectorOptions, type Transport } from '../../kubernetes/index.ts';
import type { Pool, Target } from '../config/snapshot.ts';
import { type NameResolver, SystemResolver } from '../pools/resolver.ts';
import { type AddressSource, NameSource, type ServiceSource, type SourceState } from '../pools/sources.ts';
import {
  addressesOf,
  ENDPOINT_SLICES,
  type EndpointSlice,
  type ServiceAddresses,
  serviceOf,
} from './slices.ts';
import type { Watch } from './watch-metrics.ts';

/** A namespace is followed for so long after its last use: a pool that is renamed must not start from nothing. */
const LINGER_MS = 60_000;
/** A pool waits for the first list no longer than this; see also the settle timeout of pools. */
const SETTLE_MS = 5_000;
/** For so long after that, what was reached by the Service's name may still leave because it had been only that. */
const SWITCH_MS = 10_000;
/** A watch that was lost is usually back in a moment. After this long it is worth telling. */
const TELL_AFTER_MS = 30_000;

export interface EndpointSlicesOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: ReflectorOptions['log'];
  readonly resolver?: NameResolver;
}

type ServiceTarget = Extract<Target, { kind: 'service' }>;

/** Of the names of Services: what cluster DNS servers say is valid for some 30 s. */
const DNS: Pool['dns'] = { minRefreshMs: 5_000, maxRefreshMs: 60_000, family: 'Any' };

/**
 * Follows the addresses of Services, with one watch for each namespace that a pool has a Service in. While the API
 * server is away, the last known addresses stay. A process that starts while it is away knows none: it reaches Services
 * by their names in the cluster's DNS until it does.
 */
export class EndpointSlices {
  readonly #options: EndpointSlicesOptions;
  readonly #namespaces = new Map<string, NamespaceWatch>();
  readonly #stopping = new Set<Promise<void>>();

  constructor(options: EndpointSlicesOptions) {
    this.#options = options;
  }

  /** How pools follow Services. */
  readonly source: ServiceSource = (target, changed) => {
    const { namespace } = target;
    let watch = this.#namespaces.get(namespace);
    if (watch === undefined) {
      watch = new NamespaceWatch(namespace, this.#options, () => this.#end(namespace));
      this.#namespaces.set(namespace, watch);
    }
    return watch.follow(target, changed);
  };

  /** For metrics. */
  watches(): readonly Watch[] {
    return [...this.#namespaces.values()];
  }

  /** Ends all watches; addresses stay as they are. */
  async stop(): Promise<void> {
    for (const namespace of [...this.#namespaces.keys()]) this.#end(namespace);
    await Promise.all(this.#stopping);
  }

  #end(namespace: string): void {
    const watch = this.#namespaces.get(namespace);
    if (watch === undefined) return;
    this.#namespaces.delete(namespace);
    const stopped = watch.stop().finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }
}

/** The slices of one namespace. */
class NamespaceWatch implements Watch {
  readonly name: string;
  readonly #namespace: string;
  readonly #clock: Clock;
  readonly #unused: () => void;
  readonly #reflector: Reflector<EndpointSlice>;
  readonly #startedAtMs: number;
  readonly #options: EndpointSlicesOptions;
  readonly #resolver: NameResolver;
  #synced = false;
  readonly #cancelSettling: () => void;
  /** Slices by Service, and the Service of each: a slice that is gone no longer says whose it was. */
  readonly #keys = new Map<string, Set<string>>();
  readonly #serviceOf = new Map<string, string>();
  readonly #followers = new Map<string, Set<Follower>>();
  #following = 0;
  /** Services whose slices changed in this turn of the event loop: one change each, however many slices. */
  readonly #dirty = new Set<string>();
  #flush: NodeJS.Immediate | null = null;
  #cancelLinger: (() => void) | null = null;

  constructor(namespace: string, options: EndpointSlicesOptions, unused: () => void) {
    this.name = `endpointslices ${namespace}`;
    this.#namespace = namespace;
    this.#options = options;
    this.#resolver = options.resolver ?? new SystemResolver();
    this.#clock = options.clock;
    this.#unused = unused;
    this.#startedAtMs = options.clock.now();
    this.#reflector = new Reflector<EndpointSlice>({
      ...options,
      type: ENDPOINT_SLICES,
      namespace,
      onChange: (key) => this.#changed(key),
    });
    this.#reflector.start();
    this.#cancelSettling = this.#clock.after(SETTLE_MS, () => {
      for (const follower of this.#all()) follower.useName();
    });
    void this.#reflector.synced.then(() => {
      this.#synced = true;
      this.#cancelSettling();
      for (const service of this.#followers.keys()) this.#mark(service);
    });
  }

  get nowMs(): number {
    return this.#clock.now();
  }

  get stalenessMs(): number {
    return this.#reflector.stalenessMs;
  }

  get failures(): number {
    return this.#reflector.counts.failures;
  }

  /** Whether the addresses are known, or have had time enough to be. */
  get settled(): boolean {
    return this.#synced || this.#clock.now() - this.#startedAtMs >= SETTLE_MS;
  }

  /** Why addresses are missing or may be out of date, in words. */
  get problem(): string | null {
    const { error } = this.#reflector;
    const because = error === null ? '' : `: ${error}`;
    if (!this.#synced) return `EndpointSlices in namespace ${this.#namespace} are not known yet${because}`;
    if (error === null || this.stalenessMs < TELL_AFTER_MS) return null;
    return `EndpointSlices in namespace ${this.#namespace} may have changed since${because}`;
  }

  follow(target: ServiceTarget, changed: () => void): AddressSource {
    const { name } = target;
    this.#cancelLinger?.();
    this.#cancelLinger = null;
    this.#following++;
    const follower = new Follower(this, target, changed, () => {
      const others = this.#followers.get(name);
      others?.delete(follower);
      if (others?.size === 0) this.#followers.delete(name);
      if (--this.#following === 0) this.#cancelLinger = this.#clock.after(LINGER_MS, this.#unused);
    });
    const followers = this.#followers.get(name) ?? new Set();
    this.#followers.set(name, followers.add(follower));
    if (this.#synced) follower.update(this.#slices(name));
    else if (this.settled) follower.useName();
    return follower;
  }

  /** Where the Service is by its name. */
  byName({ name, namespace, port, weight }: ServiceTarget, changed: () => void): AddressSource {
    const { clock, random } = this.#options;
    const target = { kind: 'fqdn', name: `${name}.${namespace}.svc`, port, weight } as const;
    const [resolved, failed] = [() => {}, () => {}];
    return new NameSource(target, DNS, {
      resolver: this.#resolver,
      clock,
      random,
      changed,
      resolved,
      failed,
    });
  }

  async stop(): Promise<void> {
    this.#cancelLinger?.();
    this.#cancelSettling();
    for (const follower of this.#all()) follower.freeze();
    if (this.#flush !== null) clearImmediate(this.#flush);
    await this.#reflector.stop();
  }

  #all(): Follower[] {
    return [...this.#followers.values()].flatMap((followers) => [...followers]);
  }

  #changed(key: string): void {
    const slice = this.#reflector.store.get(key);
    const before = this.#serviceOf.get(key);
    const after = slice === undefined ? null : serviceOf(slice);
    if (before !== undefined) {
      const keys = this.#keys.get(before);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(before);
      this.#serviceOf.delete(key);
      this.#mark(before);
    }
    if (after === null) return;
    this.#serviceOf.set(key, after);
    this.#keys.set(after, (this.#keys.get(after) ?? new Set()).add(key));
    this.#mark(after);
  }

  #mark(service: string): void {
    if (!this.#followers.has(service)) return;
    this.#dirty.add(service);
    this.#flush ??= setImmediate(() => {
      this.#flush = null;
      const dirty = [...this.#dirty];
      this.#dirty.clear();
      for (const name of dirty) {
        const slices = this.#slices(name);
        for (const follower of this.#followers.get(name) ?? []) {
          follower.update(slices);
          follower.changed();
        }
      }
    });
  }

  #slices(service: string): EndpointSlice[] {
    const { store } = this.#reflector;
    return [...(this.#keys.get(service) ?? [])].flatMap((key) => store.get(key) ?? []);
  }
}

/** One port of one Service, as a pool follows it. */
class Follower implements AddressSource {
  readonly changed: () => void;
  readonly #watch: NamespaceWatch;
  readonly #target: ServiceTarget;
  readonly #end: () => void;
  #found: ServiceAddresses = { addresses: [], resting: [], problem: null };
  /** In place of what is not known yet. */
  #name: AddressSource | null = null;
  #leftNameAtMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(watch: NamespaceWatch, target: ServiceTarget, changed: () => void, end: () => void) {
    this.#watch = watch;
    this.#target = target;
    this.changed = changed;
    this.#end = end;
  }

  get state(): SourceState {
    const { settled, problem } = this.#watch;
    if (this.#name === null) {
      const { addresses, resting } = this.#found;
      return { addresses, resting, problem: problem ?? this.#found.problem, settled };
    }
    const { state } = this.#name;
    const nor = state.problem === null ? '' : `: ${state.problem}`;
    return {
      addresses: state.addresses,
      problem: problem === null ? null : `${problem}; until then its name serves${nor}`,
      settled: settled && state.settled,
    };
  }

  /** An address that only stood for the Service leaves because better ones are known. */
  get drainsLeft(): boolean {
    return this.#name === null && this.#watch.nowMs - this.#leftNameAtMs >= SWITCH_MS;
  }

  update(slices: readonly EndpointSlice[]): void {
    const { namespace, name, portName } = this.#target;
    this.#found = addressesOf(`${namespace}/${name}`, slices, portName);
    if (this.#name === null) return;
    this.#name.stop();
    this.#name = null;
    this.#leftNameAtMs = this.#watch.nowMs;
  }

  useName(): void {
    this.#name ??= this.#watch.byName(this.#target, this.changed);
  }

  /** Nothing is looked up any more. */
  freeze(): void {
    this.#name?.stop();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.freeze();
    this.#end();
  }
}
