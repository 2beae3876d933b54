import { JwksKeeper } from './authentication/jwks-keeper.ts';
import { encodeSnapshot } from './config/encoding.ts';
import type { Port, Snapshot } from './config/snapshot.ts';
import type { CounterBackend } from './counter/counter-backend.ts';
import { FirewallTotals, type RuleListTotals } from './firewall/totals.ts';
import type { ListenFailure } from './listeners/words.ts';
import { PoolManager } from './pools/manager.ts';
import type { ServiceSource } from './pools/sources.ts';
import type { PoolStatus, PoolSummary } from './pools/status.ts';
import { AccessLogPrinter } from './telemetry/access-log-batch.ts';
import { Collector, type WorkerReport } from './telemetry/collection.ts';
import { forwardWorkerLog, type Log } from './telemetry/log.ts';
import { type MetricReport, Metrics } from './telemetry/metrics.ts';
import { portFailure } from './workers/ports.ts';
import { MAX_WORKERS, type Readiness, Supervisor } from './workers/supervisor.ts';

export interface GatewayProxyOptions {
  /** Address that listeners bind, e.g. `127.0.0.1` or `::`. */
  readonly address: string;
  /** Keys the values of affinity cookies (32 bytes). */
  readonly affinityKey: Uint8Array;
  readonly log: Log;
  /** One for all gateways of the process: a rule list counts over all of them, and over their replacements. */
  readonly counter: CounterBackend;
  /** Where access-log lines go. */
  readonly accessLogOutput: NodeJS.WritableStream;
  /** How Services are followed. Default: none is known. */
  readonly services?: ServiceSource;
}

/** The proxy of one gateway: the main-thread half, which owns the workers that carry the traffic. */
export class GatewayProxy {
  readonly #options: GatewayProxyOptions;
  /** Its own, so that two gateways never write the same series, and that they go with the gateway. */
  readonly #metrics = new Metrics();
  readonly #pools: PoolManager;
  readonly #jwks: JwksKeeper;
  readonly #collector = new Collector();
  readonly #totals = new FirewallTotals();
  readonly #supervisor: Supervisor;
  #snapshot: Snapshot | null = null;
  #openPorts = new Set<string>();
  #ending = false;
  #drained: Promise<void> | undefined;
  #failures: readonly ListenFailure[] = [];

  constructor(options: GatewayProxyOptions) {
    this.#options = options;
    const { log } = options;
    const metrics = this.#metrics;
    this.#pools = new PoolManager({
      metrics,
      log,
      affinityKey: options.affinityKey,
      maxWorkers: MAX_WORKERS,
      ...(options.services === undefined ? {} : { services: options.services }),
    });
    this.#jwks = new JwksKeeper({ metrics, log });
    const accessLog = new AccessLogPrinter({ output: options.accessLogOutput, metrics });
    this.#supervisor = new Supervisor({
      address: options.address,
      features: [
        this.#pools,
        this.#jwks,
        options.counter,
        this.#totals,
        this.#collector,
        accessLog,
        { addWorker: (channel) => forwardWorkerLog(channel, log) },
      ],
      log,
      metrics,
    });
  }

  get snapshot(): Snapshot | null {
    return this.#snapshot;
  }

  /** Whether applying the snapshot would change nothing. */
  isServing(snapshot: Snapshot): boolean {
    return this.#snapshot?.hash === snapshot.hash && this.#failures.length === 0;
  }

  /**
   * Serves a snapshot; resolves when every worker does, with the ports that could not be opened. Does nothing once the
   * proxy was told to end.
   */
  async apply(snapshot: Snapshot): Promise<readonly ListenFailure[]> {
    const failures = await this.#newPortFailures(snapshot.ports);
    if (this.#ending) return [];
    const failed = new Set(failures.map(({ port }) => port));
    const served: Snapshot = { ...snapshot, ports: snapshot.ports.filter(({ port }) => !failed.has(port)) };
    await this.#pools.apply(served.pools);
    if (this.#ending) return [];
    this.#jwks.apply(served.authentications);
    failures.push(...(await this.#supervisor.apply(encodeSnapshot(served), served.settings.workers)));
    const unopened = new Set(failures.map(({ port }) => port));
    this.#failures = failures;
    this.#openPorts = new Set(snapshot.ports.filter(({ port }) => !unopened.has(port)).map(portKey));
    this.#snapshot = snapshot;
    return failures;
  }

  /** What is listened on: the snapshot's listeners without those that could not be opened. */
  listeners(): { readonly name: string; readonly protocol: string; readonly port: number }[] {
    const ports = this.#snapshot?.ports ?? [];
    const listeners = ports.flatMap(({ port, listeners }) =>
      listeners.map(({ name, protocol }) => ({ name, protocol, port })),
    );
    return listeners.filter(
      ({ name, port }) =>
        !this.#failures.some((failure) => failure.port === port && failure.listeners.includes(name)),
    );
  }

  /** This thread's metrics; those of the workers come with {@link collect}. */
  metrics(): readonly MetricReport[] {
    return this.#metrics.report();
  }

  readiness(): Readiness {
    return this.#supervisor.readiness();
  }

  /** Ports, or listeners of them, that are not served. */
  get listenFailures(): readonly ListenFailure[] {
    return this.#failures;
  }

  pools(): readonly PoolStatus[] {
    return this.#pools.status();
  }

  poolSummaries(): readonly PoolSummary[] {
    return this.#pools.summaries();
  }

  /** By id, of the rule lists of the snapshot. */
  ruleLists(): readonly ({ readonly id: string } & RuleListTotals)[] {
    return (this.#snapshot?.ruleLists ?? []).map(({ id }) => ({ id, ...this.#totals.of(id) }));
  }

  collect(maxConnections: number): Promise<{ reports: WorkerReport[]; missing: number }> {
    return this.#collector.collect(maxConnections);
  }

  /** For tests of what comes back after a worker crashed. */
  get supervisor(): Supervisor {
    return this.#supervisor;
  }

  /** Accepts nothing new, lets go of what is open as the gateway's drain setting says, then ends. */
  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async #drain(): Promise<void> {
    this.#ending = true;
    if (this.#snapshot !== null) await this.#supervisor.drain(this.#snapshot.settings.drain);
    await this.stop();
  }

  /** Ends at once. */
  async stop(): Promise<void> {
    this.#ending = true;
    await this.#supervisor.stop();
    this.#pools.stop();
    this.#jwks.stop();
  }

  async #newPortFailures(ports: readonly Port[]): Promise<ListenFailure[]> {
    const fresh = ports.filter((port) => port.transport !== 'UDP' && !this.#openPorts.has(portKey(port)));
    const failures = await Promise.all(fresh.map((port) => portFailure(port, this.#options.address)));
    return failures.filter((failure) => failure !== null);
  }
}

function portKey(port: Port): string {
  return `${port.transport === 'UDP' ? 'udp' : 'tcp'}:${port.port}`;
}
