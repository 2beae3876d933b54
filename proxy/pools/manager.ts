import assert from 'node:assert';
import { availableParallelism } from 'node:os';
import type { Pool } from '../config/snapshot.ts';
import type { Family, Gauge, Metrics } from '../telemetry/metrics.ts';
import type { Topic, WorkerChannel } from '../workers/channel.ts';
import { AffinityBindings } from './bindings.ts';
import { type Clock, systemClock } from './clock.ts';
import { EndpointCounts } from './counts.ts';
import type { KeeperContext, PoolLog } from './keeper-context.ts';
import { localServices } from './local-services.ts';
import { type EndpointState, FAILING, FORGET, JOIN, MEMBERS, STATES } from './messages.ts';
import { PoolKeeper } from './pool-keeper.ts';
import { probeEndpoint } from './probe.ts';
import { type ProbeFunction, ProbeSlots } from './prober.ts';
import { type NameResolver, SystemResolver } from './resolver.ts';
import { Rows } from './rows.ts';
import type { ServiceSource } from './sources.ts';
import type { PoolStatus, PoolSummary } from './status.ts';

export interface PoolManagerOptions {
  readonly metrics: Metrics;
  readonly log?: PoolLog;
  /**
   * Keys the values of affinity cookies: whoever has it can tell which address a cookie stands for. Cookies stay good
   * over restarts and pods while the key is the same.
   */
  readonly affinityKey: Uint8Array;
  /** Worker threads at a time, those that are being replaced included. Default: four per core, at least 16. */
  readonly maxWorkers?: number;
  readonly resolver?: NameResolver;
  /** Default: none is known. */
  readonly services?: ServiceSource;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly probe?: ProbeFunction;
  /** Default: 5 s. */
  readonly settleTimeoutMs?: number;
}

/** The main thread's half of pools: addresses, probes and ejections, published to the workers. */
export class PoolManager {
  readonly #keepers = new Map<string, PoolKeeper>();
  readonly #workers = new Map<number, { readonly channel: WorkerChannel; readonly column: number }>();
  readonly #freeColumns: number[];
  readonly #counts: EndpointCounts;
  readonly #bindings = AffinityBindings.create();
  readonly #affinityKey: Uint8Array;
  readonly #rows: Rows;
  readonly #context: KeeperContext;
  readonly #endpoints: Family<Gauge>;
  readonly #dirty = new Set<PoolKeeper>();
  #flush: NodeJS.Immediate | null = null;

