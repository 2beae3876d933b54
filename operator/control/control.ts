import { type Clock, type Failure, type Transport, WorkQueue } from '../../kubernetes/index.ts';
import type { Log } from '../../proxy/telemetry/log.ts';
import type { Metrics } from '../../proxy/telemetry/metrics.ts';
import { compileWithLastGood, type KeptResult, type LastGood, NOTHING_GOOD } from '../compile/last-good.ts';
import type { InfrastructureSettings } from '../infrastructure/infrastructure.ts';
import { CONTROLLER_NAME } from '../infrastructure/names.ts';
import { PodReports } from '../pods/pod-reports.ts';
import type { EdgeGateway, Kind } from '../resources/index.ts';
import type { ClusterSource } from '../sources/cluster/cluster-source.ts';
import { type Change, computeStatuses, type ObjectStatus, problemsOfIngresses } from '../status/index.ts';
import { controlMetrics } from './control-metrics.ts';
import { Debounce } from './debounce.ts';
import { EventRecorder } from './events.ts';
import { type CompiledGateway, GatewayReconciler } from './gateway-reconciler.ts';
import { ObjectSink } from './object-sink.ts';
import { observeGateway, podAddresses, reportUrl } from './observation.ts';
import { gatewayGroup, type OwnedObjects } from './owned-objects.ts';
import { pruneAbandoned } from './prune.ts';
import { recoverGood } from './recover.ts';
import { StatusWriter } from './status-writer.ts';
import { TotalsThrottle } from './totals-throttle.ts';

/** A change is compiled once it has been quiet for this long, … */
const COMPILE_QUIET_MS = 20;
/** … or after this much, or as long as compiling takes, however busy it is. */
const COMPILE_MAX_DELAY_MS = 250;
const STATUS_QUIET_MS = 50;
const STATUS_MAX_DELAY_MS = 500;
/** Certificates expire without any change, and what was removed by hand may have gone unheard. */
const RESYNC_MS = 60_000;
const CONCURRENCY = 4;

export interface ControlOptions {
  readonly source: ClusterSource;
  readonly owned: OwnedObjects;
  /** Refuses to write once this process no longer leads. */
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly settings: InfrastructureSettings;
  readonly log: Log;
  readonly metrics: Metrics;
  /** This process, for Events. */
  readonly instance: string;
  /** Where a pod reports, by its address; for tests, whose pods share one address. */
  readonly reportUrl?: (podIP: string) => string;
}

/**
 * What the leader does, and nobody else. Four things can happen:
 *
 * 1. something that users wrote changed → compile all of it → 2 for gateways that came out differently, 4 for all;
 * 2. a gateway is to be brought in line → its objects and its snapshot are written where they differ;
 * 3. an object of a gateway changed, or one of its pods said something → 2 for that gateway, 4 for all;
 * 4. what statuses are made of may have changed → compute them → those that came out differently are written.
 */
export class Control {
  readonly #options: ControlOptions;
  readonly #metrics;
  readonly #compile: Debounce;
  readonly #observe: Debounce;
  readonly #gatewayQueue: WorkQueue;
  readonly #statusQueue: WorkQueue;
  readonly #reconciler: GatewayReconciler;
  readonly #statusWriter: StatusWriter;
  readonly #sink: ObjectSink;
  readonly #events: EventRecorder;
  readonly #reports: PodReports;
  #compiled: KeptResult | null = null;
  #good: LastGood = NOTHING_GOOD;
  #compileMs = 0;
  /** By `namespace/name`. */
  #gateways = new Map<string, CompiledGateway>();
  /** `namespace/name` of every gateway that there is, good or bad, by the group of its objects. */
  #byGroup = new Map<string, string>();
  #statuses: ReadonlyMap<string, ObjectStatus> = new Map();
  #statusTexts = new Map<string, string>();
  readonly #totals = new TotalsThrottle();
  /** Why a gateway could not be brought in line the last time, in words. */
  readonly #problems = new Map<string, string>();
  /** What was wrong with Ingresses, which have no conditions to say it in. */
  #ingressProblems: ReadonlyMap<string, Change> = new Map();
  #cancelResync: () => void = () => {};

