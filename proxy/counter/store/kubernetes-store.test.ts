import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LEASES, type Lease } from '../../../kubernetes/lease.ts';
import { FakeApiServer } from '../../../kubernetes/testing/fake-api-server.ts';
import { ManualClock } from '../../../kubernetes/testing/manual-clock.ts';
import { FixedCredentials } from '../../../kubernetes/testing/rig.ts';
import { UndiciTransport } from '../../../kubernetes/undici-transport.ts';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { until } from '../../../test/support/until.ts';
import { silentLog } from '../../telemetry/log.ts';
import { Metrics } from '../../telemetry/metrics.ts';
import { channelPair } from '../../workers/channel.ts';
import { CounterClient } from '../counter-client.ts';
import { monotonicClock } from '../driver/monotonic-clock.ts';
import { memberUri } from '../link/identity.ts';
import { openPodMembers } from '../pod-members.ts';
import type { LeaseDraft, LeaseName, LeaseRecord } from '../protocol/lease.ts';
import type { Settings } from '../protocol/settings.ts';
import type { LeaseCall, LeaseResult } from '../protocol/turn.ts';
import { QUICK_SETTINGS } from '../testing/quick-settings.ts';
import { CallBudget } from './call-budget.ts';
import { KubernetesStore } from './kubernetes-store.ts';
import { COUNTER_ANNOTATION, newShardLeases } from './lease-object.ts';
import type { LeaseSession } from './lease-store.ts';

const NAMESPACE = 'chat';
const PREFIX = 'sluice-front';
const LABELS = { 'app.kubernetes.io/component': 'counter', 'sluice.dev/gateway': 'front' };
const PODS = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };

const DRAFT: LeaseDraft = {
  phase: 'held',
  holder: 'pod-a.1',
  transitions: 0,
  revision: 1,
  voters: ['pod-a.1'],
  members: [],
  handover: '',
  draining: false,
  replaces: '',
  restored: false,
};

async function apiServer(t: TestContext): Promise<FakeApiServer> {
  const server = new FakeApiServer({ clock: monotonicClock });
  await server.start();
  t.after(() => server.stop());
  return server;
}

/** A Pod, and the store of a process in it. */
function storeOf(
  t: TestContext,
  server: FakeApiServer,
  podName: string,
  settings: Settings = QUICK_SETTINGS,
) {
  const access = { server: server.url, tls: { rejectUnauthorized: true }, headers: {}, proxyUrl: null };
  const transport = new UndiciTransport(new FixedCredentials(access), monotonicClock);
  const pod =
    server.etcd.get('/api/v1/pods', NAMESPACE, podName) ??
    server.put(PODS, { metadata: { namespace: NAMESPACE, name: podName } });
  const lines: string[] = [];
  const write = (line: unknown) => lines.push(String(line));
  const store = new KubernetesStore({
    transport,
    namespace: NAMESPACE,
    prefix: PREFIX,
    labels: LABELS,
    pod: { name: podName, uid: pod.metadata.uid! },
    settings,
    clock: monotonicClock,
    random: () => 0.5,
    log: { info: write, warn: write },
  });
  t.after(async () => {
    await store.close();
    await transport.close();
  });
  return { store, lines };
}

