import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import vm from 'node:vm';
import type { KubernetesObject } from './objects.ts';
import { eventually, runUntil } from './testing/eventually.ts';
import type { Fault } from './testing/fake-api-server.ts';
import { CONFIG_MAPS, CONFIG_MAPS_PATH, configMap, rig } from './testing/rig.ts';
import { seededRandom } from './testing/seeded-random.ts';

test('what a handler throws ends the process', () => {
  const script = fileURLToPath(import.meta.resolve('./testing/handler-that-throws.ts'));
  const { status, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8', timeout: 30_000 });
  assert.equal(status, 1);
  assert.match(stderr, /A handler of changes failed for chat\/a/);
  assert.match(stderr, /a bug of ours/);
});

test('errors of the server are outlived, in lists and watches', async (t) => {
  const r = await rig(t);
  let count = 0;
  r.server.fault = () => {
    switch (count++ % 6) {
      case 0:
        return { kind: 'status', status: 500, reason: 'InternalError' };
      case 1:
        return { kind: 'cut' };
      case 2:
        return { kind: 'raw', status: 503, body: 'no JSON\nat all' };
      case 3:
        return { kind: 'raw', status: 200, body: '{"kind":"Nonsense"}' };
      case 4:
        return { kind: 'status', status: 403, reason: 'Forbidden' };
      default:
        return undefined;
    }
  };
  const reflector = r.reflector();
  await runUntil(r.clock, () => r.server.watches.size === 1, 'a watch');
  assert.match(r.lines.join('\n'), /list configmaps: no JSON \(503\)/);
  r.server.put(CONFIG_MAPS, configMap('a', '1'));
  await runUntil(r.clock, () => reflector.store.size === 1, 'the change');
});

test('with everything going wrong at random, the store ends up as the server has it', async (t) => {
  for (let seed = 1; seed <= 8; seed++) await t.test(`seed ${seed}`, (t) => shaken(t, seed));
});

/** Changes, cuts, compactions, refusals and restarts in random order; then peace, and a comparison. */
async function shaken(t: TestContext, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const r = await rig(t);
  r.server.chunkBytes = seed % 2 === 0 ? 50 : 0;
  const faults: Fault[] = [
    { kind: 'cut' },
    { kind: 'status', status: 500 },
    { kind: 'status', status: 429, retryAfter: 1 },
    { kind: 'status', status: 410, reason: 'Expired' },
    { kind: 'raw', status: 200, body: '{"type":"ADD' },
  ];
  let isTroubled = true;
  r.server.fault = () =>
    isTroubled && random() < 0.3 ? faults[Math.floor(random() * faults.length)] : undefined;
  const lastTold = new Map<string, string | undefined>();
  const reflector = r.reflector({
    pageSize: 5,
    random,
    onChange: (key) => lastTold.set(key, reflector.store.get(key)?.metadata.resourceVersion),
  });
  for (let step = 0; step < 400; step++) {
    const name = `m${Math.floor(random() * 20)}`;
    const choice = random();
    if (choice < 0.6) r.server.put(CONFIG_MAPS, configMap(name, String(step)));
    else if (choice < 0.75) r.server.delete(CONFIG_MAPS, 'chat', name);
    else if (choice < 0.8) r.server.compact();
    else if (choice < 0.85) r.server.sendBookmarks();
    else if (choice < 0.88) r.server.endWatches();
    else if (choice < 0.91) for (const watch of r.server.watches) watch.cut();
    else if (choice < 0.93) for (const watch of r.server.watches) watch.write('{"garbage\n');
    else if (choice < 0.94) {
      await r.server.stop();
      await r.server.start();
    } else r.clock.advance(random() * 2_000);
    if (random() < 0.5) await new Promise(setImmediate);
  }
  isTroubled = false;
  r.server.put(CONFIG_MAPS, configMap('last', 'last'));
  const versions = (objects: Iterable<KubernetesObject>) =>
    [...objects].map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`).sort();
  await runUntil(r.clock, () => reflector.store.get('chat/last') !== undefined, 'the last change');
  assert.deepEqual(versions(reflector.store.values()), versions(r.server.etcd.list(CONFIG_MAPS_PATH)));
  for (const [key, version] of lastTold) {
    assert.equal(
      version,
      reflector.store.get(key)?.metadata.resourceVersion,
      `${key}: told of its last state`,
    );
  }
}

test('a thousand changes a second are followed with flat memory', async (t) => {
  const r = await rig(t);
  const reflector = r.reflector();
  await reflector.synced;
  await eventually(() => r.server.watches.size === 1, 'the watch is open');
  // The fake server would otherwise keep them all.
  const churn = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < 200; i++)
        r.server.put(CONFIG_MAPS, configMap(`m${i}`, `${round}`.padStart(2_000, 'x')));
      r.told.length = 0;
      r.server.etcd.compact();
      const last = String(r.server.etcd.revision);
      await eventually(
        () => reflector.store.get('chat/m199')?.metadata.resourceVersion === last,
        'the last change of the round',
      );
    }
    v8.setFlagsFromString('--expose-gc');
    (vm.runInNewContext('gc') as () => void)();
    return process.memoryUsage().heapUsed;
  };
  const before = await churn(10);
  const startMs = performance.now();
  const after = await churn(50);
  const seconds = (performance.now() - startMs) / 1000;
  assert.equal(reflector.counts.failures, 0);
  assert.equal(reflector.store.size, 200);
  assert.ok(
    after - before < 4e6,
    `the heap grew by ${Math.round((after - before) / 1e3)} kB over 10,000 changes`,
  );
  t.diagnostic(`${Math.round(10_000 / seconds)} changes/s, of both sides`);
});
