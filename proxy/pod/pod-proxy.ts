import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { wait } from '../../kubernetes/clock.ts';
import type { Clock, Transport } from '../../kubernetes/index.ts';
import { ProcessView } from '../admin/process-view.ts';
import { AdminServer, type AdminSource } from '../admin/server.ts';
import { printableSnapshot } from '../config/encoding.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { GatewayProxy } from '../gateway-proxy.ts';
import { listenErrorInWords } from '../listeners/words.ts';
import type { Log } from '../telemetry/log.ts';
import { EndpointSlices } from './endpoint-slices.ts';
import { type ProxyReport, REPORT_FORMAT } from './report.ts';
import { ReportFeed } from './report-feed.ts';
import { SnapshotFollower } from './snapshot-follower.ts';
import { snapshotMetrics } from './snapshot-metrics.ts';
import { StatusServer } from './status-server.ts';
import { watchMetrics } from './watch-metrics.ts';

interface Place {
  readonly host: string;
  readonly port: number;
}

export interface PodProxyOptions {
  readonly gateway: { readonly namespace: string; readonly name: string };
  /** The pod's name, for reports. */
  readonly pod: string;
  /** The index of the stored snapshot, in the gateway's namespace. */
  readonly snapshotSecret: string;
  /** Where that Secret is mounted. */
  readonly snapshotVolume: string;
  /** How long listeners accept on after the order to stop, until nobody sends anything here any more. */
  readonly shutdownDelayMs: number;
  /** Address that listeners bind. */
  readonly address: string;
  /** Shows users: for loopback. */
  readonly admin: Place;
  /** Shows none: for the cluster. */
  readonly status: Place;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly accessLogOutput: NodeJS.WritableStream;
}

/**
 * The proxy of one gateway in a pod: serves the snapshot that is stored for it, and says how that goes. It needs the
 * API server only to learn what is new, and the operator never.
 */
export class PodProxy implements AdminSource {
  readonly #options: PodProxyOptions;
  readonly #view = new ProcessView(() => (this.#proxy === null ? [] : [this.#proxy]));
  readonly #slices: EndpointSlices;
  readonly #follower: SnapshotFollower;
  readonly #feed: ReportFeed;
  readonly #admin = new AdminServer(this);
  readonly #status: StatusServer;
  readonly #refreshWatches: () => void;
  readonly #inForce: (hash: string, nowEpochMs: number) => void;
  /** From the first snapshot on, which has the key for affinity. */
  #proxy: GatewayProxy | null = null;
  #affinityKey: Uint8Array | null = null;
  #draining = false;
  #drained: Promise<void> | undefined;
  readonly #stopping = new AbortController();

