/** The tables of metrics, of fields of the access log, and of admin endpoints, held against a running gateway. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock, type Transport } from '../../kubernetes/index.ts';
import { controlMetrics } from '../../operator/control/control-metrics.ts';
import { GuardedTransport } from '../../operator/control/guarded-transport.ts';
import { Operator } from '../../operator/control/operator.ts';
import { jsonLog } from '../../proxy/telemetry/log.ts';
import { Metrics } from '../../proxy/telemetry/metrics.ts';
import { backendPool, edgeGateway, Gateway, ruleList } from '../support/gateway.ts';
import { closed, listening } from '../support/listening.ts';
import { Pod, snapshotOf } from '../support/pod-proxy.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';
import { readPage, tableOf as rowsOf } from './markdown.ts';

const page = readPage('docs/operations.md');

let backend: Server;
let gateway: Gateway;
let port: number;

before(async () => {
  backend = createServer((_, response) => response.end('ok'));
  port = await freePort();
  gateway = await Gateway.start([
    edgeGateway({
      accessLog: { mode: 'All' },
      listeners: [{ name: 'web', protocol: 'HTTP', port }],
      routes: [
        { name: 'all', match: { paths: [{ value: '/all' }] }, backend: { pool: 'backend' } },
        { name: 'down', match: { paths: [{ value: '/down' }] }, backend: { pool: 'down' } },
      ],
    }),
    backendPool('backend', {
      targets: [{ ip: '127.0.0.1', port: await listening(backend) }],
      probe: {},
    }),
    backendPool('down', { targets: [{ fqdn: 'localhost', port: await freePort() }] }),
    ruleList({ countRequests: true, clientConnectionCountRules: [{ type: 'ThrottleByClientIpRule' }] }),
  ]);
  for (const path of ['/all', '/down', '/nowhere']) await fetch(`http://127.0.0.1:${port}${path}`);
});
after(async () => {
  await gateway.stop();
  await closed(backend);
});

const tableOf = (head: string): string[][] => rowsOf(page, head);

interface Family {
  readonly name: string;
  readonly type: string;
  /** `null` where the gateway shows no series yet. */
  readonly labels: string | null;
}

function familiesOf(exposition: string): Family[] {
  return [...exposition.matchAll(/^# TYPE (\S+) (\w+)$/gm)].map(([, name, type]) => {
    const series = new RegExp(`^${name}(?:_bucket|_sum)?(?:\\{(.*)\\})? `, 'm').exec(exposition);
    const labels = [...(series?.[1] ?? '').matchAll(/(\w+)="/g)]
      .map(([, label]) => label!)
      .filter((label) => label !== 'le');
    return { name: name!, type: type!, labels: series === null ? null : labels.join(', ') };
  });
}

test('the table of metrics is what the gateway shows', async () => {
  const families = familiesOf(await (await fetch(`${gateway.adminUrl}/metrics`)).text());
  const described = new Map(tableOf('metric').map(([name, type, labels]) => [name!, { type, labels }]));
  assert.deepEqual([...described.keys()].sort(), families.map(({ name }) => name).sort());
  for (const { name, type, labels } of families) {
    assert.equal(described.get(name)!.type, type, name);
    if (labels !== null) assert.equal(described.get(name)!.labels, labels, name);
  }
  const withSeries = families.filter(({ labels }) => labels !== null);
  assert.ok(withSeries.length > families.length / 2, 'too few metrics have series for this to mean much');
});

test('the table of metrics of a member is what it has besides', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'members-'));
  t.after(() => rm(directory, { recursive: true }));
  const resources = [
    edgeGateway({
      listeners: [{ name: 'web', protocol: 'HTTP', port: await freePort() }],
      routes: [{ name: 'all', backend: { pool: 'backend' } }],
    }),
    backendPool('backend', { targets: [{ ip: '127.0.0.1', port: await freePort() }] }),
  ];
  await using member = await Gateway.start(resources, {}, ['--members', directory]);
  const common = new Set(tableOf('metric').map(([name]) => name));
  const families = familiesOf(await (await fetch(`${member.adminUrl}/metrics`)).text());
  const besides = families.filter(({ name }) => !common.has(name));
  const described = tableOf('metric of a member').map(([name, type, labels]) => ({ name, type, labels }));
  assert.deepEqual(described.sort(byName), besides.sort(byName));
});

