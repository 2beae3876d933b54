import type { Metrics } from '../telemetry/metrics.ts';

/** Something that follows the API server. */
export interface Watch {
  /** What is followed, from the configuration: `snapshot`, `endpointslices chat`. */
  readonly name: string;
  /** How long the server has not been heard of. */
  readonly stalenessMs: number;
  /** Requests that failed so far. */
  readonly failures: number;
}

/** @returns sets the values; call it before each report */
export function watchMetrics(metrics: Metrics, watches: () => readonly Watch[]): () => void {
  const staleness = metrics.gauge(
    'sluice_watch_staleness_seconds',
    'How long the API server has not been heard of, by what is watched. Up to 60 s is ordinary.',
    ['watch'],
  );
  const failures = metrics.counter(
    'sluice_watch_failures_total',
    'Requests to the API server for a list or a watch that failed, by what is watched.',
    ['watch'],
  );
  let shown: ReadonlySet<string> = new Set();
  return () => {
    const current = watches();
    const names = new Set(current.map(({ name }) => name));
    for (const name of shown) {
      if (names.has(name)) continue;
      staleness.remove(name);
      failures.remove(name);
    }
    for (const watch of current) {
      staleness.labels(watch.name).set(watch.stalenessMs / 1000);
      failures.labels(watch.name).value = watch.failures;
    }
    shown = names;
  };
}
