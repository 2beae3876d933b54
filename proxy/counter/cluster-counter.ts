import assert from 'node:assert/strict';
import type { Metrics } from '../telemetry/metrics.ts';
import type { WorkerChannel } from '../workers/channel.ts';
import type { Acquisition, ConnectionId, Demand } from './counter.ts';
import type { CounterBackend, CounterSummary } from './counter-backend.ts';
import { CounterDriver, type DriverOptions, type DriverState } from './driver/counter-driver.ts';
import { Fallbacks } from './fallbacks.ts';
import { type Holding, mostHeld } from './local-counter.ts';
import {
  addAnswer,
  COUNTER_RECOUNTED,
  COUNTER_REPLIES,
  COUNTER_REQUESTS,
  COUNTER_REVOKED,
  forEachAcquisition,
  type ReplyBatch,
  type RequestBatch,
} from './messages.ts';
import { ClusterCounterMetrics } from './metrics.ts';
import { COUNTER_SESSION, COUNTER_SESSION_CHANGED, SessionClock } from './session.ts';

export interface ClusterCounterOptions extends Omit<DriverOptions, 'events'> {
  readonly metrics: Metrics;
}

/** One worker's side of it. */
interface WorkerState {
  readonly channel: WorkerChannel;
  /** Asked for and not given back, by the worker's own numbers. */
  readonly connections: Set<ConnectionId>;
  /** Answers that wait for the end of this turn, by batch. */
  readonly replies: Map<number, Required<ReplyBatch>>;
}

interface Pending {
  readonly worker: WorkerState;
  readonly batch: number;
  readonly position: number;
  readonly demands: readonly Demand[];
}

/** Numbers of workers and of their connections in one: both are used once, in this process. */
const CONNECTIONS_PER_WORKER = 2 ** 38;
const MAX_WORKER_ID = Math.floor(Number.MAX_SAFE_INTEGER / CONNECTIONS_PER_WORKER) - 1;
/** Between two rounds of counting what was admitted without the count, and how many a round takes up. */
const RECOUNT_INTERVAL_MS = 250;
const RECOUNT_BATCH = 500;
const READY_POLL_MS = 20;

/**
 * The main thread's half of a counter that is shared with other processes. All workers of this process are one member
 * of it: what they ask for in one turn goes to each owner as one frame.
 */
export class ClusterCounter implements CounterBackend {
  readonly #options: ClusterCounterOptions;
  readonly #driver: CounterDriver;
  readonly #metrics: ClusterCounterMetrics;
  readonly #session = new SessionClock();
  readonly #workers = new Map<number, WorkerState>();
  readonly #pending = new Map<ConnectionId, Pending>();
  readonly #recounting = new Set<ConnectionId>();
  readonly #fallbacks: Fallbacks;
  readonly #unsent = new Set<WorkerState>();
  #isFlushing = false;
  #cancelRecount: (() => void) | null = null;
  #isStopped = false;

