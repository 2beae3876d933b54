/**
 * What a gateway consists of, given to a real API server: it takes all of it, stores it as it was written, so that
 * applying it again writes nothing, and Pod Security `restricted` lets the pods in.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type AppliedObject, Applier, objectPath, type Transport, typeName } from '../../kubernetes/index.ts';
import type { KubernetesObject } from '../../kubernetes/objects.ts';
import { infrastructureOf } from '../../operator/infrastructure/infrastructure.ts';
import { FIELD_MANAGER } from '../../operator/infrastructure/names.ts';
import { canonicalQuantity } from '../../operator/infrastructure/quantity.ts';
import { CASES, caseNames, inputsFrom, inputsOf } from '../../operator/infrastructure/testing/cases.ts';
import { QUANTITIES } from '../../operator/infrastructure/testing/quantities.ts';
import type { DesiredObject } from '../../operator/infrastructure/types.ts';
import { Cluster } from './cluster.ts';
import { root } from './paths.ts';
import { skipWithoutCluster } from './requirements.ts';

const GATEWAYS = '/apis/sluice.dev/v1alpha1/namespaces';

suite('the objects of gateways on a real API server', { skip: skipWithoutCluster() }, () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await Cluster.start();
    const crds = join(root, 'crds');
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', `--filename=${crds}`]);
    await cluster.kubectl([
      'wait',
      '--for=condition=Established',
      'crd/edgegateways.sluice.dev',
      '--timeout=60s',
    ]);
  });

  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  for (const name of caseNames()) {
    test(`${name}: applied, and applied again without a write`, async () => {
      await using scene = await stage(cluster, name);
      const first = new Applier(transportTo(cluster), FIELD_MANAGER);
      for (const { type, object } of scene.desired) {
        const outcome = await first.apply(type, object, undefined);
        assert.equal(outcome.outcome, 'applied', typeName(type));
      }
      // As after a restart: nothing is remembered.
      const second = new Applier(transportTo(cluster), FIELD_MANAGER);
      for (const { type, object } of scene.desired) {
        const live = await get(cluster, type, object);
        assert.deepEqual(await second.apply(type, object, live), { outcome: 'unchanged' }, typeName(type));
      }
    });
  }

  test('Pod Security "restricted" lets every pod in', async () => {
    await using namespace = await cluster.namespace('restricted');
    const label = 'pod-security.kubernetes.io/enforce=restricted';
    await cluster.kubectl(['label', 'namespace', namespace.name, label]);
    for (const name of caseNames()) {
      for (const { type, object } of inputsOf(name).flatMap(infrastructureOf)) {
        if (type.kind !== 'Deployment') continue;
        const { template } = object.spec as { template: { metadata: object; spec: Record<string, unknown> } };
        const pod = {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { ...template.metadata, name: 'proxy' },
          // These refer to objects that are not here.
          spec: { ...template.spec, serviceAccountName: 'default', priorityClassName: undefined },
        };
        const path = `/api/v1/namespaces/${namespace.name}/pods?dryRun=All&fieldValidation=Strict`;
        const { status, body } = await cluster.request({ method: 'POST', path, body: pod });
        assert.equal(status, 201, `${name}: ${body.message}`);
      }
    }
  });

  test('quantities are stored as we write them', async () => {
    await using namespace = await cluster.namespace('quantities');
    const path = `/api/v1/namespaces/${namespace.name}/resourcequotas?dryRun=All`;
    const store = async (amount: string | number): Promise<string> => {
      const quota = {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'quantities' },
        spec: { hard: { 'limits.memory': amount } },
      };
      const { status, body } = await cluster.request({ method: 'POST', path, body: quota });
      assert.equal(status, 201, `${amount}: ${body.message}`);
      return (body.spec as { hard: Record<string, string> }).hard['limits.memory']!;
    };
    for (const [written, kept] of QUANTITIES) {
      assert.equal(await store(kept), kept);
      assert.equal(canonicalQuantity(await store(written)), kept, `${written}`);
    }
  });
});

/** A case in namespaces of its own, with its gateways there. */
async function stage(
  cluster: Cluster,
  name: string,
): Promise<AsyncDisposable & { readonly desired: readonly DesiredObject[] }> {
  const suffix = randomBytes(3).toString('hex');
  const namespaces = new Set<string>();
  const written = readFileSync(join(CASES, `${name}.in.yaml`), 'utf8');
  const text = written.replace(/\bnamespace: ([-a-z0-9]+)/g, (_, namespace: string) => {
    const own = `${namespace.slice(0, 50)}-${suffix}`;
    namespaces.add(own);
    return `namespace: ${own}`;
  });
  for (const namespace of namespaces) await cluster.kubectl(['create', 'namespace', namespace]);
  const [{ settings, parts }] = inputsOf(name) as [ReturnType<typeof inputsOf>[0]];
  const desired: DesiredObject[] = [];
  for (const input of inputsFrom(text)) {
    const { uid: _, ...metadata } = input.gateway.metadata;
    const path = `${GATEWAYS}/${metadata.namespace}/edgegateways?fieldValidation=Strict`;
    const made = await cluster.request({ method: 'POST', path, body: { ...input.gateway, metadata } });
    assert.equal(made.status, 201, made.body.message);
    // An owner that is not there would have its objects collected.
    const gateway = { ...input.gateway, metadata: { ...metadata, uid: made.body.metadata.uid! } };
    desired.push(...infrastructureOf({ ...input, gateway, parts, settings: { ...settings, ...NO_PODS } }));
  }
  return {
    desired,
    async [Symbol.asyncDispose]() {
      await cluster.kubectl(['delete', 'namespace', ...namespaces, '--wait=false']);
    },
  };
}

/** There is no such image here, and nobody is to look for it. */
const NO_PODS = { imagePullPolicy: 'Never' } as const;

async function get(
  cluster: Cluster,
  type: DesiredObject['type'],
  { metadata }: AppliedObject,
): Promise<KubernetesObject> {
  const path = objectPath(type, metadata.namespace, metadata.name);
  const { status, body } = await cluster.request({ method: 'GET', path });
  assert.equal(status, 200, body.message);
  return body as unknown as KubernetesObject;
}

function transportTo(cluster: Cluster): Transport {
  return {
    async send({ method, path, body, contentType }) {
      const answer = await cluster.request({
        method,
        path,
        ...(body !== undefined && { body: JSON.parse(body) }),
        ...(contentType !== undefined && { contentType }),
      });
      return {
        status: answer.status,
        retryAfterSeconds: null,
        text: async () => JSON.stringify(answer.body),
        lines: () => assert.fail('nothing is watched here'),
        discard: () => {},
      };
    },
  };
}
