import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, runUntil } from './testing/eventually.ts';
import { CONFIG_MAPS, CONFIG_MAPS_PATH, configMap, type Rig, rig, valuesOf } from './testing/rig.ts';

const lists = ({ server }: Rig) => server.requests.filter(({ isWatch }) => !isWatch);
const watches = ({ server }: Rig) => server.requests.filter(({ isWatch }) => isWatch);

async function watching({ server }: Rig, count = 1): Promise<void> {
  await eventually(() => server.watches.size === count, 'the watch is open');
}

test('lists page by page, then watches from the list on', async (t) => {
  const r = await rig(t);
  for (let i = 0; i < 7; i++) r.server.put(CONFIG_MAPS, configMap(`m${i}`, 'a'));
  const reflector = r.reflector({ pageSize: 3 });
  await reflector.synced;
  assert.equal(reflector.store.size, 7);
  assert.equal(r.told.length, 7);
  assert.deepEqual(
    lists(r).map(({ query }) => query.get('limit')),
    ['3', '3', '3'],
  );
  assert.equal(lists(r)[0]?.query.get('resourceVersion'), null, 'the newest state is asked for');
  await watching(r);
  assert.equal(watches(r)[0]?.query.get('resourceVersion'), '107');
  assert.equal(watches(r)[0]?.query.get('allowWatchBookmarks'), 'true');
  const seconds = Number(watches(r)[0]?.query.get('timeoutSeconds'));
  assert.ok(seconds >= 300 && seconds <= 600);

  const { kind, apiVersion } = reflector.store.get('chat/m0')!;
  assert.deepEqual([apiVersion, kind], ['v1', 'ConfigMap'], 'items of a list get their kind');
});

test('follows changes, and tells each key when the store shows it', async (t) => {
  const r = await rig(t);
  r.server.put(CONFIG_MAPS, configMap('a', '1'));
  const seen: string[] = [];
  const reflector = r.reflector({
    onChange: (key) => seen.push(`${key}=${reflector.store.get(key)?.data?.value}`),
  });
  await reflector.synced;
  r.server.put(CONFIG_MAPS, configMap('a', '2'));
  r.server.put(CONFIG_MAPS, configMap('b', '1'));
  r.server.delete(CONFIG_MAPS, 'chat', 'a');
  await eventually(() => seen.length === 4, 'four changes');
  assert.deepEqual(seen, ['chat/a=1', 'chat/a=2', 'chat/b=1', 'chat/a=undefined']);
});

test('selects by namespace, label and field', async (t) => {
  const r = await rig(t);
  const labelled = (name: string, app: string, namespace = 'chat') => ({
    metadata: { namespace, name, labels: { app } },
    data: { value: '' },
  });
  r.server.put(CONFIG_MAPS, labelled('in', 'x'));
  r.server.put(CONFIG_MAPS, labelled('other-label', 'y'));
  r.server.put(CONFIG_MAPS, labelled('other-namespace', 'x', 'shop'));
  const byLabel = r.reflector({ namespace: 'chat', labelSelector: 'app=x' });
  const byField = r.reflector({ namespace: 'chat', fieldSelector: 'metadata.name=in' });
  await Promise.all([byLabel.synced, byField.synced]);
  await watching(r, 2);
  r.server.put(CONFIG_MAPS, labelled('other-label', 'x'));
  r.server.put(CONFIG_MAPS, labelled('in', 'y'));
  await eventually(() => byLabel.store.get('chat/in') === undefined, 'it left the selection');
  assert.deepEqual([...byLabel.store.keys()], ['chat/other-label']);
  assert.deepEqual([...byField.store.keys()], ['chat/in']);
});

test('resumes after the server ended the watch, without a list, from the last bookmark', async (t) => {
  const r = await rig(t);
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  r.server.etcd.put('/api/v1/secrets', { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'elsewhere' } });
  r.server.sendBookmarks();
  await eventually(() => reflector.counts.events === 1, 'the bookmark');
  r.server.compact();
  r.clock.advance(100_000);
  r.server.endWatches();
  await eventually(() => watches(r).length === 2, 'the next watch');
  assert.equal(watches(r)[1]?.query.get('resourceVersion'), '101');
  r.server.put(CONFIG_MAPS, configMap('a', '1'));
  await eventually(() => reflector.store.size === 1, 'the change');
  assert.equal(lists(r).length, 1);
  assert.deepEqual(r.lines, []);
});

