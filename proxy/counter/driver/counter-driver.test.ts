import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../../test/support/until.ts';
import { silentLog } from '../../telemetry/log.ts';
import type { Acquisition, Demand } from '../counter.ts';
import { SocketTransport } from '../link/socket-transport.ts';
import { draftOf, type LeaseRecord } from '../protocol/lease.ts';
import type { LeaseResult } from '../protocol/turn.ts';
import { FileStore } from '../store/file-store.ts';
import { acquainted } from '../testing/acquainted.ts';
import { QUICK_SETTINGS } from '../testing/quick-settings.ts';
import { CounterDriver } from './counter-driver.ts';
import { monotonicClock } from './monotonic-clock.ts';

interface TestMember {
  readonly driver: CounterDriver;
  /** Connections that are open. */
  readonly open: Set<number>;
  acquire(connection: number, demands: readonly Demand[]): Promise<Acquisition>;
  release(connection: number): void;
  sessionEndMs(): number;
  losses(): number;
  /** Ends without a word to anybody. */
  vanish(): Promise<void>;
}

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'driver-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function member(t: TestContext, directory: string, place: string): Promise<TestMember> {
  const settings = QUICK_SETTINGS;
  const clock = monotonicClock;
  const store = new FileStore({ directory, settings, clock, log: silentLog, pollMs: 10 });
  const transport = await SocketTransport.listen(directory);
  const waiting = new Map<number, (acquisition: Acquisition) => void>();
  const open = new Set<number>();
  let sessionEndMs = Number.NEGATIVE_INFINITY;
  let losses = 0;
  const driver = new CounterDriver({
    place,
    settings,
    store,
    transport,
    clock,
    random: () => 0.5,
    log: silentLog,
    events: {
      answered: (connection, acquisition) => {
        if (acquisition.outcome === 'admitted') open.add(connection);
        waiting.get(connection)!(acquisition);
        waiting.delete(connection);
      },
      revoked: (connections) => {
        for (const connection of connections) open.delete(connection);
      },
      lost: () => {
        losses++;
        open.clear();
      },
      sessionEnds: (endMs) => {
        sessionEndMs = endMs;
      },
      delayed: () => {},
    },
  });
  let isGone = false;
  const vanish = async () => {
    if (isGone) return;
    isGone = true;
    open.clear();
    await store.close();
    await driver.stop(0);
    await transport.close();
  };
  t.after(vanish);
  await driver.start();
  return {
    driver,
    open,
    acquire: (connection, demands) => {
      const { promise, resolve } = Promise.withResolvers<Acquisition>();
      waiting.set(connection, resolve);
      driver.acquire(connection, demands);
      return promise;
    },
    release: (connection) => {
      open.delete(connection);
      driver.release(connection);
    },
    sessionEndMs: () => sessionEndMs,
    losses: () => losses,
    vanish,
  };
}

const one = (key: string, maxCount: number): Demand[] => [{ key, maxCount, enforce: true }];

/** Asks under new numbers until it is admitted. */
let lastConnection = 1_000_000;
async function admitted(member: TestMember, demands: readonly Demand[]): Promise<number> {
  let connection = 0;
  await until('a connection is admitted', async () => {
    connection = ++lastConnection;
    return (await member.acquire(connection, demands)).outcome === 'admitted';
  });
  return connection;
}

/** Ready to decide on keys of all shards. */
async function ready(member: TestMember): Promise<void> {
  for (let at = 0; at < 8; at++) member.release(await admitted(member, one(`ready-${at}`, 1_000)));
}

test('one member alone counts, and owns all shards', async (t) => {
  const a = await member(t, folder(t), 'a');
  await admitted(a, one('alice', 1));
  assert.equal((await a.acquire(2, one('alice', 1))).outcome, 'rejected');
  assert(a.sessionEndMs() > monotonicClock.now());
  const { state } = a.driver;
  assert(state.isMember && state.owned.length === QUICK_SETTINGS.shards);
  assert.deepEqual([...a.driver.ownedCounts()], [['alice', 1]]);
});

