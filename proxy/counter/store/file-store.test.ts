import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { until } from '../../../test/support/until.ts';
import { silentLog } from '../../telemetry/log.ts';
import { monotonicClock } from '../driver/monotonic-clock.ts';
import type { LeaseDraft, LeaseName, LeaseRecord } from '../protocol/lease.ts';
import { DEFAULT_SETTINGS } from '../protocol/settings.ts';
import type { LeaseCall, LeaseResult } from '../protocol/turn.ts';
import { FileStore } from './file-store.ts';
import type { LeaseSession } from './lease-store.ts';
import { isGone, type LocalProcess, thisProcess } from './local-process.ts';
import { MembersDirectoryError, prepareMembersDirectory } from './members-directory.ts';

const LEASE_HOLDER = join(import.meta.dirname, '../testing/lease-holder.ts');
const SETTINGS = { ...DEFAULT_SETTINGS, shards: 2, callTimeoutMs: 500 };

const DRAFT: LeaseDraft = {
  phase: 'held',
  holder: 'a.1',
  transitions: 0,
  revision: 1,
  voters: ['a.1'],
  members: [],
  handover: '',
  draining: false,
  replaces: '',
  restored: false,
};

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'members-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

function storeIn(t: TestContext, directory: string, settings = SETTINGS): FileStore {
  const store = new FileStore({ directory, settings, clock: monotonicClock, log: silentLog, pollMs: 5 });
  t.after(() => store.close());
  return store;
}

/** A session that writes down what it is shown. */
function member(store: FileStore, incarnation: string) {
  const leases = new Map<LeaseName, LeaseRecord>();
  const events: string[] = [];
  const session = store.open(
    { incarnation, address: `${incarnation}.sock` },
    {
      seen: (record) => {
        leases.set(record.name, record);
        events.push(`seen ${record.name} ${record.revision}`);
      },
      gone: (name) => {
        leases.delete(name);
        events.push(`gone ${name}`);
      },
      listed: () => events.push('listed'),
      died: (other) => events.push(`died ${other}`),
    },
  );
  return { session, leases, events };
}

function call(session: LeaseSession, what: LeaseCall): Promise<LeaseResult> {
  return new Promise((resolve) => session.call(what, resolve));
}

async function written(session: LeaseSession, what: LeaseCall): Promise<LeaseRecord> {
  const result = await call(session, what);
  assert(result.outcome === 'done' && result.record !== null, result.outcome);
  return result.record;
}

test('a new store has its shards free, and shows everything before it says so', async (t) => {
  const { events } = member(storeIn(t, folder(t)), 'a.1');
  await until('all is listed', () => events.includes('listed'));
  assert.deepEqual(events, ['seen shard/0 0', 'seen shard/1 0', 'listed']);
});

test('of two that write the same state one is refused', async (t) => {
  const directory = folder(t);
  const a = member(storeIn(t, directory), 'a.1');
  const b = member(storeIn(t, directory), 'b.1');
  const name = 'member/a.1';
  const [one, other] = await Promise.all([
    call(a.session, { kind: 'create', name, draft: DRAFT }),
    call(b.session, { kind: 'create', name, draft: DRAFT }),
  ]);
  assert.deepEqual([one.outcome, other.outcome].sort(), ['done', 'refused']);
  const read = await call(b.session, { kind: 'get', name });
  assert(read.outcome === 'done' && read.record !== null);
  const expected = read.record;
  const next = { ...DRAFT, revision: 2 };
  const results = await Promise.all(
    [a, b, a].map(({ session }) => call(session, { kind: 'update', name, expected, draft: next })),
  );
  assert.deepEqual(results.map(({ outcome }) => outcome).sort(), ['done', 'refused', 'refused']);
});

test('what was removed and made again is another Lease', async (t) => {
  const { session } = member(storeIn(t, folder(t)), 'a.1');
  const name = 'member/a.1';
  const first = await written(session, { kind: 'create', name, draft: DRAFT });
  assert.equal((await call(session, { kind: 'remove', name, expected: first })).outcome, 'done');
  const second = await written(session, { kind: 'create', name, draft: DRAFT });
  assert.notEqual(second.uid, first.uid);
  const late = await call(session, { kind: 'update', name, expected: first, draft: DRAFT });
  assert.equal(late.outcome, 'refused');
});

