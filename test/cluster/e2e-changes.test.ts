/**
 * Whatever is changed in a cluster that is well, 500 WebSockets that exchange messages all the time notice nothing of
 * it, except those whose pod has to go, which are told to come back in time.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import { openThrough, summary } from '../support/fleet/report.ts';
import { until } from '../support/until.ts';
import { Cluster } from './cluster.ts';
import { addressOf, change, gatewayObjects, PORT, programmed } from './e2e/fleet-gateway.ts';
import { get } from './e2e/http.ts';
import { Installation } from './e2e/installation.ts';
import { CLIENTS, Stage } from './e2e/stage.ts';
import { skipWithoutCluster } from './requirements.ts';

const ROLLOUT_TIMEOUT_MS = 120_000;
const CHANGES = 40;

suite('500 WebSockets while a cluster is changed', { skip: skipWithoutCluster() }, () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let installation: Installation;
  let stage: Stage;

  before(async () => {
    cluster = stack.use(await Cluster.start());
    installation = stack.use(await Installation.install(cluster));
    stage = stack.use(await Stage.set(cluster, 'changes', { replicas: 1 }));
    await stage.join(CLIENTS / 2);
  });

  after(() => stack.disposeAsync());

  afterEach(() => stage.forget());

  test('one pod becomes three, and three become one', async (context) => {
    const { namespace, pods } = stage;
    const [first] = pods.addresses();
    await change(cluster, namespace, { replicas: 3 });
    await programmed(cluster, namespace);
    await stage.join(CLIENTS / 2);
    const before = openThrough(await stage.judge((line) => context.diagnostic(`three pods: ${line}`)));
    assert.equal(before.size, 3, 'the new pods have clients as well');
    assert.ok(before.get(first!)! >= CLIENTS / 2, 'those who were there stayed where they were');

    await change(cluster, namespace, { replicas: 1 });
    await stage.podsAre(1);
    const report = await stage.judge((line) => context.diagnostic(`one pod: ${line}`));
    const left = [...before].filter(([address]) => !pods.addresses().includes(address));
    assert.equal(left.length, 2);
    const told = report.links.filter(({ end }) => end !== null).length;
    assert.equal(
      told,
      left.reduce((sum, [, count]) => sum + count, 0),
    );
  });

  test('the configuration changes again and again', async (context) => {
    const { namespace } = stage;
    const address = await addressOf(cluster, namespace);
    for (let round = 1; round <= CHANGES; round++) {
      await cluster.applyObjects([changed(round)], namespace);
    }
    const [, gateway] = gatewayObjects({ replicas: 1 });
    await cluster.applyObjects([withRoute(gateway!, '/last')], namespace);
    await until('the last change is in effect', async () => {
      const { status } = await get(cluster, address, PORT, '/last');
      return status === 302;
    });
    await programmed(cluster, namespace);
    await stage.judge((line) => context.diagnostic(line), new Map());
  });

  test('a new image is rolled out', async (context) => {
    const { namespace, pods } = stage;
    await change(cluster, namespace, { replicas: 2 });
    await programmed(cluster, namespace);
    await installation.addVersion('next');
    const before = pods.addresses();
    await installation.upgrade(['image.tag=next']);
    await until(
      'both pods are new',
      () => pods.addresses().length === 2 && pods.addresses().every((address) => !before.includes(address)),
      ROLLOUT_TIMEOUT_MS,
    );
    await stage.podsAre(2);
    await programmed(cluster, namespace);
    const report = await stage.judge((line) => context.diagnostic(line));
    const told = report.links.filter(({ end }) => end !== null);
    assert.ok(told.length >= CLIENTS, 'every client was told to come back, some of them twice');
  });

  test('the pods of the backend are replaced', async (context) => {
    const { namespace } = stage;
    await cluster.kubectl(['rollout', 'restart', 'deployment/echo'], { namespace });
    await cluster.kubectl(['rollout', 'status', 'deployment/echo', '--timeout=120s'], { namespace });
    const report = await stage.report();
    context.diagnostic(summary(report));
    // They tell their clients themselves, and the gateway passes that on.
    const ends = report.links.flatMap(({ end }) => (end === null ? [] : [`${end.code} ${end.error}`]));
    assert.deepEqual([...new Set(ends)], ['1012 null']);
    assert.deepEqual(report.failed, []);
  });
});

type Spec = Record<string, object[] | undefined>;

function specOf(object: object): Spec {
  return (object as { spec: Spec }).spec;
}

function withSpec(object: object, changes: object): object {
  return { ...object, spec: { ...specOf(object), ...changes } };
}

/** One of the objects that make up the gateway, in another way each time. */
function changed(round: number): object {
  const [secret, gateway, pool, rules] = gatewayObjects({ replicas: 1 }) as [object, object, object, object];
  const { listeners = [] } = specOf(gateway);
  const rule = { type: 'ThrottleByUserIdRule', maxCount: 2 + round };
  const variants = [
    withRoute(gateway, `/route-${round}`),
    withSpec(gateway, { listeners: [...listeners, { name: 'extra', protocol: 'HTTP', port: 9000 + round }] }),
    withSpec(gateway, { limits: { maxConnections: 10_000 + round } }),
    withSpec(pool, { probe: { path: '/healthz', intervalSeconds: 1 + (round % 5) } }),
    withSpec(pool, { loadBalancing: { policy: round % 2 === 0 ? 'RoundRobin' : 'Random2' } }),
    withSpec(rules, { clientConnectionCountRules: [rule] }),
    { ...secret, stringData: { ...(secret as { stringData: object }).stringData, other: String(round) } },
  ];
  return variants[round % variants.length]!;
}

/** The gateway with one more route, which redirects. */
function withRoute(gateway: object, path: string): object {
  const route = {
    name: 'extra',
    match: { paths: [{ type: 'Exact', value: path }] },
    authentication: { mode: 'None' },
    filters: [
      {
        type: 'RequestRedirect',
        requestRedirect: { path: { type: 'ReplaceFullPath', replaceFullPath: '/' }, statusCode: 302 },
      },
    ],
  };
  return withSpec(gateway, { routes: [route, ...(specOf(gateway).routes ?? [])] });
}
