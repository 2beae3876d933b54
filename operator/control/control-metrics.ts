import type { Metrics } from '../../proxy/telemetry/metrics.ts';

/** What the operator counts and times. */
export function controlMetrics(metrics: Metrics) {
  return {
    compileSeconds: metrics
      .histogram('sluice_operator_compile_duration_seconds', 'How long compiling everything took.', [])
      .labels(),
    reconciles: metrics.counter(
      'sluice_operator_reconciles_total',
      'Objects that were brought in line, by what (gateway, status) and result (done, failed).',
      ['what', 'result'],
    ),
    queued: metrics.gauge('sluice_operator_queue_depth', 'Objects that wait to be brought in line.', [
      'what',
    ]),
    failing: metrics.gauge(
      'sluice_operator_queue_failing',
      'Objects that could not be brought in line the last time.',
      ['what'],
    ),
    gateways: metrics.gauge(
      'sluice_operator_gateways',
      'Gateways, by whether all their pods serve the newest configuration.',
      ['programmed'],
    ),
    problems: metrics.gauge(
      'sluice_operator_diagnostics',
      'What is wrong with the resources that users wrote, by severity.',
      ['severity'],
    ),
  };
}