test('changes of others are shown, in order, and where they can be reached', async (t) => {
  const directory = folder(t);
  const stores = [storeIn(t, directory), storeIn(t, directory)] as const;
  const a = member(stores[0], 'a.1');
  const b = member(stores[1], 'b.1');
  await until('listed', () => b.events.includes('listed'));
  const name = 'member/a.1';
  let record = await written(a.session, { kind: 'create', name, draft: DRAFT });
  for (let revision = 2; revision <= 5; revision++) {
    const draft = { ...DRAFT, revision };
    record = await written(a.session, { kind: 'update', name, expected: record, draft });
  }
  await until('the last one is shown', () => b.leases.get(name)?.revision === 5);
  const revisions = b.events.filter((event) => event.startsWith(`seen ${name}`)).map((e) => e.at(-1)!);
  assert.deepEqual(revisions, revisions.toSorted());
  assert.equal(stores[1].addressOf('a.1'), 'a.1.sock');
  await call(b.session, { kind: 'remove', name, expected: record });
  await until('a is told that it is gone', () => a.events.at(-1) === `gone ${name}`);
});

test('what one does, it sees as well', async (t) => {
  const { session, leases } = member(storeIn(t, folder(t)), 'a.1');
  await written(session, { kind: 'create', name: 'member/a.1', draft: DRAFT });
  await until('it is shown', () => leases.has('member/a.1'));
});

test('while another process is in the middle of a write, calls wait, and are unknown in the end', async (t) => {
  const directory = folder(t);
  const { session } = member(storeIn(t, directory), 'a.1');
  const other = new DatabaseSync(join(directory, 'leases.db'));
  t.after(() => other.close());
  other.exec('BEGIN IMMEDIATE');
  const create: LeaseCall = { kind: 'create', name: 'member/a.1', draft: DRAFT };
  const startMs = performance.now();
  assert.equal((await call(session, create)).outcome, 'unknown');
  const tookMs = performance.now() - startMs;
  assert(tookMs > 300 && tookMs < 2_000, `it took ${tookMs} ms`);
  const waiting = call(session, create);
  other.exec('ROLLBACK');
  assert.equal((await waiting).outcome, 'done');
});

test('a process that is gone is said to have died, though its Lease is held; one that runs is not', async (t) => {
  if (thisProcess() === null) return t.skip('needs /proc');
  const directory = folder(t);
  const a = member(storeIn(t, directory), 'a.1');
  const child = spawn(process.execPath, [LEASE_HOLDER, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  await until('its Lease is seen', () => a.leases.has('member/child.1'));
  assert(!a.events.includes('died child.1'));
  child.kill('SIGKILL');
  await until('it is known to be gone', () => a.events.includes('died child.1'));
  assert(!a.events.includes('died a.1'));
  const b = member(storeIn(t, directory), 'b.1');
  await until('newcomers are told', () => b.events.includes('died child.1'));
});

test('settings may change when nobody runs by the old ones, and not before', async (t) => {
  const directory = folder(t);
  const store = storeIn(t, directory);
  const { session } = member(store, 'a.1');
  const held = await written(session, { kind: 'create', name: 'member/a.1', draft: DRAFT });
  const other = { ...SETTINGS, shards: 3 };
  assert.throws(() => storeIn(t, directory, other), /member\/a\.1 with other settings/);
  await written(session, {
    kind: 'update',
    name: 'member/a.1',
    expected: held,
    draft: { ...DRAFT, phase: 'released', revision: 2 },
  });
  const { events } = member(storeIn(t, directory, other), 'b.1');
  await until('listed', () => events.includes('listed'));
  assert.equal(events.filter((event) => event.startsWith('seen shard/')).length, 3);
  const late = await call(session, { kind: 'create', name: 'member/a.2', draft: DRAFT });
  assert.equal(late.outcome, 'unknown');
});

test('a file that is no store is refused in words', (t) => {
  const directory = folder(t);
  writeFileSync(join(directory, 'leases.db'), 'x'.repeat(10_000));
  assert.throws(
    () => storeIn(t, directory),
    (error) =>
      error instanceof MembersDirectoryError && /cannot be used \(.*not a database/.test(error.message),
  );
});

test('a folder that others can write, and a file in its place, are refused in words', (t) => {
  const directory = folder(t);
  assert.equal(prepareMembersDirectory(directory), directory);
  chmodSync(directory, 0o777);
  assert.throws(() => prepareMembersDirectory(directory), /found mode 777, expected one that only its owner/);
  chmodSync(directory, 0o700);
  const file = join(directory, 'file');
  writeFileSync(file, '');
  assert.throws(() => prepareMembersDirectory(file), MembersDirectoryError);
});

test('a number that another process has by now is no sign of life', (t) => {
  const self = thisProcess();
  if (self === null) return t.skip('needs /proc');
  const other = (changed: Partial<LocalProcess>) => isGone({ ...self, ...changed }, self);
  assert.equal(other({}), false);
  assert.equal(other({ startTicks: '1' }), true);
  assert.equal(other({ pid: 2 ** 22 + 1 }), true);
  assert.equal(other({ boot: 'before' }), true);
  assert.equal(other({ pid: 2 ** 22 + 1, pidNamespace: 'pid:[1]' }), false);
});
