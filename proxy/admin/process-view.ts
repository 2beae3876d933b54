import type { CounterBackend } from '../counter/counter-backend.ts';
import { CounterService } from '../counter/counter-service.ts';
import { holdingsOf } from '../firewall/holdings.ts';
import type { GatewayProxy } from '../gateway-proxy.ts';
import { oldest } from '../telemetry/collection.ts';
import { formatExposition, mergeReports } from '../telemetry/exposition.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { processMetrics, threadMetrics } from '../telemetry/process-metrics.ts';

/** What a process shows of the gateways that it serves, however it came by them; and what they share. */
export class ProcessView {
  /** Of the process: each gateway has its own. */
  readonly metrics = new Metrics();
  readonly counter: CounterBackend;
  readonly #refreshMetrics = [threadMetrics(this.metrics, 'main'), processMetrics(this.metrics)];
  readonly #reloads = this.metrics.counter(
    'sluice_config_reloads_total',
    'Changes of the configuration, by result.',
    ['result'],
  );
  readonly #lastReloadGood = this.metrics
    .gauge(
      'sluice_config_last_reload_successful',
      'Whether the newest configuration is without errors (1) or not (0).',
    )
    .labels();
  readonly #gateways: () => readonly GatewayProxy[];

  /**
   * @param gateways those that are served, and those that drain
   * @param createCounter a counter that is shared with other processes; absent: one of this process alone
   */
  constructor(
    gateways: () => readonly GatewayProxy[],
    createCounter: (metrics: Metrics) => CounterBackend = (metrics) => new CounterService({ metrics }),
  ) {
    this.#gateways = gateways;
    this.counter = createCounter(this.metrics);
  }

  /** @param good whether all of the newest configuration is in effect */
  reloaded(good: boolean): void {
    this.#lastReloadGood.set(good ? 1 : 0);
    this.#reloads.labels(good ? 'good' : 'errors').add();
  }

  /** Prometheus text. */
  async exposition(): Promise<string> {
    for (const refresh of this.#refreshMetrics) refresh();
    this.counter.refreshMetrics();
    const { reports } = await this.#collect(0);
    const gateways = this.#gateways().map((proxy) => proxy.metrics());
    const workers = reports.map(({ metrics }) => metrics);
    return formatExposition(mergeReports([this.metrics.report(), ...gateways, ...workers]));
  }

  async connections(limit: number): Promise<unknown> {
    const { reports, missing } = await this.#collect(limit);
    return {
      total: reports.reduce((sum, report) => sum + report.connectionCount, 0),
      connections: oldest(reports, limit),
      counted: holdingsOf(this.counter, limit),
      workersThatDidNotAnswer: missing,
    };
  }

  pools(): unknown {
    return this.#gateways().flatMap((proxy) => proxy.pools());
  }

  async #collect(maxConnections: number): ReturnType<GatewayProxy['collect']> {
    const all = await Promise.all(this.#gateways().map((proxy) => proxy.collect(maxConnections)));
    return {
      reports: all.flatMap(({ reports }) => reports),
      missing: all.reduce((sum, { missing }) => sum + missing, 0),
    };
  }
}
