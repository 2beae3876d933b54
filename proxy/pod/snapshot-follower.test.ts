import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually, runUntil } from '../../kubernetes/testing/eventually.ts';
import { rig } from '../../kubernetes/testing/rig.ts';
import { listener, port, snapshot as snapshotOf } from '../../test/support/snapshots.ts';
import type { Snapshot } from '../config/snapshot.ts';
import type { SecretData } from '../config/stored-snapshot.ts';
import { silentLog } from '../telemetry/log.ts';
import { SECRETS } from './secret.ts';
import { SnapshotFollower } from './snapshot-follower.ts';
import { AFFINITY_KEY, hashed, indexOf, inParts, putSecret } from './testing/stored.ts';

const NAME = 'sluice-chat-snapshot';
const GATEWAY = { namespace: 'chat', name: 'chat' };
const ONE = snapshotWith(8080);
const TWO = snapshotWith(8081);

function snapshotWith(number: number): Snapshot {
  return hashed(snapshotOf({ gateway: GATEWAY, ports: [port(number, [listener('web')])] }));
}

async function setup(t: TestContext, apply: (snapshot: Snapshot) => Promise<void> = async () => {}) {
  const base = await rig(t);
  const { server, transport, clock } = base;
  const volume = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  const served: string[] = [];
  const keys: (Uint8Array | null)[] = [];
  const said: string[] = [];
  const taken: boolean[] = [];
  const say = (first: unknown, message?: string) => void said.push(message ?? String(first));
  const follower = new SnapshotFollower({
    transport,
    clock,
    random: () => 0.5,
    log: { ...silentLog, error: say, warn: say },
    namespace: 'chat',
    secretName: NAME,
    gateway: GATEWAY,
    volume,
    apply: async (snapshot, key) => {
      served.push(snapshot.hash);
      keys.push(key);
      await apply(snapshot);
    },
    taken: (good) => taken.push(good),
    onChange: () => {},
  });
  t.after(async () => {
    await follower.stop();
    await rm(volume, { recursive: true });
  });
  const put = (data: SecretData, suffix = '') => putSecret(server, 'chat', NAME + suffix, data);
  const problem = (words: RegExp) => eventually(() => words.test(follower.problem ?? ''), String(words));
  return { ...base, follower, volume, served, keys, said, taken, put, problem };
}

/** As the kubelet lays it out: files are links into a folder that is swapped as a whole. */
async function mount(volume: string, data: SecretData): Promise<void> {
  await mkdir(join(volume, '..2026_01_01'));
  await symlink('..2026_01_01', join(volume, '..data'));
  for (const [key, value] of Object.entries(data)) {
    await writeFile(join(volume, '..2026_01_01', key), value);
    await symlink(join('..data', key), join(volume, key));
  }
}

test('serves what is stored, then each change of it, and nothing twice', async (t) => {
  const { server, follower, served, keys, taken, put } = await setup(t);
  put(indexOf(ONE));
  put(indexOf(TWO), '-of-another');
  assert.match(follower.problem ?? '', /Secret chat\/sluice-chat-snapshot has not been read yet/);
  follower.start();
  await eventually(() => served.length === 1 && follower.problem === null, 'the first');
  assert.deepEqual(keys[0], new Uint8Array(AFFINITY_KEY));
  assert.ok(server.requests.every(({ query }) => query.get('fieldSelector') === `metadata.name=${NAME}`));
  put({ ...indexOf(ONE), 'another-key': Buffer.from('x') });
  put(indexOf(TWO));
  await eventually(() => served.length === 2, 'the second');
  put(indexOf(ONE));
  await eventually(() => served.length === 3, 'the first again');
  assert.deepEqual(served, [ONE.hash, TWO.hash, ONE.hash]);
  assert.deepEqual(taken, [true, true, true]);
});

test('a change while one is being served is served afterwards, the last of several', async (t) => {
  const first = Promise.withResolvers<void>();
  const { follower, served, put } = await setup(t, ({ hash }) =>
    hash === ONE.hash ? first.promise : Promise.resolve(),
  );
  put(indexOf(ONE));
  follower.start();
  await eventually(() => served.length === 1, 'the first');
  for (const number of [9001, 9002, 9003]) put(indexOf(snapshotWith(number)));
  put(indexOf(TWO));
  await eventually(() => follower.failures === 0 && served.length === 1, 'nothing in between');
  first.resolve();
  await eventually(() => served.at(-1) === TWO.hash, 'the last');
  assert.ok(served.length <= 3, 'those in between are passed over as far as they were known together');
});

test('one that cannot be read is told of once, the last stays, and a good one heals it', async (t) => {
  const { follower, served, said, taken, put, problem } = await setup(t);
  put(indexOf(ONE));
  follower.start();
  await eventually(() => served.length === 1, 'the first');
  put({ ...indexOf(TWO), 'snapshot.gz': Buffer.from('nonsense') });
  await problem(/damaged compression/);
  put({ ...indexOf(TWO), 'snapshot.gz': Buffer.from('nonsense'), more: Buffer.from('') });
  put({});
  await problem(/found no key snapshot\.json/);
  put(indexOf(hashed(snapshotOf({ gateway: { namespace: 'chat', name: 'other' } }))));
  await problem(/found the snapshot of gateway chat\/other, expected chat\/chat/);
  assert.deepEqual(served, [ONE.hash]);
  assert.equal(said.length, 3);
  assert.deepEqual(taken, [true, false, false, false]);
  put(indexOf(ONE));
  await eventually(() => follower.problem === null, 'what is served already heals it');
  put(indexOf(TWO));
  await eventually(() => served.length === 2, 'a good one');
});

