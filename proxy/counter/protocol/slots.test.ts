import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from './lease.ts';
import type { Decided, Message } from './messages.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import { ShardSlots } from './slots.ts';
import { Calls, Turn } from './turn.ts';

const demands = [{ key: 'k', maxCount: 1, enforce: true }];
const older: Token = { uid: 'u', transitions: 1 };
const newer: Token = { uid: 'u', transitions: 2 };

function turnAt(nowMs: number): Turn {
  return new Turn(nowMs, new Calls());
}

function sent(turn: Turn): Message[] {
  return turn.effects.flatMap((effect) => (effect.type === 'send' ? [effect.message] : []));
}

function grant(id: number, token: Token, rest: Partial<Decided> = {}): Decided {
  const answer = { violated: -1, exceeded: [], sentMs: 0, validMs: 10_000 };
  return { type: 'decided', shard: 0, token, id, outcome: 'reserved', ...answer, ...rest };
}

test('a grant counts once, and only from the owner with the highest token heard of', () => {
  const slots = new ShardSlots(0, DEFAULT_SETTINGS);
  slots.learn(turnAt(0), 'o', older);
  const id = slots.reserve(turnAt(0), demands, true);
  slots.learn(turnAt(1), 'n', newer);
  assert.equal(slots.accepts(2, grant(id, older)), false);
  assert.equal(slots.accepts(2, grant(id, newer)), true);
  assert.equal(slots.accepts(2, grant(id, newer)), false);
  assert.equal(slots.learn(turnAt(3), 'o', older), false);
});

test('a grant is worth nothing once the tenure of its owner may be over', () => {
  const slots = new ShardSlots(0, DEFAULT_SETTINGS);
  slots.learn(turnAt(0), 'o', older);
  const id = slots.reserve(turnAt(0), demands, true);
  const lastMs = 10_000 / DEFAULT_SETTINGS.maxClockRatio;
  assert.equal(slots.accepts(lastMs + 1, grant(id, older)), false);
  assert.equal(slots.accepts(lastMs - 1, grant(id, older)), true);
});

test('what is unanswered is asked again, of whoever owns the shard by then', () => {
  const slots = new ShardSlots(0, DEFAULT_SETTINGS);
  slots.learn(turnAt(0), 'o', older);
  const id = slots.reserve(turnAt(0), demands, true);
  const turn = turnAt(1);
  slots.learn(turn, 'n', newer);
  const reserve = sent(turn).find((message) => message.type === 'reserve');
  assert.ok(reserve?.type === 'reserve' && reserve.id === id && reserve.token === newer);
});

test('a release is repeated until it is acknowledged, and keeps the floor below it', () => {
  const slots = new ShardSlots(0, DEFAULT_SETTINGS);
  slots.learn(turnAt(0), 'o', older);
  const id = slots.reserve(turnAt(0), demands, true);
  slots.release(turnAt(0), id);
  const again = turnAt(DEFAULT_SETTINGS.retryMs);
  slots.tick(again);
  const settle = sent(again)[0];
  assert.ok(settle?.type === 'settle');
  assert.deepEqual([settle.released, settle.floor], [[id], id - 1]);
  slots.onSettled({ type: 'settled', shard: 0, token: older, confirmed: [], released: [id] });
  assert.equal(slots.unsettledCount, 0);
});
