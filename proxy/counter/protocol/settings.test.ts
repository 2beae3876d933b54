import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_SETTINGS, settingsProblems } from './settings.ts';

test('the default settings can work', () => {
  assert.deepEqual(settingsProblems(DEFAULT_SETTINGS), []);
});

test('a lease that does not outlast two renewals is named', () => {
  assert.deepEqual(settingsProblems({ ...DEFAULT_SETTINGS, leaseDurationMs: 14_000 }), [
    'leaseDurationMs: found 14000, expected more than 14000: two renewals, a timeout, closing',
  ]);
});

test('a ratio below one and a missing number are named', () => {
  const problems = settingsProblems({ ...DEFAULT_SETTINGS, maxClockRatio: 0.9, retryMs: Number.NaN });
  assert.ok(problems.includes('maxClockRatio: found 0.9, expected at least 1'));
  assert.ok(problems.includes('retryMs: found NaN, expected a positive number'));
});