test('the time limit that it asks for ends watches at the server', async (t) => {
  const r = await rig(t);
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  for (let minute = 1; minute <= 8; minute++) {
    r.server.sendBookmarks();
    await eventually(() => reflector.counts.events === minute, 'a bookmark');
    r.clock.advance(60_000);
  }
  await eventually(() => watches(r).length === 2, 'the next watch');
  assert.equal(reflector.counts.watches, 2, 'one watch ended after 450 s, the next goes on');
  assert.equal(reflector.counts.failures, 0);
});

test('lists again when the resourceVersion is gone at the start of a watch', async (t) => {
  const r = await rig(t);
  r.server.put(CONFIG_MAPS, configMap('kept', '1'));
  r.server.put(CONFIG_MAPS, configMap('changed', '1'));
  r.server.put(CONFIG_MAPS, configMap('removed', '1'));
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  await r.server.stop();
  r.server.put(CONFIG_MAPS, configMap('changed', '2'));
  r.server.delete(CONFIG_MAPS, 'chat', 'removed');
  r.server.put(CONFIG_MAPS, configMap('added', '1'));
  r.server.compact();
  r.told.length = 0;
  await r.server.start();
  await runUntil(r.clock, () => reflector.store.size === 3 && r.told.length === 3, 'the second list');
  assert.deepEqual(valuesOf(reflector), { added: '1', changed: '2', kept: '1' });
  assert.deepEqual(r.told.sort(), ['chat/added', 'chat/changed', 'chat/removed'], 'what stayed is not told');
});

test('lists again when a watch is told 410, by status or in the middle', async (t) => {
  const r = await rig(t);
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  const expired = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
  for (const watch of r.server.watches) watch.error(expired);
  await runUntil(r.clock, () => reflector.counts.lists === 2, 'the second list');
  await watching(r);

  r.server.fault = ({ isWatch }) =>
    isWatch && reflector.counts.lists === 2 ? { kind: 'status', status: 410, reason: 'Gone' } : undefined;
  r.server.endWatches();
  await runUntil(r.clock, () => reflector.counts.lists === 3, 'the third list');
});

test('a server that answers every watch with 410 is not stormed with lists', async (t) => {
  const r = await rig(t);
  r.server.fault = ({ isWatch }) =>
    isWatch ? { kind: 'status', status: 410, reason: 'Expired' } : undefined;
  const reflector = r.reflector();
  const tookMs = await runUntil(r.clock, () => reflector.counts.lists === 10, 'ten lists');
  assert.ok(tookMs > 25_000, `ten lists within ${tookMs} ms`);
});

test('what happened while the server was away for minutes is not missed', async (t) => {
  const r = await rig(t);
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  await r.server.stop();
  r.server.put(CONFIG_MAPS, configMap('a', '1'));
  const isOut = () => reflector.stalenessMs > 300_000;
  await eventually(() => reflector.error !== null, 'the loss is noticed');
  for (let _step = 0; !isOut(); _step++) {
    const { failures } = reflector.counts;
    r.clock.advance(10_000);
    await eventually(() => reflector.counts.failures > failures, 'another attempt');
  }
  assert.ok(reflector.counts.failures < 100, 'attempts are spaced');
  assert.match(reflector.error ?? '', /^watch configmaps: .*ECONNREFUSED/);
  await r.server.start();
  const tookMs = await runUntil(r.clock, () => reflector.store.size === 1, 'the change');
  assert.ok(tookMs <= 10_500, `noticed ${tookMs} ms after the server was back`);
  assert.equal(reflector.error, null);
  assert.ok(reflector.stalenessMs < 1_000);
  assert.equal(reflector.counts.lists, 1, 'resumed, not listed anew');
  assert.equal(r.lines.at(-1), 'watch configmaps: the server is back');
});

test('a connection that is silent for longer than servers are is given up', async (t) => {
  const r = await rig(t);
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  const [silent] = r.server.watches;
  for (const count of [1, 2]) {
    r.server.sendBookmarks();
    await eventually(() => reflector.counts.events === count, 'the bookmark');
    if (count === 1) r.clock.advance(149_000);
  }
  r.clock.advance(149_000);
  assert.equal(reflector.counts.watches, 1, 'a bookmark is enough to stay');
  r.server.watches.delete(silent!);
  r.server.put(CONFIG_MAPS, configMap('a', '1'));
  assert.equal(reflector.store.size, 0, 'the dead connection brings nothing');
  assert.ok(reflector.stalenessMs >= 149_000);
  const tookMs = await runUntil(r.clock, () => reflector.store.size === 1, 'a new watch');
  assert.ok(tookMs < 10_000, `long before the server's time limit: ${tookMs} ms`);
  assert.equal(reflector.counts.lists, 1);
});