test('three members admit exactly as many as one would, over all keys of a connection', async (t) => {
  const directory = folder(t);
  const members = [
    await member(t, directory, 'a'),
    await member(t, directory, 'b'),
    await member(t, directory, 'c'),
  ];
  await Promise.all(members.map(ready));
  const asked = Array.from({ length: 300 }, (_, n) => {
    const demands = [...one(`user-${n % 10}`, 6), ...one(`address-${n % 3}`, 15)];
    return members[n % 3]!.acquire(n + 1, demands);
  });
  const outcomes = await Promise.all(asked);
  const admittedCount = outcomes.filter(({ outcome }) => outcome === 'admitted').length;
  // Each address has room for 15, and no user needs more than 6 of these.
  assert.equal(admittedCount, 45);
  assert.equal(
    members.reduce((sum, { open }) => sum + open.size, 0),
    45,
  );
});

test('a member that leaves as planned hands over: nobody waits, and its slots are free', async (t) => {
  const directory = folder(t);
  const a = await member(t, directory, 'a');
  const b = await member(t, directory, 'b');
  await Promise.all([ready(a), ready(b)]);
  const kept = await admitted(b, one('alice', 2));
  const leaving = await admitted(a, one('alice', 2));
  const stopped = a.driver.stop(10_000);
  a.release(leaving);
  let answers = 0;
  let isStopped = false;
  void stopped.then(() => {
    isStopped = true;
  });
  while (!isStopped) {
    const { outcome } = await b.acquire(++lastConnection, one(`k${answers++ % 7}`, 1_000_000));
    assert.equal(outcome, 'admitted', `of ${answers}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(b.driver.state.owned.length, QUICK_SETTINGS.shards);
  assert(b.open.has(kept));
  await admitted(b, one('alice', 2));
  assert.equal((await b.acquire(++lastConnection, one('alice', 2))).outcome, 'rejected');
});

test('the slots of a member that vanished come free soon, and never before its session is over', async (t) => {
  const directory = folder(t);
  const a = await member(t, directory, 'a');
  const b = await member(t, directory, 'b');
  await Promise.all([ready(a), ready(b)]);
  await acquainted(directory, 2);
  await admitted(a, one('alice', 1));
  const endMs = a.sessionEndMs();
  const vanishedMs = monotonicClock.now();
  await a.vanish();
  await admitted(b, one('alice', 1));
  const tookMs = monotonicClock.now() - vanishedMs;
  assert(monotonicClock.now() >= endMs, 'the session of the one that vanished had not ended');
  assert(tookMs < 3 * QUICK_SETTINGS.leaseDurationMs, `it took ${tookMs} ms`);
});

test('a member whose session was ended closes everything and joins anew', async (t) => {
  const directory = folder(t);
  const a = await member(t, directory, 'a');
  await admitted(a, one('alice', 1));
  const { incarnation } = a.driver.state;
  const other = new FileStore({
    directory,
    settings: QUICK_SETTINGS,
    clock: monotonicClock,
    log: silentLog,
  });
  t.after(() => other.close());
  const nothing = () => {};
  const session = other.open(
    { incarnation: 'x.1', address: '' },
    { seen: nothing, gone: nothing, listed: nothing, died: nothing },
  );
  await until('its Lease is ended', async () => {
    const name = `member/${incarnation}`;
    const read = await new Promise<LeaseResult>((resolve) => session.call({ kind: 'get', name }, resolve));
    assert(read.outcome === 'done');
    const expected = read.record as LeaseRecord;
    const draft = { ...draftOf(expected), phase: 'ended', revision: expected.revision + 1 } as const;
    const update = { kind: 'update', name, expected, draft } as const;
    return new Promise<boolean>((resolve) =>
      session.call(update, ({ outcome }) => resolve(outcome === 'done')),
    );
  });
  await until('it is somebody else', () => ![incarnation, ''].includes(a.driver.state.incarnation));
  assert.equal(a.losses(), 1);
  assert.equal(a.open.size, 0);
  await admitted(a, one('alice', 1));
});

test('shares are used when all have said that they know each other, and add up to maxCount', async (t) => {
  const directory = folder(t);
  const members = [await member(t, directory, 'a'), await member(t, directory, 'b')];
  assert.equal(members[0]!.driver.localShare('alice', 5), 0);
  for (const { driver } of members) driver.agreeOnShares();
  const shares = () => members.map(({ driver }) => driver.localShare('alice', 5));
  await until('they agree', () => shares().every((share) => share > 0));
  assert.deepEqual(shares().sort(), [2, 3]);
  // A third one that asks nobody and answers is counted by the others, too.
  const c = await member(t, directory, 'c');
  await until('it is counted', () => shares().reduce((sum, share) => sum + share, 0) < 5);
  assert.equal(c.driver.localShare('alice', 5), 0);
});
