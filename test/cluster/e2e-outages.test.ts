/**
 * Parts of the cluster fail, and 500 WebSockets that exchange messages all the time notice nothing of it, except those
 * whose pod has to go, which are told to come back in time.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openThrough } from '../support/fleet/report.ts';
import { until } from '../support/until.ts';
import { Cluster } from './cluster.ts';
import { program } from './components.ts';
import { startControlPlane } from './control-plane.ts';
import { addressOf, change, echoObjects, GATEWAY, PORT, programmed } from './e2e/fleet-gateway.ts';
import { get } from './e2e/http.ts';
import { Installation, OPERATOR_NAMESPACE } from './e2e/installation.ts';
import { CLIENTS, Stage } from './e2e/stage.ts';
import type { ClusterNode } from './node.ts';
import { skipWithoutCluster } from './requirements.ts';

/** For how long the API server is away. */
const OUTAGE_SECONDS = Number(process.env.SLUICE_OUTAGE_SECONDS ?? 300);
const REQUEST_INTERVAL_MS = 500;
const STATUS_PORT = 9902;
const RECOVERY_MS = 120_000;
const OPERATOR = 'deployment/sluice-operator';

suite('500 WebSockets while parts of the cluster fail', { skip: skipWithoutCluster() }, () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let installation: Installation;
  let stage: Stage;
  let address: string;

  before(async () => {
    cluster = stack.use(await Cluster.start());
    installation = stack.use(await Installation.install(cluster));
    stage = stack.use(await Stage.set(cluster, 'outages', { replicas: 2 }));
    address = await addressOf(cluster, stage.namespace);
    await stage.join(CLIENTS);
  });

  after(() => stack.disposeAsync());

  afterEach(() => stage.forget());

  /** The name of the backend pod that answers a new connection's request. */
  async function answerer(): Promise<string> {
    const { status, body } = await get(cluster, address, PORT, '/open');
    assert.equal(status, 200, body);
    return body.split(' ')[0]!;
  }

  /** One more route, which is forbidden to everybody, so that it is easy to tell whether it is there. */
  const routes = (path: string): object => ({
    routes: [
      {
        name: 'changed',
        match: { paths: [{ type: 'Exact', value: path }] },
        authentication: { mode: 'None' },
        accessControl: { deny: ['0.0.0.0/0', '::/0'] },
        backend: { pool: 'echo' },
      },
      {
        name: 'open',
        match: { paths: [{ type: 'PathPrefix', value: '/open' }] },
        authentication: { mode: 'None' },
        backend: { pool: 'echo' },
      },
      { name: 'all', backend: { pool: 'echo' } },
    ],
  });

  const inEffect = async (path: string): Promise<void> => {
    await until(
      `${path} is in effect`,
      async () => (await get(cluster, address, PORT, path)).status === 403,
      RECOVERY_MS,
    );
  };

  test('the operator is away: pods start, and endpoints are followed', async (context) => {
    const { namespace, pods } = stage;
    const operator = { namespace: OPERATOR_NAMESPACE };
    await cluster.kubectl(['scale', OPERATOR, '--replicas=0'], operator);
    const selector = '--selector=app.kubernetes.io/component=operator';
    await cluster.kubectl(['delete', 'pods', selector, '--grace-period=0', '--force', '--wait'], operator);
    await until('no operator is left', async () => {
      const names = await cluster.kubectl(['get', 'pods', selector, '--output=name'], operator);
      return names === '';
    });

    const before = new Set([await answerer(), await answerer(), await answerer(), await answerer()]);
    await cluster.applyObjects(echoObjects(4), namespace);
    await until('a new backend gets requests', async () => !before.has(await answerer()));

    const [lost] = pods.addresses();
    await cluster.delete('pod', pods.nameOf(lost!), namespace);
    await until('its successor is ready', async () => {
      const { status } = await cluster.get('deployment', `sluice-${GATEWAY}`, namespace);
      return (status as { readyReplicas?: number }).readyReplicas === 2;
    });
    await change(cluster, namespace, routes('/while-away'));
    const report = await stage.judge((line) => context.diagnostic(line));
    assert.ok(report.links.some(({ through, end }) => through === lost && end !== null));
    assert.notEqual((await get(cluster, address, PORT, '/while-away')).status, 403);

    await cluster.kubectl(['scale', OPERATOR, '--replicas=2'], operator);
    await cluster.kubectl(['rollout', 'status', OPERATOR, '--timeout=120s'], operator);
    await inEffect('/while-away');
    await programmed(cluster, namespace);
    await stage.judge((line) => context.diagnostic(`with the operator again: ${line}`));
  });

  test(`the API server is away for ${OUTAGE_SECONDS} s`, async (context) => {
    const { namespace, pods } = stage;
    const [node] = cluster.nodes;
    await node!.kill(program('kube-apiserver'));
    try {
      const endMs = Date.now() + OUTAGE_SECONDS * 1_000;
      let requests = 0;
      while (Date.now() < endMs) {
        await answerer();
        requests++;
        await delay(REQUEST_INTERVAL_MS);
      }
      await stage.judge((line) => context.diagnostic(`${line}; ${requests} requests`), new Map());

      // A container that starts again finds the snapshot in its volume.
      const [crashed] = pods.addresses();
      await killContainer(node!, pods.nameOf(crashed!));
      const ready = await until(
        'the container starts again',
        async () => {
          const answer = await get(cluster, crashed!, STATUS_PORT, '/readyz').catch(() => null);
          return answer?.status === 200 ? answer : null;
        },
        RECOVERY_MS,
      );
      context.diagnostic(`the container started again: ${ready.body.trim()}`);
      const report = await stage.report();
      for (const { through, end } of report.links) {
        if (end !== null) assert.equal(through, crashed, 'only its own clients are lost');
      }
      assert.equal((await get(cluster, crashed!, PORT, '/open')).status, 200, 'it serves as before');
    } finally {
      await startControlPlane(node!, 'kube-apiserver');
    }
    await until(
      'the API server answers',
      () => cluster.get('namespace', namespace, 'default').catch(() => null),
      RECOVERY_MS,
    );
    await stage.forget();
    await change(cluster, namespace, routes('/after'));
    await inEffect('/after');
    await programmed(cluster, namespace);
    await stage.judge((line) => context.diagnostic(`with the API server again: ${line}`));
  });

  test('a node is drained', async (context) => {
    const { namespace, pods } = stage;
    await change(cluster, namespace, { replicas: 1 });
    await stage.podsAre(1);
    const [near] = cluster.nodes;
    const node = await cluster.addNode();
    try {
      await installation.importImages([node]);
      // The backends stay where they are.
      await cluster.applyObjects(echoObjects(4, near!.name), namespace);
      await cluster.kubectl(['rollout', 'status', 'deployment/echo', '--timeout=120s'], { namespace });
      await change(cluster, namespace, { replicas: 2 });
      await programmed(cluster, namespace);
      await stage.forget();
      await stage.join(CLIENTS / 2);
      const far = pods.addresses().filter((address) => pods.nodeOf(address) === node.name);
      assert.equal(far.length, 1, 'the pods are spread over the nodes');
      const before = openThrough(await stage.judge((line) => context.diagnostic(`two nodes: ${line}`)));
      assert.ok(before.get(far[0]!)! > 0);

      await cluster.kubectl(['drain', node.name, '--ignore-daemonsets', '--timeout=120s']);
      await programmed(cluster, namespace);
      const report = await stage.judge((line) => context.diagnostic(`drained: ${line}`));
      const told = report.links.filter(({ end }) => end !== null);
      assert.equal(told.length, before.get(far[0]!));
      assert.ok(pods.addresses().every((address) => pods.nodeOf(address) === near!.name));
    } finally {
      await cluster.removeNode(node);
    }
  });
});

/** Kills the container of a proxy pod, as the kernel does when memory is short. */
async function killContainer(node: ClusterNode, pod: string): Promise<void> {
  const ctr = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await node.run(program('ctr'), ['--namespace=k8s.io', ...args]);
    if (code !== 0) throw new Error(`ctr ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const label = (name: string, value: string): string => `labels."io.kubernetes.${name}"==${value}`;
  const filter = [label('pod.name', pod), label('container.name', 'proxy')].join(',');
  const [id] = (await ctr('containers', 'list', '--quiet', filter)).split('\n');
  await ctr('tasks', 'kill', '--signal=SIGKILL', id!);
}
