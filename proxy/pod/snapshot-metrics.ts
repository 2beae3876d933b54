import type { Metrics } from '../telemetry/metrics.ts';

/** So many hex digits of a hash fit into a number that Prometheus keeps as it is. */
const FINGERPRINT_DIGITS = 12;

/**
 * Which snapshot is in force, and since when. As a number, and not as a label: each snapshot would be a new series.
 * Equal numbers are equal snapshots.
 *
 * @returns call it when a snapshot came into force
 */
export function snapshotMetrics(metrics: Metrics): (hash: string, nowEpochMs: number) => void {
  const fingerprint = metrics.gauge(
    'sluice_snapshot_fingerprint',
    'The first 12 hex digits of the hash of the snapshot in force, as a number.',
  );
  const since = metrics.gauge(
    'sluice_snapshot_timestamp_seconds',
    'Since when the snapshot in force has been served, since the epoch.',
  );
  return (hash, nowEpochMs) => {
    fingerprint.labels().set(Number.parseInt(hash.slice(0, FINGERPRINT_DIGITS), 16));
    since.labels().set(nowEpochMs / 1000);
  };
}