  constructor(options: ClusterCounterOptions) {
    this.#options = options;
    this.#metrics = new ClusterCounterMetrics(options.metrics);
    this.#fallbacks = new Fallbacks((key, maxCount) => this.#driver.localShare(key, maxCount));
    this.#driver = new CounterDriver({
      ...options,
      events: {
        answered: (connection, acquisition) => this.#onAnswered(connection, acquisition),
        revoked: (connections) => this.#onRevoked(connections),
        lost: () => this.#onLost(),
        sessionEnds: (endMs) => this.#onSessionEnds(endMs),
        delayed: (delayMs) => this.#metrics.delayed(delayMs),
      },
    });
  }

  get state(): DriverState {
    return this.#driver.state;
  }

  /** Joins the others. */
  start(): Promise<void> {
    return this.#driver.start();
  }

  /** Resolves when connections can be asked for, or the time is over. Returns whether they can. */
  async whenReady(timeoutMs: number): Promise<boolean> {
    const { clock } = this.#options;
    const endMs = clock.now() + timeoutMs;
    while (!this.state.isReady) {
      if (this.#isStopped || clock.now() >= endMs) return false;
      await new Promise<void>((resolve) => clock.after(READY_POLL_MS, resolve));
    }
    return true;
  }

  /** To be called first at a planned end: see {@link CounterDriver.leave}. */
  leave(): void {
    this.#driver.leave();
  }

  /** To be called once no connection is left: see {@link CounterDriver.stop}. */
  async stop(timeoutMs: number): Promise<void> {
    this.#isStopped = true;
    this.#cancelRecount?.();
    await this.#driver.stop(timeoutMs);
  }

  addWorker(channel: WorkerChannel): void {
    const { workerId } = channel;
    assert(workerId <= MAX_WORKER_ID, `at most ${MAX_WORKER_ID} workers in the life of a process`);
    const worker: WorkerState = { channel, connections: new Set(), replies: new Map() };
    this.#workers.set(workerId, worker);
    const { closeWindowMs } = this.#options.settings;
    channel.post(COUNTER_SESSION, { memory: this.#session.memory, marginMs: closeWindowMs / 20 });
    channel.on(COUNTER_REQUESTS, (request) => this.#onRequest(worker, request));
  }

  removeWorker(workerId: number): void {
    const worker = this.#workers.get(workerId);
    if (worker === undefined) return;
    this.#workers.delete(workerId);
    for (const connection of [...worker.connections]) this.#release(worker, connection);
    this.#measure();
  }

  /** Keys are those of the shards that this process owns, with the connections of all processes. */
  summary(limit: number): CounterSummary {
    const holdings: Holding[] = [];
    for (const [key, count] of this.#driver.ownedCounts()) holdings.push({ key, count });
    return {
      connections: this.#driver.connectionCount + this.#fallbacks.size,
      keys: holdings.length,
      top: mostHeld(holdings, limit),
    };
  }

  refreshMetrics(): void {
    this.#measure();
    this.#metrics.setState(this.#driver.state, this.#driver.ownedKeyCount);
  }

  #onRequest(worker: WorkerState, request: RequestBatch): void {
    // Nobody would release what the last words of a thread that is gone ask for.
    if (this.#workers.get(worker.channel.workerId) !== worker) return;
    for (const connection of request.released) this.#release(worker, connection);
    forEachAcquisition(request, (connection, demands, position) => {
      const id = globalId(worker, connection);
      if (demands.some(({ fallback }) => fallback === 'Local')) this.#driver.agreeOnShares();
      worker.connections.add(connection);
      this.#pending.set(id, { worker, batch: request.batch, position, demands });
      this.#driver.acquire(id, demands);
    });
    this.#measure();
  }

  #release(worker: WorkerState, connection: ConnectionId): void {
    if (!worker.connections.delete(connection)) return;
    const id = globalId(worker, connection);
    this.#fallbacks.release(id);
    this.#recounting.delete(id);
    this.#driver.release(id);
  }

  #onAnswered(id: ConnectionId, acquisition: Acquisition): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) {
      this.#pending.delete(id);
      this.#answer(id, pending, acquisition);
    } else if (this.#recounting.delete(id) && acquisition.outcome === 'admitted') {
      this.#onRecounted(id);
    }
  }

  #answer(id: ConnectionId, pending: Pending, acquisition: Acquisition): void {
    const { worker, batch, position, demands } = pending;
    let answer = acquisition;
    // What was released meanwhile holds nothing.
    const isWanted = worker.connections.has(localId(id));
    if (isWanted && answer.outcome === 'admitted') {
      this.#fallbacks.hold(id, demands);
    } else if (isWanted && answer.outcome === 'unavailable') {
      this.#metrics.unavailable();
      const uncounted = this.#fallbacks.admit(id, demands);
      if (uncounted !== null) {
        answer = { outcome: 'admitted', exceeded: [], uncounted };
        this.#recountLater();
      }
    }
    if (answer.outcome !== 'admitted') worker.connections.delete(localId(id));
    const { epoch } = this.#session;
    let reply = worker.replies.get(batch);
    if (reply !== undefined && reply.epoch !== epoch) {
      this.#post(worker);
      reply = undefined;
    }
    if (reply === undefined) {
      reply = { batch, positions: [], outcomes: [], exceeded: [], epoch };
      worker.replies.set(batch, reply);
    }
    reply.positions.push(position);
    addAnswer(reply, answer);
    this.#postLater(worker);
  }

  #onRevoked(ids: readonly ConnectionId[]): void {
    this.#session.nextEpoch();
    this.#metrics.revoked(ids.length);
    const byWorker = Map.groupBy(ids, workerIdOf);
    for (const [workerId, worker] of this.#workers) {
      const lost = byWorker.get(workerId) ?? [];
      for (const id of lost) {
        worker.connections.delete(localId(id));
        this.#fallbacks.release(id);
      }
      this.#tellLost(worker, lost.map(localId));
    }
  }

  #onLost(): void {
    this.#session.nextEpoch();
    const pending = [...this.#pending];
    this.#pending.clear();
    this.#recounting.clear();
    for (const worker of this.#workers.values()) {
      this.#tellLost(worker, null);
      for (const connection of worker.connections) this.#forgetCounted(worker, connection);
    }
    for (const [id, asked] of pending) {
      asked.worker.connections.add(localId(id));
      this.#answer(id, asked, SESSION_OVER);
    }
  }

  #tellLost(worker: WorkerState, connections: ConnectionId[] | null): void {
    // Behind the admissions that it is about.
    this.#post(worker);
    worker.channel.post(COUNTER_REVOKED, { connections, epoch: this.#session.epoch });
  }

  /** Only what was admitted without the count is left. */
  #forgetCounted(worker: WorkerState, connection: ConnectionId): void {
    const id = globalId(worker, connection);
    if (this.#fallbacks.isUncounted(id)) return;
    worker.connections.delete(connection);
    this.#fallbacks.release(id);
  }

  #onSessionEnds(endMs: number): void {
    if (!this.#session.setEnd(endMs)) return;
    for (const { channel } of this.#workers.values()) channel.post(COUNTER_SESSION_CHANGED, null);
  }

  #recountLater(): void {
    if (this.#cancelRecount !== null || this.#isStopped) return;
    this.#cancelRecount = this.#options.clock.after(RECOUNT_INTERVAL_MS, () => {
      this.#cancelRecount = null;
      this.#recount();
    });
  }

  /** Asks for what was admitted without the count, so that it counts. */
  #recount(): void {
    if (this.#driver.state.isReady && this.#recounting.size === 0) {
      for (const [id, demands] of [...this.#fallbacks.waiting(RECOUNT_BATCH)]) {
        this.#recounting.add(id);
        this.#driver.acquire(id, demands);
      }
    }
    this.#measure();
    if (this.#fallbacks.size > 0) this.#recountLater();
  }

  #onRecounted(id: ConnectionId): void {
    const worker = this.#workers.get(workerIdOf(id));
    if (worker === undefined || !this.#fallbacks.settle(id)) return;
    worker.channel.post(COUNTER_RECOUNTED, { connections: [localId(id)] });
  }

  #postLater(worker: WorkerState): void {
    this.#unsent.add(worker);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      for (const waiting of this.#unsent) this.#post(waiting);
      this.#unsent.clear();
      this.#measure();
    });
  }

  #post({ channel, replies }: WorkerState): void {
    for (const reply of replies.values()) channel.post(COUNTER_REPLIES, reply);
    replies.clear();
  }

  #measure(): void {
    this.#metrics.set(this.#driver.connectionCount, this.#fallbacks.size);
  }
}

const SESSION_OVER: Acquisition = { outcome: 'unavailable', reason: 'the session of this member is over' };

function globalId({ channel }: WorkerState, connection: ConnectionId): ConnectionId {
  assert(connection < CONNECTIONS_PER_WORKER);
  return channel.workerId * CONNECTIONS_PER_WORKER + connection;
}

function localId(id: ConnectionId): ConnectionId {
  return id % CONNECTIONS_PER_WORKER;
}

function workerIdOf(id: ConnectionId): number {
  return Math.floor(id / CONNECTIONS_PER_WORKER);
}
