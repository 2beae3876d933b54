import type { Drain, Pool } from '../config/snapshot.ts';
import type { RequestView } from '../http/request.ts';
import { cookieOf, endpointTag, hashKeyOf, queryValue, setCookieValue } from './affinity.ts';
import { type AffinityBindings, endpointKey } from './bindings.ts';
import type { Endpoint, Selection, Unavailable } from './endpoint.ts';
import type { Filter } from './filter.ts';
import { LiveEndpoint } from './live-endpoint.ts';
import type { EndpointRecord, Members, States } from './messages.ts';
import { createPolicy, type Policy } from './policies.ts';
import { Ring } from './ring.ts';
import { tlsFingerprint } from './tls.ts';
import { VirtualTime } from './turns.ts';

/** What a table needs of its directory. */
export interface PoolTableContext {
  readonly filter: Filter;
  readonly affinityKey: Uint8Array;
  readonly bindings: AffinityBindings;
  readonly random: () => number;
  readonly nowSeconds: () => number;
  /** `drain` is `null` where connections to the endpoint may stay. */
  readonly onRemoved: (endpoint: Endpoint, drain: Drain | null) => void;
}

/** One pool in one worker: its endpoints, and how a request is given to one of them. */
export class PoolTable {
  #pool: Pool;
  #connecting: string;
  #problem: string | null = null;
  readonly #context: PoolTableContext;
  #endpoints = new Map<string, LiveEndpoint>();
  readonly #time = new VirtualTime();
  // Derived from the endpoints; made by the first request that needs it after a change.
  #choice: Choice | null = null;
  #ring: Ring | null = null;
  #byTag: Map<string, LiveEndpoint> | null = null;
  #byKey: Map<number, LiveEndpoint[]> | null = null;

  constructor(pool: Pool, members: Members, context: PoolTableContext) {
    this.#pool = pool;
    this.#connecting = connectionSettings(pool);
    this.#context = context;
    this.update(members);
  }

  get pool(): Pool {
    return this.#pool;
  }

