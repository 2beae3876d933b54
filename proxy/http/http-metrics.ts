import type { Counter, Family, Gauge, Metrics } from '../telemetry/metrics.ts';

/** Metrics of the HTTP data path beyond the series that each rule has. */
export class HttpMetrics {
  readonly clientConnections: Gauge;
  readonly #rejections: Family<Counter>;
  readonly #upstreamFailures: Family<Counter>;
  readonly #retries: Family<Counter>;
  readonly #mirrors: Family<Counter>;

  constructor(metrics: Metrics) {
    this.clientConnections = metrics
      .gauge('sluice_connections', 'Open client connections.', ['kind'])
      .labels('http');
    this.#rejections = metrics.counter(
      'sluice_rejections_total',
      'Requests that the gateway answered itself instead of a backend.',
      ['reason', 'rule'],
    );
    this.#upstreamFailures = metrics.counter(
      'sluice_upstream_failures_total',
      'Attempts at a backend that failed: connections that could not be made, and responses that did not come or broke off.',
      ['pool', 'reason'],
    );
    this.#retries = metrics.counter('sluice_upstream_retries_total', 'Attempts that repeat an earlier one.', [
      'pool',
    ]);
    this.#mirrors = metrics.counter(
      'sluice_mirrored_requests_total',
      'Mirrored requests by how they ended.',
      ['pool', 'outcome'],
    );
  }

  // Failures are rare enough for a look-up.

  rejected(reason: string, rule: string | null): void {
    this.#rejections.labels(reason, rule ?? '').add();
  }

  upstreamFailed(pool: string, reason: string): void {
    this.#upstreamFailures.labels(pool, reason).add();
  }

  retried(pool: string): void {
    this.#retries.labels(pool).add();
  }

  mirrored(pool: string, outcome: 'answered' | 'failed' | 'dropped'): void {
    this.#mirrors.labels(pool, outcome).add();
  }
}
