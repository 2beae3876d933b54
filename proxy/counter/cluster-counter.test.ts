import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../test/support/until.ts';
import type { Acquisition, Demand, Fallback } from './counter.ts';
import { monotonicMs } from './driver/monotonic-clock.ts';
import { acquainted } from './testing/acquainted.ts';
import { QUICK_SETTINGS } from './testing/quick-settings.ts';
import { type TestMember, testMember } from './testing/test-member.ts';

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'cluster-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** Any of them may vanish. */
async function members(t: TestContext, places: readonly string[], workers = 1): Promise<TestMember[]> {
  const directory = folder(t);
  const all = await Promise.all(places.map((place) => testMember(t, directory, place, workers)));
  for (const { counter } of all) assert(await counter.whenReady(10_000), 'the member is ready');
  await acquainted(directory, places.length);
  return all;
}

function demand(key: string, maxCount: number, fallback?: Fallback): Demand[] {
  return [{ key, maxCount, enforce: true, ...(fallback === undefined ? {} : { fallback }) }];
}

function metric({ counter, metrics }: TestMember, name: string): number {
  counter.refreshMetrics();
  return metrics.report().find((report) => report.name === name)!.series[0]!.value;
}

/** Cut off from everything: its session ends. */
function isolate(member: TestMember): void {
  member.faults.isStoreAway = true;
  member.unlink();
}

function rejoin({ faults }: TestMember): void {
  faults.isStoreAway = false;
  faults.isUnlinked = false;
}

let last = 0;

async function untilAdmitted(member: TestMember, demands: readonly Demand[]): Promise<void> {
  await until('a connection is admitted', async () => {
    const { outcome } = await member.clients[0]!.acquire(++last, demands);
    return outcome === 'admitted';
  });
}

test('workers of several processes admit exactly as many as one would', async (t) => {
  const all = await members(t, ['a', 'b', 'c'], 2);
  const clients = all.flatMap(({ clients }) => clients);
  const outcomes = await Promise.all(
    Array.from({ length: 600 }, (_, n) => clients[n % 6]!.acquire(n + 1, demand(`user-${n % 3}`, 20))),
  );
  const count = (outcome: string) => outcomes.filter((answer) => answer.outcome === outcome).length;
  assert.deepEqual([count('admitted'), count('rejected')], [60, 540]);
  const sums = all.map(({ counter }) => counter.summary(5));
  assert.equal(
    sums.reduce((sum, { connections }) => sum + connections, 0),
    60,
  );
  const top = sums.flatMap((summary) => summary.top).sort((a, b) => (a.key < b.key ? -1 : 1));
  assert.deepEqual(top, [
    { key: 'user-0', count: 20 },
    { key: 'user-1', count: 20 },
    { key: 'user-2', count: 20 },
  ]);
  assert.equal(
    all.reduce((sum, member) => sum + metric(member, 'sluice_counter_connections'), 0),
    60,
  );
});

test('what a worker held is free when its thread is gone, also what it had asked for', async (t) => {
  const [a, b] = (await members(t, ['a', 'b'], 2)) as [TestMember, TestMember];
  assert.equal((await a.clients[1]!.acquire(1, demand('alice', 2))).outcome, 'admitted');
  void a.clients[1]!.acquire(2, demand('alice', 2));
  await new Promise((resolve) => setImmediate(resolve));
  a.counter.removeWorker(1);
  await untilAdmitted(b, demand('alice', 2));
  await untilAdmitted(b, demand('alice', 2));
  assert.equal((await b.clients[0]!.acquire(++last, demand('alice', 2))).outcome, 'rejected');
});

test('a release makes room, and one that overtakes the answer leaves nothing behind', async (t) => {
  const [a] = (await members(t, ['a'])) as [TestMember];
  const client = a.clients[0]!;
  assert.equal((await client.acquire(1, demand('alice', 1))).outcome, 'admitted');
  client.release(1);
  const second = client.acquire(2, demand('alice', 1));
  await new Promise((resolve) => setImmediate(resolve));
  client.release(2);
  await second;
  assert.equal((await client.acquire(3, demand('alice', 1))).outcome, 'admitted');
});

test('a demand in dry run counts and says so, whoever owns it', async (t) => {
  const all = (await members(t, ['a', 'b'])) as [TestMember, TestMember];
  const dry = (key: string): Demand[] => [
    { key: `${key}-free`, maxCount: 5, enforce: true },
    { key, maxCount: 1, enforce: false },
  ];
  for (const key of ['k1', 'k2', 'k3', 'k4']) {
    const [first, second] = [
      await all[0].clients[0]!.acquire(++last, dry(key)),
      await all[1].clients[0]!.acquire(++last, dry(key)),
    ];
    assert.deepEqual(first, { outcome: 'admitted', exceeded: [] });
    assert.deepEqual(second, { outcome: 'admitted', exceeded: [1] });
  }
});

