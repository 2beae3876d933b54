import assert from 'node:assert/strict';
import test from 'node:test';
import { systemClock } from './clock.ts';

test('waits for longer than a timer can', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const monthMs = 30 * 86_400_000;
  const maxTimerMs = 2 ** 31 - 1;
  let called = 0;
  systemClock.after(monthMs, () => called++);
  const cancel = systemClock.after(monthMs, () => assert.fail('cancelled'));
  t.mock.timers.tick(1);
  assert.equal(called, 0);
  t.mock.timers.tick(maxTimerMs - 1);
  assert.equal(called, 0);
  t.mock.timers.tick(monthMs - maxTimerMs - 1);
  assert.equal(called, 0);
  cancel();
  t.mock.timers.tick(1);
  assert.equal(called, 1);
});
