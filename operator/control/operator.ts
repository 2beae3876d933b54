import {
  type Clock,
  ELECTION_REQUEST_TIMEOUT_MS,
  type ElectionTiming,
  LeaderElection,
  leaseApi,
  type ResourceType,
  type Transport,
} from '../../kubernetes/index.ts';
import type { HealthSource } from '../../proxy/admin/health-pages.ts';
import { SECRETS } from '../../proxy/pod/secret.ts';
import { formatExposition, mergeReports } from '../../proxy/telemetry/exposition.ts';
import type { Log } from '../../proxy/telemetry/log.ts';
import { Metrics } from '../../proxy/telemetry/metrics.ts';
import { processMetrics, threadMetrics } from '../../proxy/telemetry/process-metrics.ts';
import { type InfrastructureSettings, OWNED_TYPES } from '../infrastructure/infrastructure.ts';
import { ClusterSource } from '../sources/cluster/cluster-source.ts';
import { Control } from './control.ts';
import { GuardedTransport } from './guarded-transport.ts';
import { OwnedObjects } from './owned-objects.ts';

const LEASE_NAME = 'sluice-operator';
const PODS: ResourceType = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };

export interface OperatorOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Unique to this process: not the same again after a restart. */
  readonly identity: string;
  /** Namespaces that are read and written; `null` is all of them. */
  readonly namespaces: readonly string[] | null;
  /** Where the Lease for the election of the leader is. */
  readonly leaseNamespace: string;
  /** Whether Ingresses are served. */
  readonly ingress: boolean;
  readonly settings: InfrastructureSettings;
  readonly electionTiming?: ElectionTiming;
  /** Where a pod reports, by its address; for tests, whose pods share one address. */
  readonly reportUrl?: (podIP: string) => string;
}

/**
 * The operator: every replica follows the cluster, so that it could lead at once; the one that leads compiles and
 * writes. Proxies need none of them to go on.
 */
export class Operator implements HealthSource {
  readonly #options: OperatorOptions;
  readonly #metrics = new Metrics();
  readonly #refreshMetrics = [threadMetrics(this.#metrics, 'main'), processMetrics(this.#metrics)];
  readonly #source: ClusterSource;
  readonly #owned: OwnedObjects;
  readonly #election: LeaderElection;
  readonly #staleness;
  readonly #leading;
  #control: Control | null = null;
  #isSynced = false;
  #isStopping = false;

  constructor(options: OperatorOptions) {
    this.#options = options;
    const { transport, clock, random, log, namespaces, ingress, leaseNamespace, identity } = options;
    this.#staleness = this.#metrics.gauge(
      'sluice_operator_watch_staleness_seconds',
      'How long the API server has not been heard of, by resource: what is known of it may be out of date by this much.',
      ['resource'],
    );
    this.#leading = this.#metrics
      .gauge('sluice_operator_leader', 'Whether this replica leads (1) or stands by (0).')
      .labels();
    this.#source = new ClusterSource({
      transport,
      clock,
      random,
      log,
      namespaces,
      ingress,
      onChange: (kind, key) => this.#control?.sourceChanged(kind, key),
    });
    this.#owned = new OwnedObjects({
      transport,
      clock,
      random,
      log,
      types: [...OWNED_TYPES, SECRETS, PODS],
      namespaces,
      onChange: (group) => this.#control?.ownedChanged(group),
    });
    this.#election = new LeaderElection({
      api: leaseApi(transport, { namespace: leaseNamespace, name: LEASE_NAME }, ELECTION_REQUEST_TIMEOUT_MS),
      identity,
      clock,
      random,
      log,
      lead: (signal) => this.#lead(signal),
      ...(options.electionTiming !== undefined && { timing: options.electionTiming }),
    });
  }

  /** Follows the cluster from now on; resolves when all of it has been read once. */
  async start(): Promise<void> {
    this.#source.start();
    this.#owned.start();
    await Promise.all([this.#source.synced(), this.#owned.synced()]);
    if (this.#isStopping) return;
    this.#isSynced = true;
    this.#options.log.info('the cluster has been read; standing for election');
    this.#election.start();
  }

  /** Ends what goes on, and lets another replica lead at once. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#isSynced) await this.#election.stop();
    await Promise.all([this.#source.stop(), this.#owned.stop()]);
  }

  /** A replica that stands by is ready, too. */
  readiness(): { readonly ready: boolean; readonly reason: string } {
    if (this.#isStopping) return { ready: false, reason: 'stopping' };
    if (!this.#isSynced) {
      const problem = [...this.#source.states(), ...this.#owned.states()].find(({ error }) => error !== null);
      return { ready: false, reason: problem?.error ?? 'the cluster is being read' };
    }
    return { ready: true, reason: this.#control === null ? 'standing by' : 'leading' };
  }

  /** Prometheus text. */
  async metrics(): Promise<string> {
    for (const refresh of this.#refreshMetrics) refresh();
    this.#control?.measure();
    this.#leading.set(this.#control === null ? 0 : 1);
    const staleness = new Map<string, number>();
    const note = (resource: string, ms: number): void => {
      // Of several watches of one resource the one that is furthest behind.
      staleness.set(resource, Math.max(ms, staleness.get(resource) ?? 0));
    };
    for (const { kind, stalenessMs } of this.#source.states()) note(kind, stalenessMs);
    for (const { type, stalenessMs } of this.#owned.states()) note(`owned ${type}`, stalenessMs);
    for (const [resource, ms] of staleness) this.#staleness.labels(resource).set(ms / 1000);
    return formatExposition(mergeReports([this.#metrics.report()]));
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { transport, clock, random, settings, log, identity, reportUrl } = this.#options;
    log.info('leading');
    const control = new Control({
      source: this.#source,
      owned: this.#owned,
      transport: new GuardedTransport(transport, () => this.#election.isLeader(), this.#metrics),
      clock,
      random,
      settings,
      log,
      metrics: this.#metrics,
      instance: identity,
      ...(reportUrl !== undefined && { reportUrl }),
    });
    this.#control = control;
    try {
      await control.run(signal);
    } finally {
      this.#control = null;
      log.info('leading no more');
    }
  }
}
