import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Drain } from '../config/snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import type { Counter, Gauge, Metrics } from '../telemetry/metrics.ts';
import type { WorkerChannel } from './channel.ts';
import { ThreadWorkerChannel } from './thread-channel.ts';
import {
  type Applied,
  applySnapshot,
  drainWorker,
  snapshotApplied,
  type WorkerStart,
  workerDrained,
} from './topics.ts';

/**
 * Of the heap of a worker: three times what is allocated between two collections of it. Nearly all objects of a request
 * are dead when it ends, so that a small space costs no time; and idle connections do not carry its slack.
 */
const YOUNG_GENERATION_MB = 12;

/** The main half of a feature: told of every worker before that worker gets its first snapshot. */
export interface WorkerFeature {
  addWorker(channel: WorkerChannel): void;
  /** The worker is gone, and its sockets with it: what it held is free. */
  removeWorker?(workerId: number): void;
}

/** Where the kernel spreads connections over several listening sockets (Node's `reusePort`). */
const REUSE_PORT_PLATFORMS: readonly string[] = ['linux', 'freebsd', 'sunos', 'aix'];

const RESTART_DELAY_MS = { first: 100, max: 10_000 };
/** A worker that lived this long was no part of a crash loop. */
const STABLE_AFTER_MS = 60_000;

/** Never used twice in a process, so that the workers of several gateways can be told apart. */
let lastWorkerId = 0;

const MAX_WANTED = 64;
/** Threads at a time: twice what can be asked for, as one that is being replaced counts until it is gone. */
export const MAX_WORKERS = 2 * MAX_WANTED;

export interface Readiness {
  /** Workers that serve the newest snapshot. */
  readonly ready: number;
  /** Workers that serve any. */
  readonly serving: number;
  readonly wanted: number;
}

interface Member {
  readonly channel: WorkerChannel;
  readonly worker: Worker;
  readonly startedAtMs: number;
  appliedGeneration: number;
  failures: Applied['failures'];
  /** Taken out of service: its exit is expected. */
  leaving: boolean;
  readonly connectionSlot: number;
  readonly drained: PromiseWithResolvers<void>;
}