test('a member that is cut off closes all it holds before the others give it away, and comes back', async (t) => {
  const [a, b] = (await members(t, ['a', 'b'])) as [TestMember, TestMember];
  const closedMs: number[] = [];
  for (let n = 0; n < 30; n++) {
    const onRevoked = () => closedMs.push(monotonicMs());
    const answer = await a.clients[0]!.acquire(++last, demand(`k${n % 5}`, 6), onRevoked);
    assert.equal(answer.outcome, 'admitted');
  }
  isolate(a);
  const cutMs = monotonicMs();
  for (let n = 0; n < 5; n++) await untilAdmitted(b, demand(`k${n}`, 6));
  const givenMs = monotonicMs();
  assert.equal(closedMs.length, 30);
  assert(Math.max(...closedMs) < givenMs, 'all are closed before a slot is given to others');
  assert(Math.min(...closedMs) - cutMs > 500, 'none was closed before it had to be');
  assert.equal(metric(a, 'sluice_counter_revoked_total'), 30);
  assert.equal((await a.clients[0]!.acquire(++last, demand('k0', 6))).outcome, 'unavailable');
  assert.equal(metric(a, 'sluice_counter_member'), 0);
  rejoin(a);
  await until('a is a member again', () => a.counter.state.isReady);
  await untilAdmitted(a, demand('k0', 6));
});

test('while the store is away, members that are linked go on, exactly', async (t) => {
  const all = (await members(t, ['a', 'b', 'c'])) as [TestMember, TestMember, TestMember];
  let revoked = 0;
  const onRevoked = () => revoked++;
  for (const { clients } of all) await clients[0]!.acquire(++last, demand('alice', 4), onRevoked);
  for (const { faults } of all) faults.isStoreAway = true;
  const endMs = monotonicMs() + 3 * QUICK_SETTINGS.leaseDurationMs;
  while (monotonicMs() < endMs) {
    const answers: Acquisition[] = [];
    for (const { clients } of all) {
      const id = ++last;
      const answer = await clients[0]!.acquire(id, demand('alice', 4));
      answers.push(answer);
      if (answers.length === 3) for (let n = 0; n < 3; n++) all[n]!.clients[0]!.release(last - 2 + n);
    }
    assert.deepEqual(
      answers.map(({ outcome }) => outcome),
      ['admitted', 'rejected', 'rejected'],
    );
    await until('it is given back', async () => {
      const id = ++last;
      const isFree = (await all[0].clients[0]!.acquire(id, demand('alice', 4))).outcome === 'admitted';
      all[0].clients[0]!.release(id);
      return isFree;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal(revoked, 0);
});

test('Open admits what cannot be counted, keeps it, and counts it as soon as it can', async (t) => {
  const [a, b] = (await members(t, ['a', 'b'])) as [TestMember, TestMember];
  isolate(a);
  await until('a is in doubt', () => !a.counter.state.isMember);
  let closed = 0;
  for (let n = 0; n < 3; n++) {
    const answer = await a.clients[0]!.acquire(++last, demand('alice', 2, 'Open'), () => closed++);
    assert.deepEqual(answer, { outcome: 'admitted', exceeded: [], uncounted: 'Open' });
  }
  assert.equal((await a.clients[0]!.acquire(++last, demand('bob', 2))).outcome, 'unavailable');
  const mixed = [...demand('alice', 2, 'Open'), ...demand('bob', 2)];
  assert.equal((await a.clients[0]!.acquire(++last, mixed)).outcome, 'unavailable');
  assert.equal(metric(a, 'sluice_counter_uncounted_connections'), 3);
  rejoin(a);
  await until('they are counted', () => metric(a, 'sluice_counter_uncounted_connections') === 0);
  assert.equal((await b.clients[0]!.acquire(++last, demand('alice', 2, 'Open'))).outcome, 'rejected');
  assert.equal(closed, 0);
  // Counted by now, they are lost like any other.
  isolate(a);
  await until('they are closed', () => closed === 3);
});

test('Local admits up to a share of maxCount, counting what is there already', async (t) => {
  const all = (await members(t, ['a', 'b'])) as [TestMember, TestMember];
  const local = () => demand('alice', 5, 'Local');
  for (const { clients, counter } of all) {
    const id = ++last;
    await until('it is asked for', async () => (await clients[0]!.acquire(id, local())).outcome);
    clients[0]!.release(id);
    assert(counter.state.isMember);
  }
  await until('they have agreed', () => all.every(({ counter }) => counter.state.hasShares));
  for (const member of all) isolate(member);
  await until('both are in doubt', () => all.every(({ counter }) => !counter.state.isMember));
  const admitted: number[] = [];
  for (const { clients } of all) {
    let count = 0;
    for (let n = 0; n < 6; n++) {
      const answer = await clients[0]!.acquire(++last, local());
      if (answer.outcome === 'admitted') {
        assert.equal(answer.uncounted, 'Local');
        count++;
      } else assert.equal(answer.outcome, 'unavailable');
    }
    admitted.push(count);
  }
  assert.deepEqual(admitted.sort(), [2, 3]);
  for (const member of all) rejoin(member);
  await until('all are counted', () =>
    all.every((member) => metric(member, 'sluice_counter_uncounted_connections') === 0),
  );
  assert.equal((await all[0].clients[0]!.acquire(++last, local())).outcome, 'rejected');
});
