import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleListStatus } from './conditions.ts';
import { withTotalsOf } from './totals.ts';

function ruleList(connections: number | null, message: string): RuleListStatus {
  return {
    ancestors: [],
    enforcement: { state: 'Exact', message },
    ...(connections !== null && { totals: { connections, rejected: 0, disconnected: 0 } }),
  };
}

test('totals stay as they were, and all else is new', () => {
  assert.deepEqual(withTotalsOf(ruleList(1, 'a'), ruleList(2, 'b')), ruleList(1, 'b'));
});

test('totals that were not there, or are no longer, are taken as they come', () => {
  assert.deepEqual(withTotalsOf(undefined, ruleList(2, 'b')), ruleList(2, 'b'));
  assert.deepEqual(withTotalsOf(ruleList(null, 'a'), ruleList(2, 'b')), ruleList(2, 'b'));
  assert.deepEqual(withTotalsOf(ruleList(1, 'a'), ruleList(null, 'b')), ruleList(null, 'b'));
});

test('a status without totals is as it is', () => {
  const status = { conditions: [] };
  assert.equal(withTotalsOf(status, status), status);
});
