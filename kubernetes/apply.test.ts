import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AppliedObject, Applier } from './apply.ts';
import { ApiError } from './errors.ts';
import { differencesFrom } from './managed-fields.ts';
import type { KubernetesObject, ManagedFields, ResourceType } from './objects.ts';
import { type Rig, rig } from './testing/rig.ts';

const DEPLOYMENTS: ResourceType = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
};
const COLLECTION = '/apis/apps/v1/deployments';
const metadata = { namespace: 'chat', name: 'web' };

function deployment(spec: Record<string, unknown> = {}, labels?: Record<string, string>): AppliedObject {
  const containers = [{ name: 'proxy', image: 'sluice:1', args: ['proxy', '-v'] }];
  return {
    metadata: { ...metadata, ...(labels !== undefined && { labels }) },
    spec: { replicas: 2, template: { spec: { containers } }, ...spec },
  };
}

function live({ server }: Rig): KubernetesObject & { spec: Record<string, unknown>; status?: unknown } {
  return server.etcd.get(COLLECTION, 'chat', 'web') as ReturnType<typeof live>;
}

function writes({ server }: Rig): number {
  return server.requests.filter(({ method }) => method === 'PATCH').length;
}

test('creates what is not there, and then writes nothing while nothing changes', async (t) => {
  const r = await rig(t);
  const applier = new Applier(r.transport, 'sluice');
  const created = await applier.apply(DEPLOYMENTS, deployment(), undefined);
  assert.equal(created.outcome, 'applied');
  assert.equal(live(r).spec.replicas, 2);
  const [request] = r.server.requests;
  assert.equal(request?.headers['content-type'], 'application/apply-patch+yaml');
  assert.deepEqual(Object.fromEntries(request!.query), {
    fieldManager: 'sluice',
    force: 'false',
    fieldValidation: 'Strict',
  });
  for (const again of [applier, new Applier(r.transport, 'sluice')]) {
    assert.deepEqual(await again.apply(DEPLOYMENTS, deployment(), live(r)), { outcome: 'unchanged' });
  }
  assert.equal(writes(r), 1);
});

test('writes changes, additions and removals, and says which', async (t) => {
  const r = await rig(t);
  const applier = new Applier(r.transport, 'sluice');
  const steps: [AppliedObject, string[]][] = [
    [deployment(), []],
    [deployment({ replicas: 3 }), ['.spec.replicas']],
    [deployment({ replicas: undefined }), ['.spec.replicas']],
    [deployment({}, { app: 'web' }), ['.metadata.labels', '.spec.replicas']],
    [deployment({}, { tier: 'edge' }), ['.metadata.labels.app', '.metadata.labels.tier']],
    [
      deployment({
        template: { spec: { containers: [{ name: 'proxy', image: 'sluice:1', args: ['proxy'] }] } },
      }),
      ['.metadata.labels', '.spec.template.spec.containers[name=proxy].args'],
    ],
    [
      deployment({
        template: { spec: { containers: [{ name: 'other', image: 'sluice:1', args: ['proxy'] }] } },
      }),
      ['.spec.template.spec.containers[]', '.spec.template.spec.containers[name=proxy]'],
    ],
  ];
  for (const [desired, changed] of steps) {
    const outcome = await applier.apply(DEPLOYMENTS, desired, live(r) ?? undefined);
    assert.equal(outcome.outcome, 'applied');
    assert.deepEqual(outcome.outcome === 'applied' && [...outcome.changed].sort(), changed);
    assert.equal((await applier.apply(DEPLOYMENTS, desired, live(r))).outcome, 'unchanged');
  }
  assert.deepEqual(live(r).spec, {
    replicas: 2,
    template: { spec: { containers: [{ name: 'other', image: 'sluice:1', args: ['proxy'] }] } },
  });
});