function sessionOf(store: KubernetesStore, incarnation: string) {
  const leases = new Map<LeaseName, LeaseRecord>();
  const events: string[] = [];
  const session = store.open(
    { incarnation, address: `${incarnation}:9903` },
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

const create = (name: LeaseName, draft: Partial<LeaseDraft> = {}): LeaseCall => ({
  kind: 'create',
  name,
  draft: { ...DRAFT, ...draft },
});

function objectOf(server: FakeApiServer, name: string): Lease {
  const found = server.etcd.get('/apis/coordination.k8s.io/v1/leases', NAMESPACE, name);
  assert(found !== null, `Lease ${name}`);
  return found as Lease;
}

test('what one writes the others see, and where it can be reached; each change only on what it was made from', async (t) => {
  const server = await apiServer(t);
  const a = sessionOf(storeOf(t, server, 'pod-a').store, 'pod-a.1');
  const bStore = storeOf(t, server, 'pod-b').store;
  const b = sessionOf(bStore, 'pod-b.1');
  await until('both have seen all there is', () => a.events.length + b.events.length === 2);
  const name = 'member/pod-a.1';
  const first = await written(a.session, create(name));
  assert.equal((await call(b.session, create(name))).outcome, 'refused');
  await until('b sees it', () => b.leases.get(name)?.revision === 1);
  assert.equal(bStore.addressOf('pod-a.1'), 'pod-a.1:9903');
  const update = (revision: number, expected: LeaseRecord): LeaseCall => ({
    kind: 'update',
    name,
    expected,
    draft: { ...DRAFT, revision },
  });
  const second = await written(a.session, update(2, first));
  assert.equal(second.uid, first.uid);
  assert.equal((await call(b.session, update(3, first))).outcome, 'refused');
  assert.equal((await call(b.session, { kind: 'remove', name, expected: first })).outcome, 'refused');
  const read = await call(b.session, { kind: 'get', name });
  assert.deepEqual(read, { outcome: 'done', record: second });
  assert.equal((await call(b.session, { kind: 'remove', name, expected: second })).outcome, 'done');
  await until('a sees that it is gone', () => a.events.at(-1) === `gone ${name}`);
  assert.equal((await call(a.session, update(3, second))).outcome, 'refused');
  assert.deepEqual(await call(a.session, { kind: 'get', name }), { outcome: 'done', record: null });
});

test('labels that others put on a Lease stay, and what they are is no change of it', async (t) => {
  const server = await apiServer(t);
  const { session, leases } = sessionOf(storeOf(t, server, 'pod-a').store, 'pod-a.1');
  const name = 'member/pod-a.1';
  await written(session, create(name));
  const object = objectOf(server, `${PREFIX}-member-pod-a.1`);
  server.put(LEASES, {
    ...object,
    metadata: { ...object.metadata, labels: { ...object.metadata.labels, team: 'x' } },
  } as never);
  const { resourceVersion } = objectOf(server, `${PREFIX}-member-pod-a.1`).metadata;
  await until('it is seen', () => leases.get(name)?.resourceVersion === resourceVersion);
  const expected = leases.get(name)!;
  await written(session, { kind: 'update', name, expected, draft: { ...DRAFT, revision: 2 } });
  assert.deepEqual(objectOf(server, `${PREFIX}-member-pod-a.1`).metadata.labels, { ...LABELS, team: 'x' });
});

const failures: readonly [what: string, fault: Parameters<typeof faultOf>[0]][] = [
  ['an error of the server', { kind: 'status', status: 500 }],
  ['a refusal of the caller', { kind: 'status', status: 403 }],
  ['a lost answer', { kind: 'loseAnswer' }],
  ['no answer', { kind: 'hang' }],
  ['an answer that is none', { kind: 'raw', status: 200, body: '<html>' }],
];

function faultOf(fault: ReturnType<FakeApiServer['fault']>) {
  return fault;
}

for (const [what, fault] of failures) {
  test(`after ${what} the outcome is unknown, in time`, async (t) => {
    const server = await apiServer(t);
    const { session, events } = sessionOf(storeOf(t, server, 'pod-a').store, 'pod-a.1');
    await until('listed', () => events.includes('listed'));
    server.fault = (request) => (request.method === 'POST' ? fault : undefined);
    const startMs = performance.now();
    assert.equal((await call(session, create('member/pod-a.1'))).outcome, 'unknown');
    assert(performance.now() - startMs < 2 * QUICK_SETTINGS.callTimeoutMs);
  });
}

test('a server that asks for a pause gets it', async (t) => {
  const server = await apiServer(t);
  const { session, events } = sessionOf(storeOf(t, server, 'pod-a').store, 'pod-a.1');
  await until('listed', () => events.includes('listed'));
  server.fault = (request) => (request.isWatch ? undefined : { kind: 'status', status: 429, retryAfter: 1 });
  assert.equal((await call(session, create('member/pod-a.1'))).outcome, 'unknown');
  const before = server.requests.length;
  assert.equal((await call(session, create('member/pod-a.1'))).outcome, 'unknown');
  assert.equal(server.requests.length, before);
});

test('a note that somebody has garbled is cleared away, by whoever meets it first', async (t) => {
  const server = await apiServer(t);
  const { session, events } = sessionOf(storeOf(t, server, 'pod-a').store, 'pod-a.1');
  await written(session, create('shard/0'));
  const object = objectOf(server, `${PREFIX}-shard-0`);
  const annotations = { [COUNTER_ANNOTATION]: '{"format":1,"phase":"mine"}' };
  server.put(LEASES, { ...object, metadata: { ...object.metadata, annotations } } as never);
  await until('it is gone', () => events.includes('gone shard/0'));
});

test('who counts by other settings waits until those who do not are gone, and then takes over', async (t) => {
  const server = await apiServer(t);
  const a = sessionOf(storeOf(t, server, 'pod-a').store, 'pod-a.1');
  const held = await written(a.session, create('member/pod-a.1'));
  await written(a.session, create('shard/0'));
  const { store, lines } = storeOf(t, server, 'pod-b', { ...QUICK_SETTINGS, shards: 3 });
  const b = sessionOf(store, 'pod-b.1');
  await until('listed', () => b.events.includes('listed'));
  assert.equal((await call(b.session, create('member/pod-b.1'))).outcome, 'unknown');
  assert(lines.some((line) => line.includes('other settings')));
  assert.deepEqual(b.events, ['listed']);
  const draft = { ...DRAFT, phase: 'released', revision: 2 } as const;
  await written(a.session, { kind: 'update', name: 'member/pod-a.1', expected: held, draft });
  await until(
    'it may join',
    async () => (await call(b.session, create('member/pod-b.1'))).outcome === 'done',
  );
  await until('what they left is gone', () => a.events.includes('gone shard/0'));
});

test('a Pod that is gone proves that its members are; one that is there does not', async (t) => {
  const server = await apiServer(t);
  const a = sessionOf(storeOf(t, server, 'pod-a').store, 'pod-a.1');
  const b = sessionOf(storeOf(t, server, 'pod-b').store, 'pod-b.1');
  const c = sessionOf(storeOf(t, server, 'pod-c').store, 'pod-c.1');
  await written(b.session, create('member/pod-b.1', { holder: 'pod-b.1' }));
  await written(c.session, create('member/pod-c.1', { holder: 'pod-c.1' }));
  await until('a sees both', () => a.leases.size === 2);
  server.delete(PODS, NAMESPACE, 'pod-b');
  server.put(PODS, { metadata: { namespace: NAMESPACE, name: 'pod-b' } });
  await until('b is known to be gone', () => a.events.includes('died pod-b.1'));
  assert(!a.events.includes('died pod-c.1'));
});

test('a container that starts again names the life before it, and no other', async (t) => {
  const server = await apiServer(t);
  const { store } = storeOf(t, server, 'pod-a');
  assert.equal(await store.predecessor(), '');
  const { session } = sessionOf(store, 'pod-a.1');
  await written(session, create('member/pod-a.1'));
  await written(session, create('member/pod-x.1'));
  const second = storeOf(t, server, 'pod-a').store;
  assert.equal(await second.predecessor(), 'pod-a.1');
  const { session: secondSession, events } = sessionOf(second, 'pod-a.2');
  await written(secondSession, create('member/pod-a.2', { holder: 'pod-a.2', replaces: 'pod-a.1' }));
  await until('it knows that the first is gone', () => events.includes('died pod-a.1'));
  const third = storeOf(t, server, 'pod-a').store;
  assert.equal(await third.predecessor(), 'pod-a.2');
});

test('calls are spread when there are too many, and refused when they would wait too long', () => {
  const clock = new ManualClock();
  const budget = new CallBudget(clock, 10, 2);
  assert.deepEqual([budget.take(1_000), budget.take(1_000)], [0, 0]);
  assert.equal(budget.take(1_000), 100);
  assert.equal(budget.take(150), null);
  assert.equal(budget.take(1_000), 200);
  clock.advance(1_000);
  assert.equal(budget.take(0), 0);
  budget.pause(500);
  assert.equal(budget.take(1_000), 500);
  assert.equal(budget.take(100), null);
});

/** A pod with a counter, as it runs in a cluster. */
async function podOver(t: TestContext, server: FakeApiServer, authority: TestAuthority, name: string) {
  const access = { server: server.url, tls: { rejectUnauthorized: true }, headers: {}, proxyUrl: null };
  const transport = new UndiciTransport(new FixedCredentials(access), monotonicClock);
  const pod = server.put(PODS, { metadata: { namespace: NAMESPACE, name } });
  const gateway = { namespace: NAMESPACE, name: 'front' };
  const { chainPem, keyPem } = await authority.issue({ uris: [memberUri(gateway, name)], usage: 'both' });
  const { membership } = await openPodMembers({
    gateway,
    prefix: PREFIX,
    labels: LABELS,
    pod: { name, uid: pod.metadata.uid!, address: '127.0.0.1' },
    credentials: { ca: authority.caPem, certificate: chainPem, key: keyPem },
    listen: { host: '127.0.0.1', port: 0 },
    transport,
    log: silentLog,
    settings: QUICK_SETTINGS,
  });
  const counter = membership.counter(new Metrics());
  const [worker, main] = channelPair();
  const client = new CounterClient({ channel: worker });
  counter.addWorker({ workerId: 1, post: main.post.bind(main), on: main.on.bind(main) });
  t.after(async () => {
    await membership.close(0);
    await transport.close();
  });
  await membership.start();
  return { counter, client };
}

test('pods count together, go on exactly while the API server is away, and write no more for more connections', async (t) => {
  const server = await apiServer(t);
  const authority = await TestAuthority.create();
  for (const lease of newShardLeases({
    namespace: NAMESPACE,
    prefix: PREFIX,
    labels: LABELS,
    settings: QUICK_SETTINGS,
  }))
    server.put(LEASES, lease as never);
  const members = await Promise.all(
    ['pod-a', 'pod-b', 'pod-c'].map((name) => podOver(t, server, authority, name)),
  );
  for (const { counter } of members) assert(counter.state.isReady);
  const one = (key: string) => [{ key, maxCount: 5, enforce: true }];
  const acquireAll = (from: number, key: string) =>
    Promise.all(Array.from({ length: 30 }, (_, n) => members[n % 3]!.client.acquire(from + n, one(key))));
  const admitted = (answers: readonly { outcome: string }[]) =>
    answers.map(({ outcome }) => outcome).filter((outcome) => outcome === 'admitted').length;
  assert.equal(admitted(await acquireAll(1, 'alice')), 5);
  await until('all vote for all', () =>
    (server.etcd.list('/apis/coordination.k8s.io/v1/leases', NAMESPACE) as Lease[]).every(
      ({ metadata }) => JSON.parse(metadata.annotations![COUNTER_ANNOTATION]!).voters.length === 3,
    ),
  );
  const writes = () => server.requests.filter(({ method }) => method !== 'GET').length;
  const [before, startMs] = [writes(), performance.now()];
  for (let round = 0; round < 20; round++) {
    for (const { client } of members) {
      const id = 1_000 + round;
      await client.acquire(id, one(`k${round}`));
      client.release(id);
    }
  }
  const perRenewal = members.length + QUICK_SETTINGS.shards;
  const renewals = (performance.now() - startMs) / QUICK_SETTINGS.renewIntervalMs + 2;
  assert(writes() - before <= perRenewal * renewals, `${writes() - before} writes for ${renewals} renewals`);

  await server.stop();
  const endMs = performance.now() + 2 * QUICK_SETTINGS.leaseDurationMs;
  for (let round = 0; performance.now() < endMs; round++) {
    assert.equal(admitted(await acquireAll(10_000 + 100 * round, `away-${round}`)), 5);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert(members.every(({ counter }) => counter.state.isMember));
  await server.start();
  assert.equal(admitted(await acquireAll(90_000, 'alice')), 0);
});
