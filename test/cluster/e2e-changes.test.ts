/**
 * Whatever is changed in a cluster that is well, 500 WebSockets that exchange messages all the time notice nothing of
 * it, except those whose pod has to go, which are told to come back in time.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import { complaints, type FleetReport, openThrough, summary } from '../support/fleet/report.ts';
import { until } from '../support/until.ts';
import { Cluster, type TestNamespace } from './cluster.ts';
import type { ClusterFleet } from './cluster-fleet.ts';
import {
  addressOf,
  change,
  DRAIN_MS,
  echoObjects,
  GATEWAY,
  gatewayObjects,
  openFleet,
  PORT,
  programmed,
  startFleetGateway,
} from './e2e/fleet-gateway.ts';
import { get } from './e2e/http.ts';
import { Installation } from './e2e/installation.ts';
import { PodLog } from './e2e/pod-log.ts';
import { skipWithoutCluster } from './requirements.ts';

const CLIENTS = 500;
const INTERVAL_MS = 1_000;
/** An echo takes a millisecond; this is for a machine with two cores that starts pods at the same time. */
const MAX_WAIT_MS = 3_000;
const ROLLOUT_TIMEOUT_MS = 120_000;
const CHANGES = 40;

suite('500 WebSockets while a cluster is changed', { skip: skipWithoutCluster() }, () => {
  let cluster: Cluster;
  let installation: Installation;
  let namespace: TestNamespace;
  let pods: PodLog;
  /** Half of the clients each. */
  const fleets: ClusterFleet[] = [];

  before(async () => {
    cluster = await Cluster.start();
    installation = await Installation.install(cluster);
    namespace = await cluster.namespace('changes');
    await startFleetGateway(cluster, namespace.name, { replicas: 1 });
    pods = await PodLog.follow(cluster, namespace.name, GATEWAY);
    await join();
  });

  after(async () => {
    for (const fleet of fleets) await fleet[Symbol.asyncDispose]();
    await pods?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
    await installation?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  afterEach(async () => {
    for (const fleet of fleets) await fleet.allOpen();
    for (const fleet of fleets) await fleet.forget();
  });

  async function join(): Promise<void> {
    const first = fleets.length * (CLIENTS / 2);
    fleets.push(
      await openFleet(cluster, namespace.name, {
        clients: CLIENTS / 2,
        intervalMs: INTERVAL_MS,
        firstUser: first,
      }),
    );
  }

  /** What the clients saw, with all of them connected, and each connection tried once more. */
  async function reports(): Promise<FleetReport> {
    for (const fleet of fleets) await fleet.allOpen();
    for (const fleet of fleets) await fleet.moreEchoes();
    await pods.refresh();
    const all = await Promise.all(fleets.map((fleet) => fleet.report()));
    return {
      links: all.flatMap(({ links }) => links),
      failed: all.flatMap(({ failed }) => failed),
      wrongEchoes: all.flatMap(({ wrongEchoes }) => wrongEchoes),
    };
  }

  /** Fails unless all went well; says how it went. */
  async function judge(say: (line: string) => void, gone = pods.stopped(DRAIN_MS)): Promise<FleetReport> {
    const report = await reports();
    say(summary(report));
    assert.deepEqual(complaints(report, { gone, maxWaitMs: MAX_WAIT_MS }), []);
    return report;
  }

  async function podsAre(count: number): Promise<void> {
    await until(
      `there are ${count} pods`,
      async () => {
        const names = await cluster.kubectl(
          ['get', 'pods', `--selector=sluice.dev/gateway=${GATEWAY}`, '--output=name'],
          { namespace: namespace.name },
        );
        return names.trim().split('\n').length === count;
      },
      ROLLOUT_TIMEOUT_MS,
    );
  }

  test('one pod becomes three, and three become one', async (context) => {
    const [first] = pods.addresses();
    await change(cluster, namespace.name, { replicas: 3 });
    await programmed(cluster, namespace.name);
    await join();
    const before = openThrough(await judge((line) => context.diagnostic(`three pods: ${line}`)));
    assert.equal(before.size, 3, 'the new pods have clients as well');
    assert.ok(before.get(first!)! >= CLIENTS / 2, 'those who were there stayed where they were');

    await change(cluster, namespace.name, { replicas: 1 });
    await podsAre(1);
    const report = await judge((line) => context.diagnostic(`one pod: ${line}`));
    const told = report.links.filter(({ end }) => end !== null).length;
    const moved = [...before].filter(([address]) => !pods.addresses().includes(address));
    assert.equal(moved.length, 2);
    assert.equal(
      told,
      moved.reduce((sum, [, count]) => sum + count, 0),
    );
  });

  test('the configuration changes again and again', async (context) => {
    const address = await addressOf(cluster, namespace.name);
    for (let round = 1; round <= CHANGES; round++) {
      const [secret, gateway, pool, rules] = gatewayObjects({ replicas: 1 });
      const variants = [
        // Routes, listeners and settings of the gateway.
        withSpec(gateway!, { routes: [...extraRoutes(round), ...specOf(gateway!).routes!] }),
        withSpec(gateway!, {
          listeners: [
            ...specOf(gateway!).listeners!,
            { name: 'extra', protocol: 'HTTP', port: 9000 + round },
          ],
        }),
        withSpec(gateway!, { limits: { maxConnections: 10_000 + round } }),
        // How the pool is probed and balanced.
        withSpec(pool!, { probe: { path: '/healthz', intervalSeconds: 1 + (round % 5) } }),
        withSpec(pool!, { loadBalancing: { policy: round % 2 === 0 ? 'RoundRobin' : 'Random2' } }),
        // What counts, and the key that tokens are checked with.
        withSpec(rules!, {
          clientConnectionCountRules: [{ type: 'ThrottleByUserIdRule', maxCount: 2 + round }],
        }),
        { ...secret, stringData: { ...(secret as { stringData: object }).stringData, other: `${round}` } },
      ];
      await cluster.applyObjects([variants[round % variants.length]!], namespace.name);
    }
    const [, gateway] = gatewayObjects({ replicas: 1 });
    const last = withSpec(gateway!, { routes: [...extraRoutes(0), ...specOf(gateway!).routes!] });
    await cluster.applyObjects([last], namespace.name);
    await until('the last change is in effect', async () => {
      const { status } = await get(cluster, address, PORT, '/extra');
      return status === 302;
    });
    await programmed(cluster, namespace.name);
    await judge((line) => context.diagnostic(line), new Map());
  });

  test('a new image is rolled out', async (context) => {
    await change(cluster, namespace.name, { replicas: 2 });
    await programmed(cluster, namespace.name);
    await installation.addVersion('next');
    const before = pods.addresses();
    await installation.upgrade(['image.tag=next']);
    await until(
      'both pods are new',
      () => pods.addresses().length === 2 && pods.addresses().every((address) => !before.includes(address)),
      ROLLOUT_TIMEOUT_MS,
    );
    await podsAre(2);
    await programmed(cluster, namespace.name);
    const report = await judge((line) => context.diagnostic(line));
    const told = report.links.filter(({ end }) => end !== null);
    assert.ok(told.length >= CLIENTS, 'every client was told to come back, some of them twice');
  });

  test('the pods of the backend are replaced', async (context) => {
    await cluster.kubectl(['rollout', 'restart', 'deployment/echo'], { namespace: namespace.name });
    await cluster.kubectl(['rollout', 'status', 'deployment/echo', '--timeout=120s'], {
      namespace: namespace.name,
    });
    const report = await reports();
    context.diagnostic(summary(report));
    // They tell their clients themselves, and the gateway passes that on.
    const ends = report.links.flatMap(({ end }) => (end === null ? [] : [`${end.code} ${end.error}`]));
    assert.deepEqual([...new Set(ends)], ['1012 null']);
    assert.equal(report.failed.length, 0, JSON.stringify(report.failed.slice(0, 3)));
    await cluster.applyObjects(echoObjects(2), namespace.name);
  });
});

type Spec = Record<string, object[] | undefined>;

function specOf(object: object): Spec {
  return (object as { spec: Spec }).spec;
}

function withSpec(object: object, changes: object): object {
  return { ...object, spec: { ...specOf(object), ...changes } };
}

function extraRoutes(round: number): object[] {
  return [
    {
      name: 'extra',
      match: { paths: [{ type: 'Exact', value: round === 0 ? '/extra' : `/extra-${round}` }] },
      authentication: { mode: 'None' },
      filters: [
        {
          type: 'RequestRedirect',
          requestRedirect: { path: { type: 'ReplaceFullPath', replaceFullPath: '/' }, statusCode: 302 },
        },
      ],
    },
  ];
}
