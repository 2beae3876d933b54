import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObjectStatus } from '../status/index.ts';
import { TotalsThrottle } from './totals-throttle.ts';

const status = (connections: number, state = 'Exact') =>
  ({ observedGeneration: 1, enforcement: { state }, totals: { connections } }) as unknown as ObjectStatus;

test('totals that change alone are shown once in a while', () => {
  const throttle = new TotalsThrottle();
  let shown: ObjectStatus | undefined;
  const seen: unknown[] = [];
  for (let second = 0; second <= 65; second++) {
    shown = throttle.throttle('a', status(second), shown, second * 1000);
    seen.push((shown as unknown as { totals: { connections: number } }).totals.connections);
  }
  assert.deepEqual([...new Set(seen)], [0, 30, 60]);
});

test('a change of anything else is shown at once, with the totals of the moment', () => {
  const throttle = new TotalsThrottle();
  const first = throttle.throttle('a', status(1), undefined, 0);
  const second = throttle.throttle('a', status(2, 'Degraded'), first, 1_000);
  assert.deepEqual(second, status(2, 'Degraded'));
  assert.deepEqual(throttle.throttle('a', status(3, 'Degraded'), second, 2_000), status(2, 'Degraded'));
});

test('totals that stood still for long are shown at once when they change', () => {
  const throttle = new TotalsThrottle();
  let shown = throttle.throttle('a', status(1), undefined, 0);
  shown = throttle.throttle('a', status(1), shown, 60_000);
  assert.deepEqual(throttle.throttle('a', status(2), shown, 61_000), status(2));
});

test('what has no totals is passed on', () => {
  const plain = { observedGeneration: 1 } as unknown as ObjectStatus;
  assert.equal(new TotalsThrottle().throttle('a', plain, undefined, 0), plain);
});
