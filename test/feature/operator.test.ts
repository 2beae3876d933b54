/** The operator without a cluster: from what users write to the objects of a gateway and what their status says. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { KubernetesObject } from '../../kubernetes/index.ts';
import { gatewayLabels } from '../../operator/infrastructure/names.ts';
import {
  DEPLOYMENTS,
  HORIZONTAL_POD_AUTOSCALERS,
  ROLES,
  SERVICES,
} from '../../operator/infrastructure/types.ts';
import type { Snapshot } from '../../proxy/config/snapshot.ts';
import { readStoredSnapshot, storedManifest } from '../../proxy/config/stored-snapshot.ts';
import type { ProxyReport } from '../../proxy/pod/report.ts';
import { dataOf, SECRETS, type Secret } from '../../proxy/pod/secret.ts';
import { selfSigned } from '../support/certificates.ts';
import { type OperatorRig, operatorRig } from '../support/operator-rig.ts';
import { until } from '../support/until.ts';

const PODS = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const NAME = 'sluice-chat';

const GATEWAY = {
  spec: {
    replicas: 1,
    listeners: [{ name: 'web', protocol: 'HTTP', port: 8080 }],
    routes: [{ name: 'all', backend: { pool: 'chat' } }],
  },
};
const POOL = { spec: { targets: [{ ip: '10.0.0.1', port: 80 }] } };

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

function condition(
  rig: OperatorRig,
  kind: 'EdgeGateway' | 'BackendPool',
  type: string,
): Condition | undefined {
  const { conditions = [] } = rig.status(kind, 'chat') as { conditions?: Condition[] };
  return conditions.find((entry) => entry.type === type);
}

function readIndex(rig: OperatorRig): Promise<Snapshot> {
  const index = rig.get(SECRETS, `${NAME}-snapshot`) as Secret;
  return readStoredSnapshot(dataOf(index), async () => null);
}

function storedHash(rig: OperatorRig): string | null {
  const index = rig.get(SECRETS, `${NAME}-snapshot`) as Secret | null;
  return index === null ? null : storedManifest(dataOf(index)).hash;
}

/** A pod of the gateway, of which the test decides what it reports. */
async function pod(t: TestContext, rig: OperatorRig, urls: Map<string, string>, name = 'chat-1') {
  const readers = new Set<ServerResponse>();
  const report: { -readonly [K in keyof ProxyReport]: ProxyReport[K] } = {
    format: 1,
    gateway: { namespace: 'default', name: 'chat' },
    pod: name,
    snapshot: null,
    ready: true,
    draining: false,
    problem: null,
    listenFailures: [],
    pools: [],
    ruleLists: [],
  };
  const say = (response: ServerResponse) => response.write(`${JSON.stringify(report)}\n`);
  const server = createServer((_request, response) => {
    readers.add(response);
    response.on('close', () => readers.delete(response));
    response.writeHead(200);
    say(response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const podIP = `10.1.0.${urls.size + 1}`;
  urls.set(podIP, `http://127.0.0.1:${(server.address() as AddressInfo).port}/report`);
  rig.server.put(PODS, {
    metadata: { namespace: 'default', name, labels: gatewayLabels({ namespace: 'default', name: 'chat' }) },
    status: { phase: 'Running', podIP, conditions: [{ type: 'Ready', status: 'True' }] },
  });
  return {
    report(changes: Partial<ProxyReport>) {
      Object.assign(report, changes);
      for (const reader of readers) say(reader);
    },
  };
}

async function setUp(t: TestContext) {
  const urls = new Map<string, string>();
  const rig = await operatorRig(t, { reportUrl: (podIP) => urls.get(podIP) ?? 'http://127.0.0.1:1/' });
  return { rig, urls };
}

test('a gateway gets its objects, and is programmed once its pods say that they serve it', async (t) => {
  const { rig, urls } = await setUp(t);
  rig.put('EdgeGateway', 'chat', GATEWAY);
  rig.put('BackendPool', 'chat', POOL);
  await rig.operator.start();

  await rig.awaits(DEPLOYMENTS, NAME);
  const snapshot = await readIndex(rig);
  assert.deepEqual(snapshot.pools[0]?.targets, [{ kind: 'ip', address: '10.0.0.1', port: 80, weight: 1 }]);
  await until('not programmed', () => condition(rig, 'EdgeGateway', 'Programmed')?.status === 'False');
  assert.equal(condition(rig, 'EdgeGateway', 'Accepted')?.status, 'True');

  const first = await pod(t, rig, urls);
  first.report({ snapshot: 'another' });
  await until('the message names the pod', () =>
    condition(rig, 'EdgeGateway', 'Programmed')?.message.includes('chat-1'),
  );
  first.report({
    snapshot: snapshot.hash,
    pools: [{ id: 'default/chat', healthy: 1, total: 1, problem: null }],
  });
  await until('programmed', () => condition(rig, 'EdgeGateway', 'Programmed')?.status === 'True');
  await until('healthy targets', () => {
    const { targets } = rig.status('BackendPool', 'chat') as { targets?: { healthy: number; total: number } };
    return targets?.healthy === 1 && targets.total === 1;
  });
});

test('a change swaps the snapshot; one that means nothing writes nothing', async (t) => {
  const { rig, urls } = await setUp(t);
  rig.put('EdgeGateway', 'chat', GATEWAY);
  rig.put('BackendPool', 'chat', POOL);
  await rig.operator.start();
  await rig.awaits(DEPLOYMENTS, NAME);
  const hash = storedHash(rig);
  const one = await pod(t, rig, urls);
  one.report({ snapshot: hash });
  await until('programmed', () => condition(rig, 'EdgeGateway', 'Programmed')?.status === 'True');

  rig.put('BackendPool', 'chat', { spec: { targets: [{ ip: '10.0.0.2', port: 80 }] } });
  await until('another snapshot', () => storedHash(rig) !== hash);
  one.report({ snapshot: storedHash(rig) });
  const generation = (object: string) =>
    (rig.status(object === 'chat' ? 'EdgeGateway' : 'BackendPool', 'chat') as { observedGeneration?: number })
      .observedGeneration;
  await until('programmed again', () => condition(rig, 'EdgeGateway', 'Programmed')?.status === 'True');
  await until('the pool was judged anew', () => generation('pool') === 2);

  // A label says nothing to us. What comes after it shows that it was seen.
  const before = rig.writes();
  rig.put('BackendPool', 'chat', { metadata: { labels: { team: 'a' } } as never });
  rig.put('ConfigMap', 'unused', { data: { a: 'b' } });
  const compiles = async () =>
    Number(/sluice_operator_compile_duration_seconds_count (\d+)/.exec(await rig.operator.metrics())?.[1]);
  const seen = await compiles();
  rig.put('ConfigMap', 'unused', { data: { a: 'c' } });
  await until('compiled again', async () => (await compiles()) > seen);
  assert.equal(rig.writes(), before);
});

test('what others change in the objects is put right, and what is no longer wanted goes', async (t) => {
  const { rig } = await setUp(t);
  rig.put('EdgeGateway', 'chat', {
    spec: {
      ...GATEWAY.spec,
      replicas: undefined,
      infrastructure: { autoscaling: { minReplicas: 2, maxReplicas: 4 } },
    },
  });
  rig.put('BackendPool', 'chat', POOL);
  await rig.operator.start();
  await rig.awaits(HORIZONTAL_POD_AUTOSCALERS, NAME);

  const service = await rig.awaits(SERVICES, NAME);
  const ports = (object: KubernetesObject) =>
    (object as { spec?: { ports?: { port: number }[] } }).spec?.ports ?? [];
  rig.server.put(SERVICES, { ...service, spec: { ports: [] } } as never);
  await rig.awaits(SERVICES, NAME, (object) => ports(object)[0]?.port === 8080);

  rig.server.delete(ROLES, 'default', NAME);
  await rig.awaits(ROLES, NAME);

  rig.put('EdgeGateway', 'chat', GATEWAY);
  await until('the autoscaler is gone', () => rig.get(HORIZONTAL_POD_AUTOSCALERS, NAME) === null);
});

test('a gateway that gets an autoscaler keeps its number of pods', async (t) => {
  const { rig } = await setUp(t);
  rig.put('EdgeGateway', 'chat', { spec: { ...GATEWAY.spec, replicas: 5 } });
  rig.put('BackendPool', 'chat', POOL);
  await rig.operator.start();
  const replicas = (object: KubernetesObject) => (object as { spec?: { replicas?: number } }).spec?.replicas;
  await rig.awaits(DEPLOYMENTS, NAME, (object) => replicas(object) === 5);

  rig.put('EdgeGateway', 'chat', {
    spec: { ...GATEWAY.spec, replicas: undefined, infrastructure: { autoscaling: { maxReplicas: 9 } } },
  });
  await rig.awaits(HORIZONTAL_POD_AUTOSCALERS, NAME);
  await rig.awaits(
    DEPLOYMENTS,
    NAME,
    ({ metadata }) =>
      metadata.managedFields?.every(
        ({ manager, fieldsV1 }) =>
          manager !== 'sluice-operator' || fieldsV1?.['f:spec']?.['f:replicas'] === undefined,
      ) ?? false,
  );
  assert.equal(replicas(rig.get(DEPLOYMENTS, NAME)!), 5);
});

test("somebody else's object of the same name is left alone, and the status says so", async (t) => {
  const { rig } = await setUp(t);
  const foreign = rig.server.put(SERVICES, {
    metadata: { namespace: 'default', name: NAME },
    spec: { ports: [{ port: 1 }] },
  });
  rig.put('EdgeGateway', 'chat', GATEWAY);
  rig.put('BackendPool', 'chat', POOL);
  await rig.operator.start();
  await until('the status says so', () =>
    condition(rig, 'EdgeGateway', 'Programmed')?.message.includes('did not make'),
  );
  assert.deepEqual(rig.get(SERVICES, NAME), foreign);
  // The others are made all the same.
  await rig.awaits(DEPLOYMENTS, NAME);
  rig.server.delete(SERVICES, 'default', NAME);
  await rig.awaits(SERVICES, NAME, ({ metadata }) => metadata.labels?.['sluice.dev/gateway'] === 'chat');
});

test('what only bears our labels is not ours: it is neither removed nor changed', async (t) => {
  const { rig } = await setUp(t);
  const labels = gatewayLabels({ namespace: 'default', name: 'chat' });
  const copy = rig.server.put(SECRETS, { metadata: { namespace: 'default', name: 'copy', labels } });
  const managed = { 'app.kubernetes.io/managed-by': 'sluice-operator' };
  const mine = rig.server.put(SECRETS, { metadata: { namespace: 'victim', name: 'mine', labels: managed } });
  const service = rig.server.put(SERVICES, { metadata: { namespace: 'default', name: NAME, labels } });
  rig.put('EdgeGateway', 'chat', GATEWAY);
  rig.put('BackendPool', 'chat', POOL);
  await rig.operator.start();
  await rig.awaits(DEPLOYMENTS, NAME);
  await until('the Service is told of', () =>
    condition(rig, 'EdgeGateway', 'Programmed')?.message.includes('did not make'),
  );
  rig.server.delete(SERVICES, 'default', NAME);
  await rig.awaits(SERVICES, NAME, ({ metadata }) => metadata.managedFields !== undefined);
  // Without an error any more, what is not wanted is removed: an old part of a snapshot, say.
  await until('reconciled', async () =>
    /reconciles_total\{what="gateway",result="done"\} [1-9]/.test(await rig.operator.metrics()),
  );
  assert.deepEqual(rig.get(SECRETS, 'copy'), copy);
  assert.deepEqual(rig.get(SECRETS, 'mine', 'victim'), mine);
  assert.equal(service.metadata.managedFields, undefined);
});

test('a label that somebody changes in an object of ours is put right', async (t) => {
  const { rig } = await setUp(t);
  rig.put('EdgeGateway', 'chat', GATEWAY);
  rig.put('BackendPool', 'chat', POOL);
  await rig.operator.start();
  const service = await rig.awaits(SERVICES, NAME);
  const label = 'app.kubernetes.io/managed-by';
  const labels = { ...service.metadata.labels, [label]: 'argocd' };
  rig.server.put(SERVICES, { ...service, metadata: { ...service.metadata, labels } });
  await rig.awaits(SERVICES, NAME, ({ metadata }) => metadata.labels?.[label] === 'sluice-operator');
});

test('a bad gateway takes nothing from a good one, and a Secret that appears later heals it', async (t) => {
  const { rig } = await setUp(t);
  rig.put('EdgeGateway', 'chat', {
    spec: {
      ...GATEWAY.spec,
      listeners: [
        ...GATEWAY.spec.listeners,
        { name: 'secure', protocol: 'HTTPS', port: 8443, tls: { certificateRefs: [{ name: 'chat-tls' }] } },
      ],
    },
  });
  rig.put('BackendPool', 'chat', POOL);
  await rig.operator.start();
  await rig.awaits(DEPLOYMENTS, NAME);
  await until('the missing Secret is named', () =>
    condition(rig, 'EdgeGateway', 'ResolvedRefs')?.message.includes('chat-tls'),
  );
  assert.equal((await readIndex(rig)).ports.length, 1);

  const { chainPem, keyPem } = await selfSigned({ dnsNames: ['chat.example.com'] });
  const tls = {
    type: 'kubernetes.io/tls',
    data: {
      'tls.crt': Buffer.from(chainPem).toString('base64'),
      'tls.key': Buffer.from(keyPem).toString('base64'),
    },
  };
  rig.put('Secret', 'chat-tls', tls);
  await until('it is resolved', () => condition(rig, 'EdgeGateway', 'ResolvedRefs')?.status === 'True');
  await until('the listener is there', async () => (await readIndex(rig)).ports.length === 2);
});

test('a certificate that is broken while no operator runs is served on after the start', async (t) => {
  const { rig } = await setUp(t);
  const { chainPem, keyPem } = await selfSigned({ dnsNames: ['chat.example.com'] });
  const data = (chain: string) => ({
    type: 'kubernetes.io/tls',
    data: {
      'tls.crt': Buffer.from(chain).toString('base64'),
      'tls.key': Buffer.from(keyPem).toString('base64'),
    },
  });
  rig.put('Secret', 'chat-tls', data(chainPem));
  rig.put('EdgeGateway', 'chat', {
    spec: {
      ...GATEWAY.spec,
      listeners: [
        { name: 'secure', protocol: 'HTTPS', port: 8443, tls: { certificateRefs: [{ name: 'chat-tls' }] } },
      ],
    },
  });
  rig.put('BackendPool', 'chat', POOL);
  await rig.operator.start();
  await rig.awaits(DEPLOYMENTS, NAME);
  const hash = storedHash(rig);
  await rig.operator.stop();

  rig.put('Secret', 'chat-tls', data('nonsense'));
  const second = rig.another('operator-2');
  await second.start();
  await until('it has compiled', async () =>
    /compile_duration_seconds_count [1-9]/.test(await second.metrics()),
  );
  await until('the broken Secret is told of', () =>
    rig.lines.some((line) => line.includes('Secret default/chat-tls')),
  );
  assert.equal(storedHash(rig), hash);
});

test('the operator that starts anew writes nothing that is there already', async (t) => {
  const { rig } = await setUp(t);
  rig.put('EdgeGateway', 'chat', GATEWAY);
  rig.put('BackendPool', 'chat', POOL);
  await rig.operator.start();
  await rig.awaits(DEPLOYMENTS, NAME);
  await until('judged', () => condition(rig, 'EdgeGateway', 'Programmed') !== undefined);
  await until('the pool is judged', () => condition(rig, 'BackendPool', 'Accepted') !== undefined);
  await rig.operator.stop();
  const before = rig.writes();
  const second = rig.another('operator-2');
  await second.start();
  await until('it leads', async () => /sluice_operator_leader 1/.test(await second.metrics()));
  await until('it has compiled', async () =>
    /compile_duration_seconds_count [1-9]/.test(await second.metrics()),
  );
  await until('it has reconciled', async () =>
    /reconciles_total\{what="gateway",result="done"\} [1-9]/.test(await second.metrics()),
  );
  assert.equal(rig.writes(), before);
});