  constructor(options: PodProxyOptions) {
    this.#options = options;
    const { metrics } = this.#view;
    this.#slices = new EndpointSlices(options);
    this.#follower = new SnapshotFollower({
      ...options,
      namespace: options.gateway.namespace,
      secretName: options.snapshotSecret,
      volume: options.snapshotVolume,
      apply: (snapshot, affinityKey) => this.#apply(snapshot, affinityKey),
      taken: (good) => this.#view.reloaded(good),
      onChange: () => this.#feed.changed(),
    });
    this.#feed = new ReportFeed({ clock: options.clock, metrics, report: () => this.report() });
    this.#status = new StatusServer(this, this.#feed);
    this.#refreshWatches = watchMetrics(metrics, () => [this.#follower, ...this.#slices.watches()]);
    this.#inForce = snapshotMetrics(metrics);
  }

  /**
   * Begins to follow the snapshot; readiness tells when it is served.
   *
   * @throws Error in words where the admin or status address cannot be had
   */
  async start(): Promise<{ readonly admin: AddressInfo; readonly status: AddressInfo }> {
    try {
      const admin = await listen('admin', this.#admin, this.#options.admin);
      const status = await listen('status', this.#status, this.#options.status);
      this.#follower.start();
      return { admin, status };
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Says that nothing should be sent here any more, waits until that is known, then lets go of what is open and ends. */
  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  /** Ends at once. */
  async stop(): Promise<void> {
    this.#draining = true;
    this.#stopping.abort();
    await this.#proxy?.stop();
    await this.#end();
  }

  readiness(): { readonly ready: boolean; readonly reason: string } {
    if (this.#draining) return { ready: false, reason: 'draining' };
    const proxy = this.#proxy;
    if (proxy === null || proxy.snapshot === null) {
      return { ready: false, reason: this.#follower.problem ?? 'the first snapshot is not in force yet' };
    }
    if (proxy.listeners().length === 0) return { ready: false, reason: 'no listener could be opened' };
    // A swap, or a worker that is being replaced, is no reason to take traffic away: the others accept it.
    const { ready, serving, wanted } = proxy.readiness();
    return { ready: serving > 0, reason: `${ready} of ${wanted} workers serve the newest configuration` };
  }

  metrics(): Promise<string> {
    this.#refreshWatches();
    return this.#view.exposition();
  }

  config(): unknown {
    const snapshot = this.#proxy?.snapshot ?? null;
    const words = [
      ...(this.#follower.problem === null ? [] : [this.#follower.problem]),
      ...this.#listenFailures().map(
        ({ listeners, message }) => `listener ${listeners.join(', ')}: ${message}`,
      ),
    ];
    return {
      gateways: snapshot === null ? [] : [printableSnapshot(snapshot)],
      problems: words.map((text) => ({ severity: 'error', text })),
    };
  }

  connections(limit: number): Promise<unknown> {
    return this.#view.connections(limit);
  }

  pools(): unknown {
    return this.#view.pools();
  }

  report(): ProxyReport {
    const { gateway, pod } = this.#options;
    const proxy = this.#proxy;
    return {
      format: REPORT_FORMAT,
      gateway,
      pod,
      snapshot: proxy?.snapshot?.hash ?? null,
      ready: this.readiness().ready,
      draining: this.#draining,
      problem: this.#follower.problem,
      listenFailures: this.#listenFailures(),
      pools: proxy?.poolSummaries() ?? [],
      ruleLists: proxy?.ruleLists() ?? [],
    };
  }

  #listenFailures(): ProxyReport['listenFailures'] {
    return this.#proxy?.listenFailures ?? [];
  }

  async #apply(snapshot: Snapshot, affinityKey: Uint8Array | null): Promise<void> {
    const { log, clock } = this.#options;
    this.#proxy ??= this.#createProxy(affinityKey);
    this.#checkAffinityKey(affinityKey);
    const failures = await this.#proxy.apply(snapshot);
    for (const { listeners, message } of failures) log.error(`listener ${listeners.join(', ')}: ${message}`);
    this.#inForce(snapshot.hash, clock.epochMs());
  }

  #createProxy(affinityKey: Uint8Array | null): GatewayProxy {
    this.#affinityKey = affinityKey;
    return new GatewayProxy({
      address: this.#options.address,
      affinityKey: affinityKey ?? new Uint8Array(randomBytes(32)),
      log: this.#options.log,
      counter: this.#view.counter,
      accessLogOutput: this.#options.accessLogOutput,
      services: this.#slices.source,
    });
  }

  /** Cookies name endpoints by it, over all pods; workers get it when they start. */
  #checkAffinityKey(affinityKey: Uint8Array | null): void {
    const { log } = this.#options;
    if (affinityKey === null) {
      log.warn('the stored snapshot has no key for affinity: cookies of other pods are not known here');
    } else if (this.#affinityKey === null || Buffer.compare(affinityKey, this.#affinityKey) !== 0) {
      log.warn('the key for affinity is another than before: it takes effect at the next start of this pod');
    }
  }

  async #drain(): Promise<void> {
    const { clock, shutdownDelayMs } = this.#options;
    this.#draining = true;
    this.#feed.changed();
    if (this.#proxy !== null) await wait(clock, shutdownDelayMs, this.#stopping.signal);
    await this.#follower.stop();
    await this.#proxy?.drain();
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#feed.close();
    await Promise.all([
      this.#follower.stop(),
      this.#slices.stop(),
      this.#admin.close(),
      this.#status.close(),
    ]);
  }
}

async function listen(
  what: string,
  server: AdminServer | StatusServer,
  { host, port }: Place,
): Promise<AddressInfo> {
  try {
    return await server.listen(host, port);
  } catch (error) {
    throw new Error(`${what}: ${listenErrorInWords(error as Error, port, host)}`);
  }
}