test('an index that is not there yet, or no more, is told of', async (t) => {
  const { server, follower, served, put, problem } = await setup(t);
  follower.start();
  await problem(/there is no Secret chat\/sluice-chat-snapshot yet/);
  put(indexOf(ONE));
  await eventually(() => follower.problem === null, 'served');
  server.delete(SECRETS, 'chat', NAME);
  await problem(/is gone; the last snapshot stays in force/);
  put(indexOf(ONE));
  await eventually(() => follower.problem === null, 'back');
  assert.deepEqual(served, [ONE.hash]);
});

test('parts are read one by one; those that do not fit yet are read again', async (t) => {
  const { server, clock, follower, served, taken, put, problem } = await setup(t);
  const [one, two] = [inParts(ONE, null), inParts(TWO, 'a')];
  assert.ok(one.parts.length > 1);
  for (const { suffix, data } of one.parts) put(data, `-${suffix}`);
  put(one.index);
  follower.start();
  await eventually(() => served.length === 1, 'the first');
  assert.equal(server.requestsTo(`/api/v1/namespaces/chat/secrets/${NAME}-a0`).length, 1);

  put(two.index);
  const missing = `/api/v1/namespaces/chat/secrets/${NAME}-b0`;
  await eventually(() => server.requestsTo(missing).length === 1, 'asked for');
  assert.equal(follower.problem, null, 'not worth a word yet');
  for (const { suffix, data } of two.parts.slice(0, -1)) put(data, `-${suffix}`);
  const last = two.parts.at(-1)!;
  put(one.parts.at(-1)!.data, `-${last.suffix}`);
  await runUntil(clock, () => follower.problem !== null, 'told');
  await problem(new RegExp(`part ${last.suffix} of snapshot ${ONE.hash}, expected ${TWO.hash}`));
  put(last.data, `-${last.suffix}`);
  await runUntil(clock, () => served.length === 2 && follower.problem === null, 'the second');
  assert.deepEqual(taken, [true, false, true]);
});

test('a part that the API server refuses for a moment is asked for again', async (t) => {
  const { server, clock, follower, served, put } = await setup(t);
  const { index, parts } = inParts(ONE, null);
  for (const { suffix, data } of parts) put(data, `-${suffix}`);
  put(index);
  let refusals = 0;
  server.fault = ({ path }) =>
    path.endsWith('-a0') && ++refusals <= 2
      ? { kind: 'status', status: 403, reason: 'Forbidden' }
      : undefined;
  follower.start();
  await runUntil(clock, () => served.length === 1, 'served');
  assert.equal(refusals, 3);
});

test('a start while the API server is away is a start from the volume', async (t) => {
  const { server, clock, follower, volume, served, keys, put } = await setup(t);
  put(indexOf(TWO));
  await mount(volume, indexOf(ONE));
  await server.stop();
  follower.start();
  const waited = await runUntil(clock, () => served.length === 1, 'served');
  assert.ok(waited >= 3_000 && waited < 5_000, `after ${waited} ms`);
  assert.deepEqual(served, [ONE.hash]);
  assert.deepEqual(keys[0], new Uint8Array(AFFINITY_KEY));
  await runUntil(clock, () => /ECONNREFUSED.*stays in force/.test(follower.problem ?? ''), 'said');
  await server.start();
  await runUntil(clock, () => served.length === 2, 'followed');
  assert.equal(served[1], TWO.hash);
  await eventually(() => follower.problem === null, 'all is well');
});

test('a volume is not looked at once the API server has answered', async (t) => {
  const { clock, follower, volume, served, problem } = await setup(t);
  await mount(volume, indexOf(ONE));
  follower.start();
  await problem(/there is no Secret .* yet/);
  clock.advance(60_000);
  await problem(/there is no Secret .* yet/);
  assert.deepEqual(served, []);
});

test('a volume that is empty, broken or absent is told of, and looked at again', async (t) => {
  const { server, clock, follower, volume, served } = await setup(t);
  server.fault = () => ({ kind: 'status', status: 403, reason: 'Forbidden' });
  follower.start();
  const told = (words: RegExp) => runUntil(clock, () => words.test(follower.problem ?? ''), String(words));
  await told(/403 Forbidden\); and there is no snapshot in /);
  await rm(volume, { recursive: true });
  clock.advance(5_000);
  await mkdir(volume);
  await writeFile(join(volume, 'snapshot.json'), '{}');
  await told(/found format undefined/);
  for (const [key, value] of Object.entries(inParts(ONE, null).index))
    await writeFile(join(volume, key), value);
  await told(/found no part a0/);
  for (const [key, value] of Object.entries(indexOf(ONE))) await writeFile(join(volume, key), value);
  await runUntil(clock, () => served.length === 1, 'served');
});

test('an index without a usable key for affinity is served all the same', async (t) => {
  const { follower, keys, put } = await setup(t);
  put({ ...indexOf(ONE), 'affinity-key': Buffer.from('short') });
  follower.start();
  await eventually(() => keys.length === 1, 'served');
  assert.deepEqual(keys, [null]);
});

test('a snapshot that workers cannot serve does not keep the next one from them', async (t) => {
  const stuck = Promise.withResolvers<void>();
  const { clock, follower, served, put, problem } = await setup(t, ({ hash }) =>
    hash === TWO.hash ? stuck.promise : Promise.resolve(),
  );
  put(indexOf(ONE));
  follower.start();
  await eventually(() => follower.problem === null, 'the first');
  put(indexOf(TWO));
  await eventually(() => served.length === 2, 'the second is told');
  clock.advance(30_000);
  await problem(/not every worker serves snapshot [0-9a-f]{12} after 30 s/);
  put(indexOf(ONE));
  await eventually(() => served.length === 3 && follower.problem === null, 'back to the first');
  stuck.resolve();
  put(indexOf(TWO));
  await eventually(() => served.length === 4, 'and on');
});
