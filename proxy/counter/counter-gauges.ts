import type { Metrics } from '../telemetry/metrics.ts';

/** What every counter says of itself, shared with other processes or not. */
export function counterGauges(metrics: Metrics) {
  return {
    connections: metrics
      .gauge('sluice_counter_connections', 'Open connections and requests that a firewall rule counts.')
      .labels(),
    keys: metrics
      .gauge('sluice_counter_keys', 'Different keys (such as users) that hold counted connections.')
      .labels(),
  };
}