test('the table of metrics of a pod is what it has besides, and the table of paths what it serves', async () => {
  const snapshot = snapshotOf([
    edgeGateway({
      listeners: [{ name: 'web', protocol: 'HTTP', port: await freePort() }],
      routes: [{ name: 'all', backend: { pool: 'backend' } }],
    }),
    backendPool('backend', { targets: [{ ip: '127.0.0.1', port: await freePort() }] }),
  ]);
  await using pod = await Pod.start(snapshot);
  await pod.ready();
  const common = new Set(tableOf('metric').map(([name]) => name));
  const families = familiesOf(await pod.metrics()).filter(({ name }) => !common.has(name));
  const described = tableOf('metric of a pod').map(([name, type, labels]) => ({ name, type, labels }));
  const withLabels = families.map((family) => ({ ...family, labels: family.labels ?? '' }));
  assert.deepEqual(described.sort(byName), withLabels.sort(byName));

  const { error } = (await (await fetch(`${pod.statusUrl}/nowhere`)).json()) as {
    error: { message: string };
  };
  const paths = tableOf('status path').map(([path]) => path!);
  assert.deepEqual(paths.sort(), error.message.match(/\/\w+/g)!.sort());
});

test('the table of fields is what the access log has', async () => {
  const lines = (): Record<string, unknown>[] =>
    gateway.process.output
      .split('\n')
      .filter((line) => line.startsWith('{"log":"access"'))
      .map((line) => JSON.parse(line));
  const all = await until('three lines of the access log', () => (lines().length >= 3 ? lines() : null));
  const described = tableOf('field').flatMap(([names]) => names!.split(', '));
  for (const line of all) assert.deepEqual(Object.keys(line), described);
});

test('the table of admin endpoints is what the gateway serves', async () => {
  const paths = tableOf('path').map(([path]) => path!);
  for (const path of paths) assert.equal((await fetch(gateway.adminUrl + path)).status, 200, path);
  const { error } = (await (await fetch(`${gateway.adminUrl}/nowhere`)).json()) as {
    error: { message: string };
  };
  const known = error.message.match(/\/\w*/g)!;
  assert.deepEqual(paths.map((path) => path.split('?')[0]).sort(), known.sort());
});

test('the table of metrics of the operator is what it shows', async () => {
  const metrics = new Metrics();
  controlMetrics(metrics);
  new GuardedTransport(NO_TRANSPORT, () => true, metrics);
  const described = tableOf('metric of the operator').map(([name, kind, labels]) => ({ name, kind, labels }));
  const ofLeader = metrics.report().map(({ name, kind, labelNames }) => ({
    name,
    kind,
    labels: labelNames.join(', '),
  }));
  // Those of every replica, whether it leads or not; the rest is of any process.
  const ofReplica = familiesOf(await replicaMetrics())
    .filter(({ name }) => name.startsWith('sluice_operator_'))
    .map(({ name, type, labels }) => ({ name, kind: type, labels }));
  assert.deepEqual(described.sort(byName), [...ofLeader, ...ofReplica].sort(byName));
});

const NO_TRANSPORT: Transport = { send: () => Promise.reject(new Error('nobody is to be asked')) };

async function replicaMetrics(): Promise<string> {
  return new Operator({
    transport: NO_TRANSPORT,
    clock: systemClock,
    random: Math.random,
    log: jsonLog(),
    identity: 'one',
    namespaces: null,
    leaseNamespace: 'sluice-system',
    ingress: true,
    settings: {
      image: 'sluice',
      imagePullPolicy: 'IfNotPresent',
      imagePullSecrets: [],
      operatorNamespace: 'sluice-system',
      operatorPodLabels: {},
      networkPolicy: true,
      shutdownDelaySeconds: 5,
    },
  }).metrics();
}

function byName(a: { name: string | undefined }, b: { name: string | undefined }): number {
  return a.name! < b.name! ? -1 : 1;
}