test('a request that is never answered is given up', async (t) => {
  const r = await rig(t);
  let hangs = 2;
  r.server.fault = () => (hangs-- > 0 ? { kind: 'hang' } : undefined);
  const reflector = r.reflector();
  let synced = false;
  void reflector.synced.then(() => {
    synced = true;
  });
  for (let list = 1; list <= 2; list++) {
    await eventually(() => lists(r).length === list, 'a list');
    r.clock.advance(60_000);
    await eventually(() => reflector.counts.failures === list, 'given up');
    assert.equal(reflector.error, 'list configmaps: no answer within 60000 ms');
    r.clock.advance(10_000);
  }
  await runUntil(r.clock, () => synced, 'the list');
});

test('a watch that lived for a while starts the waiting over, even if nothing came', async (t) => {
  const r = await rig(t);
  let isUp = true;
  r.server.fault = () => (isUp ? undefined : { kind: 'cut' });
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  isUp = false;
  r.server.endWatches();
  await runUntil(r.clock, () => reflector.counts.failures === 8, 'failures');
  assert.ok(r.clock.nextMs >= 5_000, 'waits are long by now');
  isUp = true;
  await runUntil(r.clock, () => r.server.watches.size === 1, 'a watch');
  await eventually(() => reflector.error === null, 'it is accepted');
  r.clock.advance(6_000);
  isUp = false;
  r.server.endWatches();
  await eventually(() => reflector.counts.failures === 9, 'tried again at once');
  assert.ok(r.clock.nextMs <= 200, `waits ${r.clock.nextMs} ms`);
});

test('a slow server is waited for', async (t) => {
  const r = await rig(t);
  const answer = Promise.withResolvers<void>();
  r.server.fault = () => ({ kind: 'delay', until: answer.promise });
  r.server.put(CONFIG_MAPS, configMap('a', '1'));
  const reflector = r.reflector();
  await eventually(() => lists(r).length === 1, 'the list');
  r.clock.advance(55_000);
  answer.resolve();
  await reflector.synced;
  assert.equal(reflector.counts.failures, 0);
});

test('Retry-After is waited for, and the page asked for again', async (t) => {
  const r = await rig(t);
  for (let i = 0; i < 4; i++) r.server.put(CONFIG_MAPS, configMap(`m${i}`, 'a'));
  r.server.fault = ({ query }) =>
    query.has('continue') && lists(r).length === 2
      ? { kind: 'status', status: 429, retryAfter: 7 }
      : undefined;
  const reflector = r.reflector({ pageSize: 2 });
  await eventually(() => reflector.counts.failures === 1, 'the refusal');
  assert.ok(r.clock.nextMs >= 7_000 && r.clock.nextMs <= 9_000, `waits ${r.clock.nextMs} ms`);
  await runUntil(r.clock, () => reflector.counts.lists === 1, 'the list');
  assert.equal(reflector.store.size, 4);
  assert.equal(lists(r).length, 3, 'the first page was not asked for again');
});

test('a list whose pages are compacted away comes in one piece', async (t) => {
  const r = await rig(t);
  for (let i = 0; i < 6; i++) r.server.put(CONFIG_MAPS, configMap(`m${i}`, 'a'));
  r.server.fault = ({ query }) => {
    if (query.has('continue')) r.server.compact();
    return undefined;
  };
  const reflector = r.reflector({ pageSize: 2 });
  await reflector.synced;
  assert.equal(reflector.store.size, 6);
  assert.deepEqual(
    lists(r).map(({ query }) => query.get('limit')),
    ['2', '2', null],
  );
});

test('a page that is too large is asked for in smaller ones', async (t) => {
  const r = await rig(t);
  for (let i = 0; i < 8; i++) r.server.put(CONFIG_MAPS, configMap(`m${i}`, 'x'.repeat(1000)));
  const reflector = r.reflector({ pageSize: 8, maxPageBytes: 3_000 });
  await reflector.synced;
  assert.equal(reflector.store.size, 8);
  assert.equal(reflector.counts.failures, 0);
});