  /**
   * Takes the pool's new settings. Endpoints stay, unless they are to be connected to in another way: then new ones
   * take their places, and what is open on the old ones goes on.
   */
  configure(pool: Pool): void {
    const connecting = connectionSettings(pool);
    const replace = connecting !== this.#connecting;
    this.#pool = pool;
    this.#connecting = connecting;
    for (const endpoint of [...this.#endpoints.values()]) {
      if (replace) this.#replace(endpoint, endpoint);
      else endpoint.pool = pool;
    }
    this.#forgetDerived();
  }

  update({ endpoints, drained, problem }: Members): void {
    this.#problem = problem;
    const ids = new Set(endpoints.map(({ id }) => id));
    const drainedIds = new Set(drained);
    for (const endpoint of [...this.#endpoints.values()]) {
      if (ids.has(endpoint.id)) continue;
      this.#endpoints.delete(endpoint.id);
      this.#retire(endpoint, drainedIds.has(endpoint.id) ? this.#pool.drain : null);
    }
    for (const record of endpoints) {
      const endpoint = this.#endpoints.get(record.id);
      if (endpoint === undefined) {
        this.#endpoints.set(record.id, new LiveEndpoint(this.#pool, record));
      } else if (endpoint.hostname !== record.hostname || endpoint.row !== record.row) {
        this.#replace(endpoint, record);
      } else {
        endpoint.weight = record.weight;
        endpoint.state = record.state;
      }
    }
    this.#forgetDerived();
  }

  setStates({ changes, problem }: States): void {
    this.#problem = problem;
    for (const { id, state } of changes) {
      const endpoint = this.#endpoints.get(id);
      if (endpoint !== undefined) endpoint.state = state;
    }
    this.#choice = null;
  }

  /** The pool left the configuration. */
  remove(): void {
    for (const endpoint of this.#endpoints.values()) this.#retire(endpoint, this.#pool.drain);
    this.#endpoints.clear();
    this.#forgetDerived();
  }

  endpoints(): IterableIterator<LiveEndpoint> {
    return this.#endpoints.values();
  }

  /**
   * Affinity first, then the policy. Endpoints to avoid, and full ones, are passed over; when nothing but avoided
   * ones is left, one of those is better than none.
   */
  select(request: RequestView, avoid: ReadonlySet<Endpoint> | undefined): Selection | Unavailable {
    const pool = this.#pool;
    const { filter } = this.#context;
    this.#choice ??= this.#choose();
    filter.set(avoid, pool.connections.maxPerTarget);
    const selection = this.#selectBy(request, filter);
    if (selection !== null) return selection;
    if (avoid === undefined || avoid.size === 0) return this.#unavailable();
    filter.set(undefined, pool.connections.maxPerTarget);
    return this.#selectBy(request, filter) ?? this.#unavailable();
  }

  /** Remembers that a query value (an `id` that a backend gave out) belongs to an endpoint. */
  bind(value: string, endpoint: Endpoint): void {
    const { bindings, nowSeconds } = this.#context;
    bindings.bind(this.#pool.id, value, endpointKey(endpoint.id), nowSeconds());
  }

  #selectBy(request: RequestView, filter: Filter): Selection | null {
    const { affinity } = this.#pool;
    if (affinity === null) {
      const endpoint = this.#pick(request, filter);
      return endpoint === null ? null : endpoint.selection;
    }
    if (affinity.by === 'query') {
      const value = queryValue(request.query, affinity.name);
      const endpoint = value === null ? this.#pick(request, filter) : this.#boundTo(value, filter);
      return endpoint === null ? null : endpoint.selection;
    }
    const tag = cookieOf(request, affinity.name);
    const known = tag === null ? undefined : this.#tags().get(tag);
    if (known?.usable && filter.takes(known)) return known.selection;
    const endpoint = this.#pick(request, filter);
    if (endpoint === null) return null;
    return { endpoint, setCookie: setCookieValue(affinity, this.#tagOf(endpoint), request) };
  }

  /**
   * The endpoint that gave the value out, where that is known. Else every worker and pod goes by the same hash, so
   * that requests with one value still meet at one endpoint.
   */
  #boundTo(value: string, filter: Filter): LiveEndpoint | null {
    const { bindings, nowSeconds } = this.#context;
    const found = bindings.find(this.#pool.id, value, nowSeconds());
    if (found !== null) {
      for (const endpoint of this.#keys().get(found.high) ?? []) {
        if (endpointKey(endpoint.id).low !== found.low) continue;
        if (endpoint.usable && filter.takes(endpoint)) return endpoint;
      }
    }
    return this.#hashed(value, filter);
  }

  #pick(request: RequestView, filter: Filter): LiveEndpoint | null {
    const { loadBalancing } = this.#pool;
    if (loadBalancing.policy === 'ConsistentHash') {
      const key = hashKeyOf(loadBalancing.key, request);
      if (key !== null) return this.#hashed(key, filter);
    }
    return this.#choice!.policy.pick(filter);
  }

  #hashed(key: string, filter: Filter): LiveEndpoint | null {
    this.#ring ??= new Ring([...this.#endpoints.values()].filter(({ weight }) => weight > 0));
    return this.#ring.pick(key, filter);
  }

  #choose(): Choice {
    const endpoints = [...this.#endpoints.values()];
    let usable = endpoints.filter(({ state }) => state === 'healthy');
    // Before the first probe's answer a pool would else be down at every start.
    if (!usable.some(({ weight }) => weight > 0)) {
      usable = usable.concat(endpoints.filter(({ state }) => state === 'untested'));
    }
    for (const endpoint of endpoints) endpoint.usable = false;
    for (const endpoint of usable) endpoint.usable = true;
    const weighted = usable.filter(({ weight }) => weight > 0);
    const { policy } = this.#pool.loadBalancing;
    // A request without the key of a consistent hash can go anywhere.
    const name = policy === 'ConsistentHash' ? 'RoundRobin' : policy;
    return {
      policy: createPolicy(name, weighted, this.#time, this.#context.random),
      size: weighted.length,
    };
  }

  #unavailable(): Unavailable {
    const pool = this.#pool;
    const because = this.#problem === null ? '' : `: ${this.#problem}`;
    const total = this.#endpoints.size;
    if (pool.targets.length === 0) {
      return { endpoint: null, reason: 'no_targets', description: `pool ${pool.id} has no targets` };
    }
    if (pool.targets.every(({ weight }) => weight === 0)) {
      const description = `all targets of pool ${pool.id} have weight 0`;
      return { endpoint: null, reason: 'no_targets', description };
    }
    if (total === 0) {
      return {
        endpoint: null,
        reason: 'no_addresses',
        description: `pool ${pool.id} has no addresses${because}`,
      };
    }
    const usable = this.#choice?.size ?? 0;
    if (usable > 0) {
      const description = `pool ${pool.id}: all ${usable} usable endpoints have ${pool.connections.maxPerTarget} requests or connections open`;
      return { endpoint: null, reason: 'all_targets_full', description };
    }
    const description = `pool ${pool.id}: none of ${total} endpoints is healthy${because}`;
    return { endpoint: null, reason: 'no_healthy_target', description };
  }

  #tags(): Map<string, LiveEndpoint> {
    if (this.#byTag === null) {
      this.#byTag = new Map();
      for (const endpoint of this.#endpoints.values()) this.#byTag.set(this.#tagOf(endpoint), endpoint);
    }
    return this.#byTag;
  }

  #tagOf(endpoint: LiveEndpoint): string {
    endpoint.tag ??= endpointTag(this.#context.affinityKey, this.#pool.id, endpoint.id);
    return endpoint.tag;
  }

  #keys(): Map<number, LiveEndpoint[]> {
    if (this.#byKey === null) {
      this.#byKey = new Map();
      for (const endpoint of this.#endpoints.values()) {
        const { high } = endpointKey(endpoint.id);
        const same = this.#byKey.get(high);
        if (same === undefined) this.#byKey.set(high, [endpoint]);
        else same.push(endpoint);
      }
    }
    return this.#byKey;
  }

  #replace(old: LiveEndpoint, record: EndpointRecord): void {
    this.#endpoints.set(record.id, new LiveEndpoint(this.#pool, record));
    this.#retire(old, null);
  }

  #retire(endpoint: LiveEndpoint, drain: Drain | null): void {
    endpoint.removed = true;
    endpoint.usable = false;
    this.#context.onRemoved(endpoint, drain);
  }

  #forgetDerived(): void {
    this.#choice = null;
    this.#ring = null;
    this.#byTag = null;
    this.#byKey = null;
  }
}

/** What the policy chooses from. */
interface Choice {
  readonly policy: Policy;
  readonly size: number;
}

/** Equal while a connection opened before is as good as one opened now. */
function connectionSettings(pool: Pool): string {
  return `${pool.protocol} ${tlsFingerprint(pool.tls)}`;
}
