import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatExposition } from './exposition.ts';
import { Metrics } from './metrics.ts';
import { processMetrics, threadMetrics } from './process-metrics.ts';

test('a stalled event loop shows, once, and memory is reported', async () => {
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
  // The monitor needs a turn to start with.
  await new Promise((resolve) => setTimeout(resolve, 30));
  const until = performance.now() + 200;
  while (performance.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.ok(value('sluice_event_loop_delay_seconds') > 0.1);
  assert.ok(value('sluice_heap_used_bytes') > 1_000_000);
  assert.ok(value('process_resident_memory_bytes') > value('sluice_heap_used_bytes'));
  assert.ok(value('process_cpu_seconds_total') > 0.1);
});