test("leaves others' fields alone, and conditions that others set", async (t) => {
  const r = await rig(t);
  const ours = new Applier(r.transport, 'sluice');
  const theirs = new Applier(r.transport, 'other');
  const status = (type: string, reason: string): AppliedObject => ({
    metadata,
    status: { conditions: [{ type, status: 'True', reason }] },
  });
  await ours.apply(DEPLOYMENTS, deployment(), undefined);
  await ours.apply(DEPLOYMENTS, status('Accepted', 'Accepted'), live(r), { subresource: 'status' });
  await theirs.apply(DEPLOYMENTS, status('Audited', 'Fine'), live(r), { subresource: 'status' });
  assert.equal(
    r.server.requests.at(-1)?.path,
    `${COLLECTION.replace('/dep', '/namespaces/chat/dep')}/web/status`,
  );
  const unchanged = await ours.apply(DEPLOYMENTS, status('Accepted', 'Accepted'), live(r), {
    subresource: 'status',
  });
  assert.equal(unchanged.outcome, 'unchanged');
  assert.equal((await ours.apply(DEPLOYMENTS, deployment(), live(r))).outcome, 'unchanged');
  await ours.apply(DEPLOYMENTS, status('Accepted', 'Invalid'), live(r), { subresource: 'status' });
  assert.deepEqual(live(r).status, {
    conditions: [
      { type: 'Accepted', status: 'True', reason: 'Invalid' },
      { type: 'Audited', status: 'True', reason: 'Fine' },
    ],
  });
});

test('says who owns a field that it wants; takes it when told to', async (t) => {
  const r = await rig(t);
  const ours = new Applier(r.transport, 'sluice');
  await ours.apply(DEPLOYMENTS, deployment(), undefined);
  const kubectl = new Applier(r.transport, 'kubectl');
  await kubectl.apply(DEPLOYMENTS, { metadata, spec: { replicas: 9 } }, live(r), { force: true });
  const outcome = await ours.apply(DEPLOYMENTS, deployment(), live(r));
  assert.deepEqual(outcome, {
    outcome: 'conflict',
    conflicts: [{ field: '.spec.replicas', manager: 'kubectl' }],
    message: 'deployments.apps chat/web: .spec.replicas belongs to "kubectl"',
  });
  assert.equal(live(r).spec.replicas, 9);
  const forced = await ours.apply(DEPLOYMENTS, deployment(), live(r), { force: true });
  assert.equal(forced.outcome, 'applied');
  assert.equal(live(r).spec.replicas, 2);
});

test('drift of a field that we own is a difference', async (t) => {
  const r = await rig(t);
  const applier = new Applier(r.transport, 'sluice');
  await applier.apply(DEPLOYMENTS, deployment(), undefined);
  const drifted = { ...live(r), spec: { ...live(r).spec, replicas: 0 } };
  r.server.put(DEPLOYMENTS, drifted);
  const outcome = await applier.apply(DEPLOYMENTS, deployment(), live(r));
  assert.deepEqual(outcome.outcome === 'applied' && outcome.changed, ['.spec.replicas']);
  assert.equal(live(r).spec.replicas, 2);
});

test('what the server writes in its own way is written once, until one of the two changes', async (t) => {
  const r = await rig(t);
  const applier = new Applier(r.transport, 'sluice');
  const cpu = (limit: string) => deployment({ resources: { cpu: limit } });
  await applier.apply(DEPLOYMENTS, cpu('1000m'), undefined);
  const canonical = () => {
    r.server.put(DEPLOYMENTS, { ...live(r), spec: { ...live(r).spec, resources: { cpu: '1' } } });
  };
  canonical();
  // The fake server keeps what it is sent, so the answer is made to look as kube-apiserver's.
  r.server.fault = ({ method }) =>
    method === 'PATCH' ? { kind: 'raw', status: 200, body: JSON.stringify(live(r)) } : undefined;
  assert.equal((await applier.apply(DEPLOYMENTS, cpu('1000m'), live(r))).outcome, 'applied');
  canonical();
  assert.equal((await applier.apply(DEPLOYMENTS, cpu('1000m'), live(r))).outcome, 'unchanged');
  assert.equal((await applier.apply(DEPLOYMENTS, cpu('2000m'), live(r))).outcome, 'applied');
  r.server.put(DEPLOYMENTS, { ...live(r), spec: { ...live(r).spec, resources: { cpu: '7' } } });
  assert.equal((await applier.apply(DEPLOYMENTS, cpu('2000m'), live(r))).outcome, 'applied');
});

test('a store that lags behind our own write causes no second one', async (t) => {
  const r = await rig(t);
  const applier = new Applier(r.transport, 'sluice');
  await applier.apply(DEPLOYMENTS, deployment(), undefined);
  const stale = structuredClone(live(r));
  await applier.apply(DEPLOYMENTS, deployment({ replicas: 3 }), stale);
  assert.equal((await applier.apply(DEPLOYMENTS, deployment({ replicas: 3 }), stale)).outcome, 'unchanged');
  assert.equal((await applier.apply(DEPLOYMENTS, deployment({ replicas: 4 }), stale)).outcome, 'applied');
  assert.equal(live(r).spec.replicas, 4);
});

