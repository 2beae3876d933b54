import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Acquisition, ConnectionId, Demand } from './counter.ts';
import { LocalCounter, type MemberId } from './local-counter.ts';

function demand(key: string, maxCount: number, enforce = true): Demand {
  return { key, maxCount, enforce };
}

function counterWith(...members: MemberId[]): LocalCounter {
  const counter = new LocalCounter();
  for (const member of members) counter.addMember(member);
  return counter;
}

const admitted = { outcome: 'admitted', exceeded: [] };

test('a key has room for maxCount connections, whichever member asks', () => {
  const counter = counterWith(1, 2);
  assert.deepEqual(counter.acquire(1, 1, [demand('a', 2)]), admitted);
  assert.deepEqual(counter.acquire(2, 1, [demand('a', 2)]), admitted);
  const refused = { outcome: 'rejected', violated: 0, exceeded: [] };
  assert.deepEqual(counter.acquire(1, 2, [demand('a', 2)]), refused);
  counter.release(2, 1);
  assert.deepEqual(counter.acquire(1, 3, [demand('a', 2)]), admitted);
  assert.equal(counter.count('a'), 2);
});

test('a connection that the second key refuses leaves no trace on the first', () => {
  const counter = counterWith(1);
  counter.acquire(1, 1, [demand('b', 1)]);
  const refused = counter.acquire(1, 2, [demand('a', 9), demand('b', 1)]);
  assert.deepEqual(refused, { outcome: 'rejected', violated: 1, exceeded: [] });
  assert.equal(counter.count('a'), 0);
  assert.equal(counter.connectionCount, 1);
});

test('the first violated demand is the one that is named', () => {
  const counter = counterWith(1);
  const demands = [demand('a', 1), demand('b', 0), demand('c', 0)];
  assert.deepEqual(counter.acquire(1, 1, demands), { outcome: 'rejected', violated: 1, exceeded: [] });
});

test('an unenforced demand is counted and reported, and refuses nothing', () => {
  const counter = counterWith(1);
  counter.acquire(1, 1, [demand('a', 1, false)]);
  const second = counter.acquire(1, 2, [demand('b', 1), demand('a', 1, false)]);
  assert.deepEqual(second, { outcome: 'admitted', exceeded: [1] });
  assert.equal(counter.count('a'), 2);
});

test('acquiring and releasing again changes nothing', () => {
  const counter = counterWith(1);
  const demands = [demand('a', 1), demand('b', 1)];
  counter.acquire(1, 1, demands);
  assert.deepEqual(counter.acquire(1, 1, demands), admitted);
  assert.equal(counter.count('a'), 1);
  counter.release(1, 1);
  counter.release(1, 1);
  assert.equal(counter.count('a'), 0);
  assert.equal(counter.keyCount, 0);
});

test('a resent acquisition of a connection that is over is not decided again', () => {
  const counter = counterWith(1);
  counter.acquire(1, 1, [demand('a', 1)]);
  counter.acquire(1, 2, [demand('a', 1)]);
  counter.release(1, 1);
  assert.equal(counter.acquire(1, 1, [demand('a', 1)]).outcome, 'unavailable');
  assert.equal(counter.acquire(1, 2, [demand('a', 1)]).outcome, 'unavailable');
  assert.equal(counter.count('a'), 0);
});

test('a release that overtakes its acquisition counts', () => {
  const counter = counterWith(1);
  counter.release(1, 5);
  assert.equal(counter.acquire(1, 5, [demand('a', 1)]).outcome, 'unavailable');
  assert.equal(counter.count('a'), 0);
  assert.deepEqual(counter.acquire(1, 6, [demand('a', 1)]), admitted);
});

test('the same key twice in one acquisition is held once', () => {
  const counter = counterWith(1);
  assert.deepEqual(counter.acquire(1, 1, [demand('a', 1), demand('a', 5)]), admitted);
  assert.equal(counter.count('a'), 1);
  counter.release(1, 1);
  assert.equal(counter.count('a'), 0);
});

test('a lowered maximum stops new connections and closes none', () => {
  const counter = counterWith(1);
  for (let id = 1; id <= 5; id++) counter.acquire(1, id, [demand('a', 5)]);
  assert.equal(counter.acquire(1, 6, [demand('a', 2)]).outcome, 'rejected');
  assert.equal(counter.count('a'), 5);
  for (let id = 1; id <= 4; id++) counter.release(1, id);
  assert.equal(counter.acquire(1, 7, [demand('a', 2)]).outcome, 'admitted');
});

