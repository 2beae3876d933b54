import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../kubernetes/testing/manual-clock.ts';
import type { CounterNode } from '../protocol/node.ts';
import type { Effect, Event } from '../protocol/turn.ts';
import { newIncarnation, placeOf } from './incarnation.ts';
import { Turns } from './turns.ts';

/** Turns of a node that does as it is told. */
function turnsOf(handle: (event: Event, nowMs: number) => readonly Effect[]) {
  const clock = new ManualClock();
  const log: string[] = [];
  const node = { wakeAtMs: Number.POSITIVE_INFINITY, closeByMs: 0 };
  const turns: Turns = new Turns({
    node: {
      handle,
      wakeAtMs: () => node.wakeAtMs,
      member: { closeByMs: () => node.closeByMs },
    } as unknown as CounterNode,
    clock,
    carryOut: (effect) => {
      log.push(effect.type === 'answer' ? `answer ${effect.connection}` : effect.type);
      if (effect.type === 'answer' && effect.connection === 1)
        turns.handle({ type: 'release', connection: 1 });
    },
    onSessionEnd: (endMs) => log.push(`ends ${endMs}`),
    onDelay: (delayMs) => log.push(`late ${delayMs}`),
    onBroken: (error) => log.push(`broken: ${(error as Error).message}`),
  });
  return { turns, clock, log, node };
}

const answer = (connection: number): Effect => ({
  type: 'answer',
  connection,
  acquisition: { outcome: 'admitted', exceeded: [] },
});

test('what an effect brings about waits until all effects of the turn are carried out', () => {
  const { turns, log } = turnsOf((event) =>
    event.type === 'acquire' ? [answer(1), answer(2)] : [answer(3)],
  );
  turns.handle({ type: 'acquire', connection: 1, demands: [] });
  assert.deepEqual(log, ['answer 1', 'answer 2', 'answer 3']);
});

test('the end of the session is told before what follows from it is carried out', () => {
  const { turns, log, node } = turnsOf(() => [{ type: 'close', connections: [7] }]);
  node.closeByMs = 5;
  turns.handle({ type: 'release', connection: 1 });
  assert.deepEqual(log, ['ends 5', 'close']);
});

test('it wakes when it is due, by the clock as it is then, and says how late that was', () => {
  const times: number[] = [];
  const { turns, clock, log, node } = turnsOf((_event, nowMs) => {
    times.push(nowMs);
    return [];
  });
  node.wakeAtMs = clock.now() + 10.4;
  turns.handle({ type: 'wake' });
  node.wakeAtMs = Number.POSITIVE_INFINITY;
  clock.advance(10);
  assert.equal(times.length, 1);
  clock.advance(1);
  assert.equal(times.length, 2);
  assert.deepEqual(log.filter((line) => line.startsWith('late')).length, 1);
  assert.equal(clock.pending, 0);
});

test('a state that cannot be ends the turns', () => {
  const { turns, log, clock, node } = turnsOf((event) => {
    if (event.type === 'release') throw new Error('a key is given back as often as it was taken');
    return [];
  });
  node.wakeAtMs = clock.now() + 10;
  turns.handle({ type: 'wake' });
  turns.handle({ type: 'release', connection: 1 });
  turns.handle({ type: 'release', connection: 2 });
  assert.deepEqual(log.slice(1), ['broken: a key is given back as often as it was taken']);
  assert.equal(clock.pending, 0);
});

test('names of incarnations differ, and say where they live', () => {
  const names = new Set(Array.from({ length: 100 }, () => newIncarnation('chat-7d9f.x')));
  assert.equal(names.size, 100);
  for (const name of names) assert.equal(placeOf(name), 'chat-7d9f.x');
  assert.throws(() => newIncarnation('A/B'), /found "A\/B", expected lower-case/);
});
