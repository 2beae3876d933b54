import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatExposition, mergeReports } from './exposition.ts';
import { Metrics } from './metrics.ts';

test('series of several threads are added up and printed in the text format', () => {
  const threads = [new Metrics(), new Metrics()];
  for (const [index, metrics] of threads.entries()) {
    metrics
      .counter('sluice_b_total', 'B.\nSecond line', ['rule'])
      .labels('a"\\\n')
      .add(index + 1);
    const histogram = metrics.histogram('sluice_a_seconds', 'A.', [], [0.1, 1]).labels();
    histogram.observe(0.1);
    histogram.observe(5);
  }
  threads[1]?.counter('sluice_b_total', '', ['rule']).labels('only here').add(4);

  assert.equal(
    formatExposition(mergeReports(threads.map((metrics) => metrics.report()))),
    [
      '# HELP sluice_a_seconds A.',
      '# TYPE sluice_a_seconds histogram',
      'sluice_a_seconds_bucket{le="0.1"} 2',
      'sluice_a_seconds_bucket{le="1"} 2',
      'sluice_a_seconds_bucket{le="+Inf"} 4',
      'sluice_a_seconds_sum 10.2',
      'sluice_a_seconds_count 4',
      '# HELP sluice_b_total B.\\nSecond line',
      '# TYPE sluice_b_total counter',
      'sluice_b_total{rule="a\\"\\\\\\n"} 3',
      'sluice_b_total{rule="only here"} 4',
      '',
    ].join('\n'),
  );
});

test('a series is the same object for the same labels until it is removed', () => {
  const family = new Metrics().counter('sluice_x_total', 'X.', ['pool']);
  const series = family.labels('p');
  assert.equal(family.labels('p'), series);
  family.remove('p');
  assert.equal(family.report().series.length, 0);
  assert.throws(() => family.labels(), /found 0 label values, expected 1/);
});

test('one name cannot be two kinds', () => {
  const metrics = new Metrics();
  metrics.counter('sluice_x', 'X.');
  assert.throws(() => metrics.gauge('sluice_x', 'X.'), /sluice_x is a counter, not a gauge/);
});