test('a forgotten object is compared anew', async (t) => {
  const r = await rig(t);
  const applier = new Applier(r.transport, 'sluice');
  await applier.apply(DEPLOYMENTS, deployment(), undefined);
  const stale = structuredClone(live(r));
  await applier.apply(DEPLOYMENTS, deployment({ replicas: 3 }), stale);
  applier.forget(DEPLOYMENTS, deployment());
  assert.equal((await applier.apply(DEPLOYMENTS, deployment({ replicas: 3 }), stale)).outcome, 'applied');
});

test('other refusals are errors', async (t) => {
  const r = await rig(t);
  r.server.fault = () => ({ kind: 'status', status: 403, reason: 'Forbidden' });
  const applier = new Applier(r.transport, 'sluice');
  await assert.rejects(applier.apply(DEPLOYMENTS, deployment(), undefined), (error) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.message, 'apply deployments.apps chat/web: as told (403 Forbidden)');
    return true;
  });
});

/** A Service with the managed fields that kube-apiserver writes for it. */
test('reads the managed fields of a real server: defaults in keys, sets, and lists by several keys', () => {
  const managedFields: ManagedFields[] = [
    {
      manager: 'sluice',
      operation: 'Apply',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': {
          'f:labels': { 'f:app': {} },
          'f:finalizers': { 'v:"sluice.dev/cleanup"': {} },
          'f:ownerReferences': { 'k:{"uid":"u-1"}': {} },
        },
        'f:spec': {
          'f:ports': {
            'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {}, 'f:targetPort': {} },
            'k:{"port":53,"protocol":"UDP"}': { '.': {}, 'f:port': {}, 'f:protocol': {} },
          },
          'f:selector': {},
        },
      },
    },
    {
      manager: 'kube-controller-manager',
      operation: 'Update',
      subresource: 'status',
      fieldsV1: { 'f:status': {} },
    },
  ];
  const owner = { apiVersion: 'sluice.dev/v1alpha1', kind: 'EdgeGateway', name: 'chat', uid: 'u-1' };
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      ...metadata,
      uid: 'u-2',
      resourceVersion: '7',
      labels: { app: 'chat', theirs: 'x' },
      finalizers: ['sluice.dev/cleanup', 'service.kubernetes.io/load-balancer-cleanup'],
      ownerReferences: [owner],
      managedFields,
    },
    spec: {
      clusterIP: '10.0.0.7',
      type: 'ClusterIP',
      ports: [
        { name: 'web', port: 80, protocol: 'TCP', targetPort: 8080 },
        { port: 53, protocol: 'UDP', targetPort: 53 },
      ],
      selector: { app: 'chat' },
    },
  };
  const desired = (
    ports: unknown[],
    finalizers = ['sluice.dev/cleanup'],
    selector: object = { app: 'chat' },
  ) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata, uid: 'u-2', labels: { app: 'chat' }, finalizers, ownerReferences: [owner] },
    spec: { selector, ports },
  });
  const paths = (wanted: object) => differencesFrom(service, wanted, 'sluice', '').map(({ path }) => path);
  const web = { name: 'web', port: 80, targetPort: 8080 };
  const dns = { port: 53, protocol: 'UDP' };
  assert.deepEqual(paths(desired([web, dns])), []);
  assert.deepEqual(paths(desired([dns, web])), [], 'the order of such a list says nothing');
  assert.deepEqual(paths(desired([{ ...web, targetPort: 9090 }, dns])), [
    '.spec.ports[port=80,protocol=TCP].targetPort',
  ]);
  assert.deepEqual(paths(desired([web])), ['.spec.ports[port=53,protocol=UDP]']);
  assert.deepEqual(paths(desired([web, dns, { port: 443 }])), ['.spec.ports[]']);
  assert.deepEqual(paths(desired([web, dns], [])), [
    '.metadata.finalizers[sluice.dev/cleanup]'.replace('[sluice', '["sluice').replace('up]', 'up"]'),
  ]);
  assert.deepEqual(paths(desired([web, dns], ['sluice.dev/cleanup', 'x'])), ['.metadata.finalizers[]']);
  assert.deepEqual(paths(desired([web, dns], undefined, {})), ['.spec.selector'], 'replaced as a whole');
  assert.deepEqual(differencesFrom(service, desired([web, dns]), 'stranger', '').length > 0, true);
});
