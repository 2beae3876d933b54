import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attempt, type Part } from './acquisition.ts';
import type { Decided, DecisionOutcome } from './messages.ts';
import { shardOfKey } from './placement.ts';

const SHARDS = 4;

function keyIn(shard: number): string {
  let at = 0;
  while (shardOfKey(`k${at}`, SHARDS) !== shard) at++;
  return `k${at}`;
}

function attemptOver(...shards: number[]): Attempt {
  const demands = shards.map((shard) => ({ key: keyIn(shard), maxCount: 1, enforce: true }));
  return new Attempt(1, demands, SHARDS, 1000);
}

function decide(attempt: Attempt, part: Part, outcome: DecisionOutcome) {
  part.state = 'asked';
  const rest = { violated: outcome === 'rejected' ? 0 : -1, exceeded: [], sentMs: 0, validMs: 1000 };
  const token = { uid: 'u', transitions: 1 };
  const decided: Decided = { type: 'decided', shard: part.shard, token, id: part.id, outcome, ...rest };
  return attempt.onDecided(part, decided);
}

test('all shards are asked at once; with all reserved it is admitted', () => {
  const attempt = attemptOver(2, 0);
  const [low, high] = attempt.parts as [Part, Part];
  assert.deepEqual([low.shard, high.shard], [0, 2]);
  assert.equal(attempt.isLast(low), false);
  assert.equal(decide(attempt, low, 'reserved'), 'wait');
  assert.equal(decide(attempt, high, 'reserved'), 'admit');
});

test('the first violated demand over all shards is named', () => {
  const attempt = attemptOver(3, 1, 0);
  const [zero, one, three] = attempt.parts as [Part, Part, Part];
  decide(attempt, zero, 'reserved');
  decide(attempt, one, 'rejected');
  assert.equal(decide(attempt, three, 'rejected'), 'reject');
  assert.deepEqual(attempt.rejected(), { outcome: 'rejected', violated: 0, exceeded: [] });
});

test('where one is busy it starts over, one shard after the other, waiting where it is busy', () => {
  const attempt = attemptOver(0, 1);
  const [low, high] = attempt.parts as [Part, Part];
  decide(attempt, low, 'busy');
  assert.equal(decide(attempt, high, 'reserved'), 'in-order');
  attempt.inOrder = true;
  for (const part of attempt.parts) part.state = 'idle';
  assert.equal(attempt.nextInOrder(), low);
  assert.equal(decide(attempt, low, 'busy'), 'again');
  assert.equal(attempt.nextInOrder(), low);
  assert.equal(decide(attempt, low, 'reserved'), 'again');
  assert.equal(attempt.nextInOrder(), high);
  assert.equal(attempt.isLast(high), true);
  assert.equal(decide(attempt, high, 'reserved'), 'admit');
});

test('a rejection counts more than a busy shard', () => {
  const attempt = attemptOver(0, 1);
  const [low, high] = attempt.parts as [Part, Part];
  decide(attempt, low, 'busy');
  assert.equal(decide(attempt, high, 'rejected'), 'reject');
});