test('an event that is too large is had by a list', async (t) => {
  const r = await rig(t);
  const reflector = r.reflector({ maxEventBytes: 10_000 });
  await reflector.synced;
  await watching(r);
  r.server.put(CONFIG_MAPS, configMap('big', 'x'.repeat(20_000)));
  await runUntil(r.clock, () => reflector.store.size === 1, 'the list');
  assert.match(r.lines[0] ?? '', /watch configmaps: a line is longer than 10000 bytes/);
});

test('events are put together again, however they are cut', async (t) => {
  const r = await rig(t);
  r.server.chunkBytes = 7;
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  for (let i = 0; i < 5; i++) r.server.put(CONFIG_MAPS, configMap(`m${i}`, 'grün 🌱'));
  await eventually(() => reflector.store.size === 5, 'five events');
  assert.equal(valuesOf(reflector).m4, 'grün 🌱');
  assert.equal(reflector.counts.failures, 0);
});

test('an event that is cut off is had by the next watch', async (t) => {
  const r = await rig(t);
  const reflector = r.reflector();
  await reflector.synced;
  for (const [round, end] of (['cut', 'end'] as const).entries()) {
    await watching(r);
    const [watch] = r.server.watches;
    r.server.watches.clear();
    const object = r.server.put(CONFIG_MAPS, configMap(`m${round}`, 'whole'));
    // Well-formed but for the line's end: it must not count as received.
    watch!.write(JSON.stringify({ type: 'ADDED', object: { ...object, data: { value: 'cut' } } }));
    const { watches: before } = reflector.counts;
    watch![end]();
    await runUntil(
      r.clock,
      () => reflector.counts.watches > before && r.server.watches.size === 1,
      'the next watch',
    );
    await eventually(() => reflector.store.size === round + 1, 'the event');
  }
  assert.deepEqual(valuesOf(reflector), { m0: 'whole', m1: 'whole' });
  assert.equal(reflector.counts.lists, 1);
});

for (const [what, line] of [
  ['not JSON', '<html>hello</html>\n'],
  ['no event', '{"type":"SURPRISE","object":{}}\n'],
  ['an object without a name', '{"type":"ADDED","object":{"metadata":{}}}\n'],
  ['a number', '17\n'],
  ['empty', '\n'],
] as const) {
  test(`a line that is ${what} leads to a list`, async (t) => {
    const r = await rig(t);
    const reflector = r.reflector();
    await reflector.synced;
    await watching(r);
    for (const watch of r.server.watches) watch.write(line);
    await runUntil(r.clock, () => reflector.counts.lists === 2, 'the list');
    r.server.put(CONFIG_MAPS, configMap('a', '1'));
    await runUntil(r.clock, () => reflector.store.size === 1, 'the next change');
    assert.doesNotMatch(r.lines.join(), /hello/, 'what it says is not repeated');
  });
}

test('a resourceVersion that is refused for ever is given up: etcd restored from a backup', async (t) => {
  const r = await rig(t);
  r.server.put(CONFIG_MAPS, configMap('a', 'new'));
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  await r.server.stop();
  r.server.etcd.revision = 50;
  r.server.put(CONFIG_MAPS, configMap('a', 'restored'));
  await r.server.start();
  await runUntil(r.clock, () => valuesOf(reflector).a === 'restored', 'the restored state');
});

test('an older state never takes the place of a newer one', async (t) => {
  const r = await rig(t);
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  const old = r.server.put(CONFIG_MAPS, configMap('a', 'old'));
  r.server.put(CONFIG_MAPS, configMap('a', 'new'));
  r.server.put(CONFIG_MAPS, configMap('b', 'last'));
  for (const watch of r.server.watches) {
    watch.event('MODIFIED', old);
    watch.event('DELETED', old);
  }
  await eventually(() => reflector.counts.events === 5, 'five events');
  assert.equal(valuesOf(reflector).a, 'new');
  assert.deepEqual(r.told, ['chat/a', 'chat/a', 'chat/b'], 'nothing is told of them');
  r.server.endWatches();
  await runUntil(r.clock, () => watches(r).length === 2, 'the next watch');
  assert.equal(watches(r)[1]?.query.get('resourceVersion'), '103', 'the place in the watch did not go back');
});

