import assert from 'node:assert';
import type { Drain, Pool } from '../config/snapshot.ts';
import type { RequestView } from '../http/request.ts';
import type { Counter, Family, Metrics } from '../telemetry/metrics.ts';
import type { Channel } from '../workers/channel.ts';
import { AffinityBindings } from './bindings.ts';
import { EndpointCounts } from './counts.ts';
import type { Endpoint, Outcome, Selection, Unavailable } from './endpoint.ts';
import { Filter } from './filter.ts';
import { affinityValues, isHandshake } from './handshake.ts';
import type { LiveEndpoint } from './live-endpoint.ts';
import { FAILING, FORGET, JOIN, type Join, MEMBERS, type Members, STATES, type States } from './messages.ts';
import { PoolTable } from './pool-table.ts';

/**
 * Told of each endpoint that is taken out of use. With a `drain` its target was removed: what is open there is to be
 * drained. With `null` only the address changed, or the way to connect: what is open stays, idle connections go.
 */
export type RemovedListener = (endpoint: Endpoint, drain: Drain | null) => void;

export interface PoolDirectoryOptions {
  readonly channel: Channel;
  readonly metrics: Metrics;
  /** For tests. */
  readonly random?: () => number;
  /** Seconds since the epoch; for tests. */
  readonly nowSeconds?: () => number;
}

/** The worker's half of pools: which endpoint a request goes to. */
export class PoolDirectory {
  readonly #channel: Channel;
  readonly #unavailable: Family<Counter>;
  readonly #random: () => number;
  readonly #nowSeconds: () => number;
  readonly #removedListeners: RemovedListener[] = [];
  readonly #tables = new Map<string, PoolTable>();
  /** Endpoints of pools that the configuration here does not have yet. */
  readonly #early = new Map<string, Members>();
  /** Configured before the main thread answered. */
  #pools: readonly Pool[] = [];
  #joined: Joined | null = null;

