import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';
import { apiErrorFrom } from './errors.ts';
import {
  collectionPath,
  compareResourceVersions,
  keyOf,
  objectPath,
  type ResourceType,
  typeName,
} from './objects.ts';

const LEASES: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};
const NODES: ResourceType = { group: '', version: 'v1', kind: 'Node', plural: 'nodes', namespaced: false };

test('paths and names of types', () => {
  assert.equal(collectionPath(LEASES), '/apis/coordination.k8s.io/v1/leases');
  assert.equal(objectPath(LEASES, 'a', 'b'), '/apis/coordination.k8s.io/v1/namespaces/a/leases/b');
  assert.equal(objectPath(NODES, undefined, 'n:1'), '/api/v1/nodes/n%3A1');
  assert.equal(typeName(LEASES), 'leases.coordination.k8s.io');
  assert.equal(typeName(NODES), 'nodes');
  assert.equal(keyOf({ metadata: { namespace: 'a', name: 'b' } }), 'a/b');
  assert.equal(keyOf({ metadata: { name: 'b' } }), 'b');
});

test('resourceVersions of any length are compared as integers; others only for equality', () => {
  const order = (a: string, b: string) => Math.sign(compareResourceVersions(a, b) ?? Number.NaN);
  assert.equal(order('9', '10'), -1);
  assert.equal(order('100', '99'), 1);
  assert.equal(order('12345678901234567891', '12345678901234567890'), 1);
  assert.equal(order('7', '7'), 0);
  assert.equal(compareResourceVersions('7', 'x'), null);
  assert.equal(compareResourceVersions('', '7'), null);
  assert.equal(compareResourceVersions('07', '8'), null);
  assert.equal(compareResourceVersions('x', 'x'), 0);
});

test('errors of the API in words, whatever the body', () => {
  const error = apiErrorFrom(
    'get x',
    429,
    '{"kind":"Status","reason":"TooManyRequests","message":"slow down"}',
    '3',
  );
  assert.equal(error.message, 'get x: slow down (429 TooManyRequests)');
  assert.equal(error.retryAfterMs, 3_000);
  assert.equal(apiErrorFrom('get x', 502, 'Bad\ngateway').message, 'get x: Bad (502)');
  assert.equal(apiErrorFrom('get x', 502, '').message, 'get x: no message (502)');
  assert.equal(apiErrorFrom('get x', 503, '', 'Wed, 21 Oct 2026 07:28:00 GMT').retryAfterMs, 0);
  assert.equal(apiErrorFrom('get x', 500, 'y'.repeat(10_000)).message.length, 'get x:  (500)'.length + 500);
  const inStatus = {
    kind: 'Status',
    details: { retryAfterSeconds: 2, causes: [{ reason: 'R', field: 'f', other: 1 }, 7] },
  };
  assert.equal(apiErrorFrom('get x', 500, inStatus).retryAfterMs, 2_000);
  assert.deepEqual(apiErrorFrom('get x', 500, inStatus).causes, [{ reason: 'R', field: 'f' }]);
});

test('backoff grows to its maximum, is jittered, and never less than what the server asked for', () => {
  for (const random of [0, 0.5, 0.999]) {
    const backoff = new Backoff({ minMs: 100, maxMs: 1_000 }, () => random);
    const delays = Array.from({ length: 6 }, () => backoff.next());
    const steps = [100, 200, 400, 800, 1_000, 1_000];
    assert.deepEqual(
      delays,
      steps.map((step) => step * (0.5 + random / 2)),
    );
    assert.ok(backoff.next(5_000) >= 5_000);
    backoff.reset();
    assert.equal(backoff.attempts, 0);
    assert.ok(backoff.next() <= 100);
  }
});