  constructor(options: PoolManagerOptions) {
    const { metrics, clock = systemClock, random = Math.random } = options;
    const columns = options.maxWorkers ?? Math.max(16, 4 * availableParallelism());
    this.#counts = EndpointCounts.create(columns);
    this.#freeColumns = Array.from({ length: columns }, (_, column) => column);
    this.#affinityKey = options.affinityKey;
    this.#rows = new Rows(this.#counts, clock);
    this.#endpoints = metrics.gauge('sluice_pool_endpoints', 'Endpoints of a pool, by state.', [
      'pool',
      'state',
    ]);
    this.#context = {
      clock,
      random,
      resolver: options.resolver ?? new SystemResolver(),
      services: options.services ?? localServices(new Map()),
      probe: options.probe ?? probeEndpoint,
      slots: new ProbeSlots(),
      rows: this.#rows,
      counts: this.#counts,
      log: options.log ?? SILENT,
      settleTimeoutMs: options.settleTimeoutMs ?? 5000,
      publishMembers: (members) => {
        this.#broadcast(MEMBERS, members);
        this.#gauge(members.pool);
      },
      stateChanged: ({ pool }) => this.#stateChanged(pool.id),
      probes: metrics.counter('sluice_pool_probes_total', 'Probes by result.', ['pool', 'result']),
      probeDurations: metrics.histogram('sluice_pool_probe_duration_seconds', 'How long probes took.', [
        'pool',
      ]),
      ejections: metrics.counter('sluice_pool_ejections_total', 'Endpoints ejected for failing requests.', [
        'pool',
      ]),
      resolutions: metrics.counter('sluice_pool_resolutions_total', 'Name resolutions by result.', [
        'pool',
        'result',
      ]),
    };
  }

  /**
   * Takes the pools of a new snapshot. What is known of endpoints that stay is kept. Await it before the workers get
   * the snapshot: then endpoints of addresses that were never asked for before are there when requests are. It waits
   * for the first answer to each name, good or bad, and never longer than the settle timeout. Never rejects.
   */
  async apply(pools: readonly Pool[]): Promise<void> {
    const ids = new Set(pools.map(({ id }) => id));
    for (const [id, keeper] of this.#keepers) {
      if (ids.has(id)) continue;
      keeper.stop();
      this.#keepers.delete(id);
      this.#dirty.delete(keeper);
      this.#broadcast(FORGET, { pool: id });
      for (const state of STATE_NAMES) this.#endpoints.remove(id, state);
    }
    for (const pool of pools) {
      const keeper = this.#keepers.get(pool.id) ?? new PoolKeeper(pool, this.#context);
      this.#keepers.set(pool.id, keeper);
      keeper.configure(pool);
    }
    await Promise.all([...this.#keepers.values()].map((keeper) => keeper.settled()));
  }

  /** Gives a new worker the whole state; later changes follow. */
  addWorker(channel: WorkerChannel): void {
    assert(this.#freeColumns.length > 0, `more than ${this.#counts.columns} workers`);
    // The lowest, so that sums stay short.
    const column = Math.min(...this.#freeColumns);
    this.#freeColumns.splice(this.#freeColumns.indexOf(column), 1);
    this.#counts.useColumn(column);
    this.#workers.set(channel.workerId, { channel, column });
    channel.on(FAILING, ({ pool, id, last }) => this.#keepers.get(pool)?.failing(id, last));
    channel.post(JOIN, {
      counts: this.#counts.buffer,
      columns: this.#counts.columns,
      column,
      bindings: this.#bindings.buffer,
      affinityKey: this.#affinityKey,
    });
    for (const keeper of this.#keepers.values()) channel.post(MEMBERS, keeper.members());
  }

  /** Call it once the thread has ended: what it had open counts no longer. */
  removeWorker(workerId: number): void {
    const worker = this.#workers.get(workerId);
    assert(worker !== undefined, `worker ${workerId} is not there`);
    this.#workers.delete(workerId);
    this.#counts.clearColumn(worker.column, this.#rows.used);
    this.#freeColumns.push(worker.column);
  }

  /** Sorted by id. */
  status(): PoolStatus[] {
    return [...this.#keepers.values()]
      .map((keeper) => keeper.status())
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Sorted by id. Cheap, for those who ask often. */
  summaries(): PoolSummary[] {
    return [...this.#keepers.values()]
      .map((keeper) => keeper.summary())
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  stop(): void {
    for (const keeper of this.#keepers.values()) keeper.stop();
    if (this.#flush !== null) clearImmediate(this.#flush);
  }

  /** States that change in one turn of the event loop are one message a pool. */
  #stateChanged(poolId: string): void {
    const keeper = this.#keepers.get(poolId);
    if (keeper === undefined) return;
    this.#dirty.add(keeper);
    this.#flush ??= setImmediate(() => {
      this.#flush = null;
      for (const changed of this.#dirty) {
        const states = changed.takeStates();
        if (states !== null) this.#broadcast(STATES, states);
        this.#gauge(changed.pool.id);
      }
      this.#dirty.clear();
    });
  }

  #gauge(poolId: string): void {
    const keeper = this.#keepers.get(poolId);
    for (const state of STATE_NAMES) this.#endpoints.labels(poolId, state).set(keeper?.count(state) ?? 0);
  }

  #broadcast<P>(topic: Topic<P>, payload: P): void {
    for (const { channel } of this.#workers.values()) channel.post(topic, payload);
  }
}

const STATE_NAMES: readonly EndpointState[] = ['untested', 'healthy', 'unhealthy', 'ejected'];

const SILENT: PoolLog = { info: () => {}, warn: () => {} };