  constructor({ channel, metrics, random, nowSeconds }: PoolDirectoryOptions) {
    this.#channel = channel;
    this.#random = random ?? Math.random;
    this.#nowSeconds = nowSeconds ?? (() => Math.floor(Date.now() / 1000));
    this.#unavailable = metrics.counter(
      'sluice_pool_unavailable_total',
      'Requests for which a pool had no endpoint, by reason.',
      ['pool', 'reason'],
    );
    channel.on(JOIN, (join) => this.#join(join));
    channel.on(MEMBERS, (members) => this.#setMembers(members));
    channel.on(STATES, (states) => this.#setStates(states));
    channel.on(FORGET, ({ pool }) => this.#early.delete(pool));
  }

  /** Takes the pools of a new snapshot. Endpoints come from the main thread, before or after. */
  apply(pools: readonly Pool[]): void {
    this.#pools = pools;
    if (this.#joined === null) return;
    const ids = new Set(pools.map(({ id }) => id));
    for (const [id, table] of this.#tables) {
      if (ids.has(id)) continue;
      this.#tables.delete(id);
      table.remove();
    }
    for (const pool of pools) {
      const table = this.#tables.get(pool.id);
      if (table !== undefined) table.configure(pool);
      else this.#tables.set(pool.id, this.#createTable(pool, this.#joined));
    }
  }

  /**
   * The endpoint for a request. Synchronous, and changes nothing but whose turn it is: call {@link begin} when the
   * request or connection starts.
   * @param avoid endpoints that were tried already: used again only when there is no other
   */
  select(poolId: string, request: RequestView, avoid?: ReadonlySet<Endpoint>): Selection | Unavailable {
    const table = this.#tables.get(poolId);
    const selected = table === undefined ? this.#notYetKnown(poolId) : table.select(request, avoid);
    if (selected.endpoint === null) this.#unavailable.labels(poolId, selected.reason).add();
    return selected;
  }

  /** One request in flight, or one spliced connection, more at the endpoint. Exactly one {@link end} must follow. */
  begin(endpoint: Endpoint): void {
    const { counts, column } = this.#expectJoined();
    counts.add((endpoint as LiveEndpoint).row, column, 1);
  }

  end(endpoint: Endpoint): void {
    const { counts, column } = this.#expectJoined();
    const left = counts.add((endpoint as LiveEndpoint).row, column, -1);
    assert(left >= 0, `end without begin at ${endpoint.pool.id} ${endpoint.id}`);
  }

  /**
   * How an attempt went. Failures in a row, over all workers, eject the endpoint for a while. Report `success` when
   * the response's head arrived (or the connection was established, for streams) and is no `server_error`.
   */
  report(endpoint: Endpoint, outcome: Outcome): void {
    const { ejection } = endpoint.pool;
    if (ejection === null || endpoint.removed) return;
    const { counts } = this.#expectJoined();
    const { row } = endpoint as LiveEndpoint;
    if (outcome === 'success') {
      counts.clearFailures(row);
      return;
    }
    const failures = counts.addFailure(row);
    // Only the failure that reaches the threshold is news; if nothing came of it, the next multiple asks again.
    if (failures % ejection.consecutiveFailures !== 0) return;
    this.#channel.post(FAILING, { pool: endpoint.pool.id, id: endpoint.id, last: outcome });
  }

  onRemoved(listener: RemovedListener): void {
    this.#removedListeners.push(listener);
  }

  /**
   * Whether the answer to this request can name the value that later requests are kept together by: with affinity by
   * query, a SignalR negotiation or a socket.io handshake. If so, ask the backend for an uncoded answer (drop
   * `Accept-Encoding`), and hand the body to {@link learnFromBody} before its last byte goes to the client.
   */
  learns(poolId: string, request: RequestView): boolean {
    const affinity = this.#tables.get(poolId)?.pool.affinity;
    return affinity?.by === 'query' && isHandshake(request, affinity.name);
  }

  /** Binds the values that a handshake's answer gives out to the endpoint that gave it. Does nothing for other bodies. */
  learnFromBody(endpoint: Endpoint, body: string): void {
    const { affinity } = endpoint.pool;
    if (affinity?.by !== 'query') return;
    for (const value of affinityValues(body, affinity.name)) {
      this.learnAffinity(endpoint.pool.id, value, endpoint);
    }
  }

  /** All workers send requests with this value to the endpoint from now on, while it is usable. */
  learnAffinity(poolId: string, value: string, endpoint: Endpoint): void {
    this.#tables.get(poolId)?.bind(value, endpoint);
  }

  #join(join: Join): void {
    const counts = new EndpointCounts(join.counts, join.columns);
    this.#joined = {
      counts,
      column: join.column,
      filter: new Filter(counts),
      bindings: new AffinityBindings(join.bindings),
      affinityKey: join.affinityKey,
    };
    this.apply(this.#pools);
  }

  #createTable(pool: Pool, { filter, bindings, affinityKey }: Joined): PoolTable {
    const members = this.#early.get(pool.id) ?? { pool: pool.id, endpoints: [], drained: [], problem: null };
    this.#early.delete(pool.id);
    return new PoolTable(pool, members, {
      filter,
      bindings,
      affinityKey,
      random: this.#random,
      nowSeconds: this.#nowSeconds,
      onRemoved: (endpoint, drain) => {
        for (const listener of this.#removedListeners) listener(endpoint, drain);
      },
    });
  }

  #setMembers(members: Members): void {
    const table = this.#tables.get(members.pool);
    if (table === undefined) this.#early.set(members.pool, members);
    else table.update(members);
  }

  #setStates(states: States): void {
    const table = this.#tables.get(states.pool);
    if (table !== undefined) {
      table.setStates(states);
      return;
    }
    const early = this.#early.get(states.pool);
    if (early === undefined) return;
    const changed = new Map(states.changes.map(({ id, state }) => [id, state]));
    const endpoints = early.endpoints.map((record) => {
      const state = changed.get(record.id);
      return state === undefined ? record : { ...record, state };
    });
    this.#early.set(states.pool, { ...early, endpoints, problem: states.problem });
  }

  #notYetKnown(poolId: string): Unavailable {
    assert(
      this.#joined === null && this.#pools.some(({ id }) => id === poolId),
      `pool ${poolId} is not configured`,
    );
    return { endpoint: null, reason: 'no_addresses', description: `pool ${poolId} is starting` };
  }

  #expectJoined(): Joined {
    assert(this.#joined !== null, 'an endpoint without counts');
    return this.#joined;
  }
}

interface Joined {
  readonly counts: EndpointCounts;
  readonly column: number;
  readonly filter: Filter;
  readonly bindings: AffinityBindings;
  readonly affinityKey: Uint8Array;
}
