import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from './metrics.ts';

const NANOSECONDS = 1e9;

/**
 * Memory and event-loop delay of one thread. A stalled event loop delays every connection of its thread, and eats the
 * slack of everything that has a deadline.
 * @returns sets the values; call it before each report
 */
export function threadMetrics(metrics: Metrics, thread: string): () => void {
  const heap = metrics.gauge('sluice_heap_used_bytes', 'JavaScript heap in use, by thread.', ['thread']);
  const delay = metrics.gauge(
    'sluice_event_loop_delay_seconds',
    'The longest delay of the event loop since the last report, by thread.',
    ['thread'],
  );
  const histogram = monitorEventLoopDelay({ resolution: 10 });
  histogram.enable();
  return () => {
    heap.labels(thread).set(process.memoryUsage().heapUsed);
    delay.labels(thread).set(histogram.max / NANOSECONDS);
    histogram.reset();
  };
}

/** What the whole process uses, under the names that Prometheus clients share. */
export function processMetrics(metrics: Metrics): () => void {
  const resident = metrics.gauge('process_resident_memory_bytes', 'Resident memory of the process.').labels();
  const cpu = metrics.counter('process_cpu_seconds_total', 'Processor time of the process.').labels();
  metrics
    .gauge('process_start_time_seconds', 'When the process started, since the epoch.')
    .labels()
    .set(Math.round(performance.timeOrigin) / 1000);
  return () => {
    resident.set(process.memoryUsage.rss());
    const { user, system } = process.cpuUsage();
    cpu.value = (user + system) / 1e6;
  };
}
