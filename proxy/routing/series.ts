import type { Rule } from '../config/snapshot.ts';
import {
  type Counter,
  DURATION_BUCKETS,
  type Gauge,
  type Histogram,
  type Metrics,
} from '../telemetry/metrics.ts';

/** The metric series of one rule, asked for once when the table is built. */
export interface RuleSeries {
  /** Finished requests by the first digit of their status: index 1 to 5. */
  readonly requests: readonly Counter[];
  readonly durationSeconds: Histogram;
  readonly requestsInFlight: Gauge;
  readonly webSockets: Gauge;
  readonly bytesIn: Counter;
  readonly bytesOut: Counter;
}

const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'];

/** The series of a rule; the same objects as long as a rule of that id has been there. */
export function ruleSeries(metrics: Metrics, rule: Rule): RuleSeries {
  const requests = metrics.counter('sluice_requests_total', 'Finished requests.', ['rule', 'status_class']);
  const duration = metrics.histogram(
    'sluice_request_duration_seconds',
    'Time from the request head to the end of the response.',
    ['rule'],
    DURATION_BUCKETS,
  );
  const inFlight = metrics.gauge('sluice_requests_in_flight', 'Requests that have not finished.', ['rule']);
  const webSockets = metrics.gauge('sluice_websockets', 'Open WebSocket connections.', ['rule']);
  const bytes = metrics.counter('sluice_bytes_total', 'Bytes from (in) and to (out) clients.', [
    'rule',
    'direction',
  ]);
  return {
    requests: STATUS_CLASSES.map((statusClass) => requests.labels(rule.id, statusClass)),
    durationSeconds: duration.labels(rule.id),
    requestsInFlight: inFlight.labels(rule.id),
    webSockets: webSockets.labels(rule.id),
    bytesIn: bytes.labels(rule.id, 'in'),
    bytesOut: bytes.labels(rule.id, 'out'),
  };
}