  constructor(options: ControlOptions) {
    this.#options = options;
    const { clock, random, transport, owned, source, settings, log, metrics, instance } = options;
    this.#metrics = controlMetrics(metrics);
    this.#compile = new Debounce({
      clock,
      quietMs: COMPILE_QUIET_MS,
      maxDelayMs: () => Math.max(COMPILE_MAX_DELAY_MS, this.#compileMs),
      work: () => this.#compileAll(),
    });
    this.#observe = new Debounce({
      clock,
      quietMs: STATUS_QUIET_MS,
      maxDelayMs: () => STATUS_MAX_DELAY_MS,
      work: () => this.#computeStatuses(),
    });
    this.#sink = new ObjectSink(transport, owned);
    this.#reconciler = new GatewayReconciler({
      sink: this.#sink,
      owned,
      settings,
      wanted: (key) => this.#gateways.get(key) ?? null,
    });
    this.#events = new EventRecorder({ transport, clock, log, controller: CONTROLLER_NAME, instance });
    this.#statusWriter = new StatusWriter({
      transport,
      source,
      events: this.#events,
      clock,
      wanted: (key) => this.#statuses.get(key),
    });
    this.#reports = new PodReports({ clock, random, onChange: () => this.#observe.changed() });
    this.#gatewayQueue = this.#queue('gateway', (key) => this.#reconcileGateway(key));
    this.#statusQueue = this.#queue('status', (key) => this.#statusWriter.reconcile(key));
  }

  /** Works until the signal is aborted; resolves when nothing of it goes on. */
  async run(signal: AbortSignal): Promise<void> {
    this.#good = await recoverGood(this.#options.owned);
    if (signal.aborted) return;
    this.#gatewayQueue.start();
    this.#statusQueue.start();
    this.#compile.changed();
    this.#resyncLater();
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    this.#cancelResync();
    this.#compile.stop();
    this.#observe.stop();
    this.#reports.stop();
    await Promise.all([this.#gatewayQueue.stop(), this.#statusQueue.stop()]);
  }

  /** Something that users write is new, changed or gone. */
  sourceChanged(kind: Kind, key: string): void {
    this.#compile.changed();
    // Somebody may have changed the status itself.
    if (this.#statuses.has(`${kind}/${key}`)) this.#statusQueue.add(`${kind}/${key}`);
  }

  /** An object that the operator owns is new, changed or gone. */
  ownedChanged(group: string): void {
    const key = this.#byGroup.get(group);
    if (key !== undefined) this.#gatewayQueue.add(key);
    this.#observe.changed();
  }

  /** Sets the gauges; call it before each report of metrics. */
  measure(): void {
    const { queued, failing } = this.#metrics;
    queued.labels('gateway').set(this.#gatewayQueue.depth);
    queued.labels('status').set(this.#statusQueue.depth);
    failing.labels('gateway').set(this.#gatewayQueue.failing);
    failing.labels('status').set(this.#statusQueue.failing);
  }

  #queue(what: string, work: (key: string) => Promise<void>): WorkQueue {
    const { clock, random, log } = this.#options;
    const { reconciles } = this.#metrics;
    return new WorkQueue({
      reconcile: async (key) => {
        await work(key);
        reconciles.labels(what, 'done').add();
        return undefined;
      },
      onFailure: (failure: Failure) => {
        reconciles.labels(what, 'failed').add();
        const { key, error, attempts, retryInMs } = failure;
        log.warn({ [what]: key, attempts, retryInMs: Math.round(retryInMs ?? 0) }, error.message);
      },
      concurrency: CONCURRENCY,
      clock,
      random,
    });
  }

  #compileAll(): void {
    const { source, clock, log } = this.#options;
    const startedMs = clock.now();
    const { resources } = source.state();
    const before = this.#compiled;
    this.#compiled = compileWithLastGood(this.#good, {
      resources,
      now: clock.epochMs(),
      environment: 'Cluster',
    });
    this.#good = this.#compiled.good;
    this.#compileMs = clock.now() - startedMs;
    this.#metrics.compileSeconds.observe(this.#compileMs / 1000);
    this.#tellDiagnostics(before, this.#compiled);

    const bodies = new Map<string, EdgeGateway>();
    for (const resource of resources) {
      if (resource.kind === 'EdgeGateway')
        bodies.set(`${resource.namespace}/${resource.name}`, resource.body);
    }
    this.#byGroup = new Map([...bodies].map(([key, { metadata }]) => [gatewayGroup(metadata), key]));
    const gateways = new Map<string, CompiledGateway>();
    for (const snapshot of this.#compiled.snapshots) {
      const key = `${snapshot.gateway.namespace}/${snapshot.gateway.name}`;
      // What holds of a gateway that is invalid now is its last good version, under the identity that it has now.
      const good = this.#compiled.good.get(`EdgeGateway/${key}`)?.body as EdgeGateway | undefined;
      const gateway = bodies.get(key);
      if (gateway === undefined) continue;
      gateways.set(key, { gateway: { ...(good ?? gateway), metadata: gateway.metadata }, snapshot });
    }
    const last = this.#gateways;
    this.#gateways = gateways;
    for (const [key, { gateway, snapshot }] of gateways) {
      const known = last.get(key);
      const isSame =
        known?.snapshot.hash === snapshot.hash &&
        known.gateway.metadata.generation === gateway.metadata.generation &&
        known.gateway.metadata.uid === gateway.metadata.uid;
      if (!isSame) this.#gatewayQueue.add(key);
    }
    for (const [key, { gateway }] of last) {
      if (gateways.has(key)) continue;
      this.#problems.delete(key);
      this.#reconciler.forget(gateway.metadata.uid ?? '');
      log.info({ gateway: key }, 'the gateway is gone');
    }
    this.#observe.changed();
    void this.#prune();
    void this.#tellIngresses(problemsOfIngresses(resources, this.#compiled));
  }

  async #tellIngresses(problems: ReadonlyMap<string, Change>): Promise<void> {
    const before = this.#ingressProblems;
    this.#ingressProblems = problems;
    for (const [key, problem] of problems) {
      if (before.get(key)?.message === problem.message) continue;
      const slash = key.indexOf('/');
      const kind = key.slice(0, slash) as Kind;
      const object = this.#options.source.get(kind, key.slice(slash + 1));
      if (object !== undefined) await this.#events.record(object, problem);
    }
  }

  async #reconcileGateway(key: string): Promise<void> {
    let problem: string | undefined;
    try {
      await this.#reconciler.reconcile(key);
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      const before = this.#problems.get(key);
      if (problem === undefined) this.#problems.delete(key);
      else this.#problems.set(key, problem);
      if (problem !== before) this.#observe.changed();
    }
  }

  #computeStatuses(): void {
    const compiled = this.#compiled;
    if (compiled === null) return;
    const { source, owned } = this.#options;
    const { resources } = source.state();
    const observed = new Map(
      [...this.#byGroup.values()].map((key) => {
        const [namespace = '', name = ''] = key.split('/');
        const objects = owned.of({ namespace, name });
        return [key, { objects, problem: this.#problems.get(key) ?? null }] as const;
      }),
    );
    this.#reports.follow(
      [...observed.values()].flatMap(({ objects }) =>
        podAddresses(objects, this.#options.reportUrl ?? reportUrl),
      ),
    );
    const gateways = new Map(
      [...observed].map(([key, { objects, problem }]) => [
        key,
        observeGateway(key.slice(key.indexOf('/') + 1), objects, this.#reports, problem),
      ]),
    );
    const statuses = new Map<string, ObjectStatus>();
    const nowMs = this.#options.clock.now();
    for (const [key, status] of computeStatuses({ resources, compiled, observed: gateways })) {
      statuses.set(key, this.#totals.throttle(key, status, this.#statuses.get(key), nowMs));
    }
    this.#statuses = statuses;
    const texts = new Map<string, string>();
    for (const [key, status] of statuses) {
      const text = JSON.stringify(status);
      texts.set(key, text);
      if (this.#statusTexts.get(key) !== text) this.#statusQueue.add(key);
    }
    for (const key of this.#statusTexts.keys()) {
      if (texts.has(key)) continue;
      this.#statusWriter.forget(key);
      this.#totals.forget(key);
    }
    this.#statusTexts = texts;
    this.#countProgrammed();
  }

  #countProgrammed(): void {
    const counts = { True: 0, False: 0, Unknown: 0 };
    for (const [key, status] of this.#statuses) {
      if (!key.startsWith('EdgeGateway/')) continue;
      const { conditions = [] } = status as {
        conditions?: readonly { type: string; status: keyof typeof counts }[];
      };
      counts[conditions.find(({ type }) => type === 'Programmed')?.status ?? 'Unknown']++;
    }
    for (const [value, count] of Object.entries(counts)) this.#metrics.gateways.labels(value).set(count);
  }

  #tellDiagnostics(before: KeptResult | null, { diagnostics }: KeptResult): void {
    const { log } = this.#options;
    const textOf = ({ object, field, message }: KeptResult['diagnostics'][number]): string =>
      [object, field, message].filter((part) => part !== '').join(': ');
    const known = new Set(before?.diagnostics.map(textOf));
    const counts = { error: 0, warning: 0 };
    for (const diagnostic of diagnostics) {
      counts[diagnostic.severity]++;
      const text = textOf(diagnostic);
      if (known.has(text)) continue;
      if (diagnostic.severity === 'error') log.error(text);
      else log.warn(text);
    }
    for (const [severity, count] of Object.entries(counts))
      this.#metrics.problems.labels(severity).set(count);
  }

  /** Objects without an owner that Kubernetes would tidy up after. */
  async #prune(): Promise<void> {
    await pruneAbandoned(this.#options.owned, new Set(this.#byGroup.keys()), this.#sink, this.#options.log);
  }

  #resyncLater(): void {
    this.#cancelResync = this.#options.clock.after(RESYNC_MS, () => {
      this.#compile.changed();
      for (const key of this.#gateways.keys()) this.#gatewayQueue.add(key);
      this.#resyncLater();
    });
  }
}
