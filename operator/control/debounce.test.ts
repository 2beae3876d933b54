import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../kubernetes/testing/manual-clock.ts';
import { Debounce } from './debounce.ts';

function setUp(maxDelayMs = 250) {
  const clock = new ManualClock();
  const runs: number[] = [];
  const debounce = new Debounce({
    clock,
    quietMs: 20,
    maxDelayMs: () => maxDelayMs,
    work: () => void runs.push(clock.now()),
  });
  return { clock, runs, debounce };
}

test('changes that come together are one piece of work, once it is quiet', async () => {
  const { clock, runs, debounce } = setUp();
  const start = clock.now();
  for (let change = 0; change < 5; change++) {
    debounce.changed();
    clock.advance(10);
  }
  assert.deepEqual(runs, []);
  clock.advance(10);
  assert.deepEqual(runs, [start + 60]);
  clock.advance(1_000);
  assert.equal(runs.length, 1);
});

test('changes without a pause put the work off no longer than the limit', async () => {
  const { clock, runs, debounce } = setUp(100);
  const start = clock.now();
  for (let elapsed = 0; elapsed < 400; elapsed += 10) {
    debounce.changed();
    clock.advance(10);
    await Promise.resolve();
    await Promise.resolve();
  }
  assert.deepEqual(runs[0], start + 100);
  assert.ok(runs.length >= 3, `worked ${runs.length} times`);
});

test('a change while working leads to one more run, after the first', async () => {
  const clock = new ManualClock();
  const first = Promise.withResolvers<void>();
  let runs = 0;
  const debounce = new Debounce({
    clock,
    quietMs: 20,
    maxDelayMs: () => 100,
    work: () => {
      runs++;
      return runs === 1 ? first.promise : undefined;
    },
  });
  debounce.changed();
  clock.advance(20);
  debounce.changed();
  clock.advance(1_000);
  assert.equal(runs, 1);
  first.resolve();
  await new Promise(setImmediate);
  clock.advance(20);
  assert.equal(runs, 2);
});

test('nothing is done after the stop', () => {
  const { clock, runs, debounce } = setUp();
  debounce.changed();
  debounce.stop();
  debounce.changed();
  clock.advance(1_000);
  assert.deepEqual(runs, []);
});
