import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../test/support/until.ts';
import { formatExposition } from './exposition.ts';
import { Metrics } from './metrics.ts';
import { processMetrics, threadMetrics } from './process-metrics.ts';

test('a stalled event loop shows, and memory is reported', async () => {
  const metrics = new Metrics();
  const refresh = threadMetrics(metrics, 'main');
  const refreshProcess = processMetrics(metrics);
  const value = (name: string): number => {
    refresh();
    refreshProcess();
    const line = formatExposition(metrics.report())
      .split('\n')
      .find((text) => text.startsWith(name));
    return Number(line?.split(' ').at(-1));
  };
  let round = 0;
  await until('a stall of 200 ms shows', () => {
    // The first measurement after a report is only where the next one counts from.
    if (round++ % 2 === 1) {
      const end = performance.now() + 200;
      while (performance.now() < end);
      return false;
    }
    return value('sluice_event_loop_delay_seconds') > 0.1;
  });
  assert.ok(value('sluice_heap_used_bytes') > 1_000_000);
  assert.ok(value('process_resident_memory_bytes') > value('sluice_heap_used_bytes'));
  assert.ok(value('process_cpu_seconds_total') > 0.1);
});