/** Keeps the data-path workers: as many as wanted, on the newest snapshot, replaced when one crashes. */
export class Supervisor {
  readonly #address: string;
  readonly #features: readonly WorkerFeature[];
  readonly #log: Log;
  readonly #restarts: Counter;
  readonly #running: Gauge;
  readonly #ticketKeys = new Uint8Array(randomBytes(48));
  readonly #reusePort = REUSE_PORT_PLATFORMS.includes(process.platform);
  readonly #connectionCounts = new SharedArrayBuffer(MAX_WORKERS * Int32Array.BYTES_PER_ELEMENT);
  readonly #freeSlots = Array.from({ length: MAX_WORKERS }, (_, slot) => slot);
  readonly #members = new Map<number, Member>();
  readonly #waiters = new Set<() => void>();
  #wanted = 0;
  #generation = 0;
  #snapshot = '';
  #restartDelayMs = RESTART_DELAY_MS.first;
  #restartTimer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: {
    readonly address: string;
    readonly features: readonly WorkerFeature[];
    readonly log: Log;
    readonly metrics: Metrics;
  }) {
    this.#address = options.address;
    this.#features = options.features;
    this.#log = options.log;
    this.#restarts = options.metrics
      .counter('sluice_worker_restarts_total', 'Data-path workers replaced after a crash.')
      .labels();
    this.#running = options.metrics.gauge('sluice_workers', 'Data-path workers that are running.').labels();
  }

  /**
   * Has every worker serve a snapshot; resolves when all of them do, with the ports that could not be opened.
   * @param workers how many, or `null` for one per available core; fewer than before take effect at the next start
   */
  async apply(snapshot: string, workers: number | null): Promise<Applied['failures']> {
    this.#snapshot = snapshot;
    const generation = ++this.#generation;
    this.#want(this.#reusePort ? (workers ?? Math.min(availableParallelism(), MAX_WANTED)) : 1);
    for (const member of this.#active()) {
      member.channel.post(applySnapshot, { generation, snapshot });
    }
    this.#scale();
    await this.#until(
      () =>
        this.#stopping ||
        (this.#active().length >= this.#wanted &&
          this.#active().every((m) => m.appliedGeneration >= generation)),
    );
    const failures = new Map(
      this.#active()
        .flatMap((m) => m.failures)
        .map((failure) => [failure.port, failure]),
    );
    return [...failures.values()];
  }

  readiness(): Readiness {
    const active = this.#active();
    const ready = active.filter((m) => m.appliedGeneration === this.#generation).length;
    const serving = active.filter((m) => m.appliedGeneration > 0).length;
    return { ready, serving, wanted: this.#wanted };
  }

  /** Ids of the workers in service. */
  workerIds(): number[] {
    return this.#active().map((member) => member.channel.workerId);
  }

  /** Ends a worker as a crash would; it is replaced. For tests of what then comes back. */
  crash(workerId: number): Promise<number> {
    const member = this.#members.get(workerId);
    if (member === undefined) throw new Error(`no worker ${workerId}`);
    return member.worker.terminate();
  }

  /** Lets all workers drain, then ends them; resolves when they are gone. */
  async drain(drain: Drain): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    await Promise.all([...this.#members.values()].map((member) => this.#retire(member, drain)));
  }

  /** Ends all workers at once. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    for (const member of this.#members.values()) member.leaving = true;
    await Promise.all([...this.#members.values()].map((member) => member.worker.terminate()));
    this.#notify();
  }

  #active(): Member[] {
    return [...this.#members.values()].filter((member) => !member.leaving);
  }

  /** A worker that stops listening resets the connections that the kernel had queued for it: none is taken away. */
  #want(workers: number): void {
    if (workers < this.#wanted) {
      this.#log.warn({ workers, running: this.#wanted }, 'fewer workers take effect at the next start');
    } else this.#wanted = workers;
  }

  #scale(): void {
    if (this.#stopping) return;
    while (this.#active().length < this.#wanted) this.#start();
  }

  #start(): void {
    const workerId = ++lastWorkerId;
    const connectionSlot = this.#freeSlots.pop();
    assert(connectionSlot !== undefined, `more than ${MAX_WORKERS} workers`);
    const start: WorkerStart = {
      workerId,
      address: this.#address,
      ticketKeys: this.#ticketKeys,
      connectionCounts: this.#connectionCounts,
      connectionSlot,
      reusePort: this.#reusePort,
    };
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: start,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      name: `sluice-worker-${workerId}`,
    });
    const channel = new ThreadWorkerChannel(worker, workerId);
    const member: Member = {
      channel,
      worker,
      startedAtMs: performance.now(),
      appliedGeneration: 0,
      failures: [],
      leaving: false,
      connectionSlot,
      drained: Promise.withResolvers<void>(),
    };
    this.#members.set(workerId, member);
    this.#running.add(1);
    channel.on(snapshotApplied, ({ generation, failures }) => {
      member.appliedGeneration = generation;
      member.failures = failures;
      this.#notify();
    });
    channel.on(workerDrained, () => member.drained.resolve());
    for (const feature of this.#features) feature.addWorker(channel);
    worker.on('error', (error) => {
      this.#log.error(
        {
          worker: workerId,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        },
        'a data-path worker crashed',
      );
    });
    worker.once('exit', () => this.#exited(member));
    channel.post(applySnapshot, { generation: this.#generation, snapshot: this.#snapshot });
  }

  #exited(member: Member): void {
    this.#members.delete(member.channel.workerId);
    this.#running.add(-1);
    // The thread's sockets went with it.
    Atomics.store(new Int32Array(this.#connectionCounts), member.connectionSlot, 0);
    this.#freeSlots.push(member.connectionSlot);
    member.drained.resolve();
    for (const feature of this.#features) feature.removeWorker?.(member.channel.workerId);
    this.#notify();
    if (member.leaving || this.#stopping) return;
    this.#restarts.add();
    if (performance.now() - member.startedAtMs > STABLE_AFTER_MS)
      this.#restartDelayMs = RESTART_DELAY_MS.first;
    this.#log.warn(
      {
        worker: member.channel.workerId,
        delayMs: this.#restartDelayMs,
      },
      'a data-path worker is being replaced',
    );
    this.#restartTimer ??= setTimeout(() => {
      this.#restartTimer = undefined;
      this.#scale();
    }, this.#restartDelayMs);
    this.#restartDelayMs = Math.min(this.#restartDelayMs * 2, RESTART_DELAY_MS.max);
  }

  async #retire(member: Member, drain: Drain): Promise<void> {
    member.leaving = true;
    member.channel.post(drainWorker, drain);
    await member.drained.promise;
    await member.worker.terminate();
  }

  #notify(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  #until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = (): void => {
      if (!condition()) return;
      this.#waiters.delete(check);
      resolve();
    };
    this.#waiters.add(check);
    return promise;
  }
}