test('new credentials are tried at once when the old ones are refused', async (t) => {
  const r = await rig(t);
  r.server.tokens = new Set(['new']);
  const access = r.credentials.current;
  r.credentials.current = { ...access, headers: { authorization: 'Bearer old' } };
  r.credentials.onInvalidate = () => {
    r.credentials.current = { ...access, headers: { authorization: 'Bearer new' } };
  };
  const reflector = r.reflector();
  await reflector.synced;
  await watching(r);
  assert.equal(r.credentials.invalidations, 1);
  assert.equal(reflector.counts.failures, 0);

  r.server.tokens = new Set(['newest']);
  r.credentials.onInvalidate = () => {};
  r.server.endWatches();
  await runUntil(r.clock, () => reflector.error !== null, 'the refusal');
  assert.equal(reflector.error, 'watch configmaps: Unauthorized (401 Unauthorized)');
  r.credentials.current = { ...access, headers: { authorization: 'Bearer newest' } };
  r.server.put(CONFIG_MAPS, configMap('a', '1'));
  await runUntil(r.clock, () => reflector.store.size === 1, 'the change');
  assert.equal(reflector.counts.lists, 1);
});

test('a type that the server lacks: an error, or nothing there until it turns up', async (t) => {
  const r = await rig(t);
  let installed = false;
  r.server.fault = () => (installed ? undefined : { kind: 'raw', status: 404, body: '404 page not found' });
  const strict = r.reflector();
  const optional = r.reflector({ optional: true });
  await optional.synced;
  assert.equal(optional.store.size, 0);
  const absence = 'watch configmaps: the server does not have this type yet';
  await eventually(() => r.lines.includes(absence), 'a word about it');
  assert.equal(optional.error, null);
  let synced = false;
  void strict.synced.then(() => {
    synced = true;
  });
  await eventually(() => strict.error !== null, 'the refusal');
  assert.equal(strict.error, 'list configmaps: 404 page not found (404)');
  assert.equal(synced, false);
  const { failures: refused } = optional.counts;
  await runUntil(r.clock, () => optional.counts.failures > refused + 2, 'more refusals');
  assert.equal(r.lines.filter((line) => line === absence).length, 1);
  installed = true;
  r.server.put(CONFIG_MAPS, configMap('a', '1'));
  await runUntil(r.clock, () => strict.store.size === 1 && optional.store.size === 1, 'the objects');

  // Once there, they are not believed to be gone because of a 404.
  const { failures } = optional.counts;
  const listsBefore = lists(r).length;
  installed = false;
  r.server.compact();
  r.server.endWatches();
  await runUntil(r.clock, () => lists(r).length > listsBefore + 10, 'lists');
  assert.ok(optional.counts.failures > failures);
  assert.ok(optional.stalenessMs > 15_000, `stale for ${optional.stalenessMs} ms`);
  assert.equal(optional.store.size, 1);
});

test('managed fields are kept on request only', async (t) => {
  const r = await rig(t);
  const managedFields = [{ manager: 'kubectl', operation: 'Apply', fieldsV1: {} }];
  r.server.put(CONFIG_MAPS, { metadata: { namespace: 'chat', name: 'a', managedFields } });
  const lean = r.reflector();
  const full = r.reflector({ keepManagedFields: true });
  await Promise.all([lean.synced, full.synced]);
  assert.equal(lean.store.get('chat/a')?.metadata.managedFields, undefined);
  assert.deepEqual(full.store.get('chat/a')?.metadata.managedFields, managedFields);
});

test('stopping ends requests, waits and timers', async (t) => {
  const r = await rig(t);
  const watched = r.reflector();
  await watched.synced;
  await watching(r);
  await watched.stop();
  await eventually(() => r.server.watches.size === 0, 'the watch is closed');

  r.server.fault = () => ({ kind: 'hang' });
  const listing = r.reflector();
  await eventually(() => lists(r).length === 2, 'the list');
  await listing.stop();

  r.server.fault = () => ({ kind: 'cut' });
  const waiting = r.reflector();
  await eventually(() => waiting.counts.failures === 1, 'the failure');
  await waiting.stop();
  await eventually(() => r.clock.pending === 0, 'no timer is left');
});

test('the path of a type', async (t) => {
  const r = await rig(t);
  const gateways = {
    group: 'sluice.dev',
    version: 'v1alpha1',
    kind: 'EdgeGateway',
    plural: 'edgegateways',
    namespaced: true,
  };
  const reflector = r.reflector({ type: gateways, namespace: 'chat' });
  await reflector.synced;
  assert.deepEqual(r.server.requestsTo(CONFIG_MAPS_PATH), []);
  assert.equal(lists(r)[0]?.path, '/apis/sluice.dev/v1alpha1/namespaces/chat/edgegateways');
});