test('a member leaves with all it holds, and what it still sends changes nothing', () => {
  const counter = counterWith(1, 2);
  for (let id = 1; id <= 100; id++) counter.acquire(1, id, [demand('a', 1000), demand(`k${id}`, 1)]);
  counter.acquire(2, 1, [demand('a', 1000)]);
  counter.removeMember(1);
  assert.equal(counter.count('a'), 1);
  assert.equal(counter.keyCount, 1);
  assert.equal(counter.acquire(1, 101, [demand('a', 1000)]).outcome, 'unavailable');
  counter.release(1, 5);
  assert.equal(counter.connectionCount, 1);
});

test('top lists the keys with the most connections first', () => {
  const counter = counterWith(1);
  let id = 0;
  for (const [key, count] of Object.entries({ a: 2, b: 5, c: 1, d: 4 })) {
    for (let i = 0; i < count; i++) counter.acquire(1, ++id, [demand(key, 9)]);
  }
  assert.deepEqual(counter.top(3), [
    { key: 'b', count: 5 },
    { key: 'd', count: 4 },
    { key: 'a', count: 2 },
  ]);
});

/** The definition, as plainly as it can be written: for every key the set of those who hold it. */
class Model {
  readonly holders = new Map<string, Set<string>>();
  readonly members = new Map<MemberId, { decided: ConnectionId; released: Set<ConnectionId> }>();

  acquire(member: MemberId, connection: ConnectionId, demands: readonly Demand[]): Acquisition['outcome'] {
    const state = this.members.get(member);
    if (state === undefined) return 'unavailable';
    const who = `${member}/${connection}`;
    if ([...this.holders.values()].some((set) => set.has(who))) return 'admitted';
    const over = connection <= state.decided || state.released.has(connection);
    state.decided = Math.max(state.decided, connection);
    if (over) return 'unavailable';
    const full = demands.some(({ key, maxCount, enforce }) => enforce && this.count(key) >= maxCount);
    if (full) return 'rejected';
    for (const { key } of demands) {
      this.holders.set(key, (this.holders.get(key) ?? new Set()).add(who));
    }
    return 'admitted';
  }

  release(member: MemberId, connection: ConnectionId): void {
    for (const set of this.holders.values()) set.delete(`${member}/${connection}`);
    this.members.get(member)?.released.add(connection);
  }

  removeMember(member: MemberId): void {
    this.members.delete(member);
    for (const set of this.holders.values()) {
      for (const who of set) if (who.startsWith(`${member}/`)) set.delete(who);
    }
  }

  count(key: string): number {
    return this.holders.get(key)?.size ?? 0;
  }
}

const KEYS = ['a', 'b', 'c', 'd'];
const aMember = fc.integer({ min: 1, max: 3 });
const aConnection = fc.integer({ min: 1, max: 30 });
const someDemands = fc.array(
  fc.record({
    key: fc.constantFrom(...KEYS),
    maxCount: fc.integer({ min: 0, max: 4 }),
    enforce: fc.boolean(),
  }),
  { maxLength: 4 },
);
const aStep = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant('acquire' as const), aMember, aConnection, someDemands) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('release' as const), aMember, aConnection) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('restart' as const), aMember) },
);

test('behaves as its definition under any sequence of acquisitions, releases, resends and crashes', () => {
  fc.assert(
    fc.property(fc.array(aStep, { maxLength: 80 }), (steps) => {
      const counter = counterWith(1, 2, 3);
      const model = new Model();
      for (const member of [1, 2, 3]) model.members.set(member, { decided: 0, released: new Set() });
      const incarnations = new Map([1, 2, 3].map((member) => [member, member]));
      let lastIncarnation = 3;
      for (const step of steps) {
        const member = incarnations.get(step[1])!;
        if (step[0] === 'acquire') {
          const { outcome } = counter.acquire(member, step[2], step[3]);
          assert.equal(outcome, model.acquire(member, step[2], step[3]));
        } else if (step[0] === 'release') {
          counter.release(member, step[2]);
          model.release(member, step[2]);
        } else {
          counter.removeMember(member);
          model.removeMember(member);
          incarnations.set(step[1], ++lastIncarnation);
          counter.addMember(lastIncarnation);
          model.members.set(lastIncarnation, { decided: 0, released: new Set() });
        }
        for (const key of KEYS) assert.equal(counter.count(key), model.count(key));
        const holders = new Set([...model.holders.values()].flatMap((set) => [...set]));
        assert.equal(counter.connectionCount, holders.size);
      }
    }),
    { numRuns: 500 },
  );
});
