import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource } from '../resources/index.ts';
import { compileWithLastGood, type LastGood, NOTHING_GOOD, withLastGood } from './last-good.ts';
import { GOLDEN_NOW, type GoldenFile, goldenFiles, loadFiles } from './testing/golden-cases.ts';

const GATEWAY = `
apiVersion: sluice.dev/v1alpha1
kind: EdgeGateway
metadata: {name: chat}
spec:
  listeners: [{name: web, protocol: HTTPS, port: 8443, tls: {certificateRefs: [{name: chat-tls}]}}]
`;

function resourcesOf(...files: GoldenFile[]): readonly Resource[] {
  return loadFiles([{ name: 'gateway.yaml', text: GATEWAY }, ...files]).resources;
}

const [, certificate] = goldenFiles('tls-termination');
assert.ok(certificate);

test('a certificate that no longer fits its key keeps its last good version', () => {
  const good = compileWithLastGood(NOTHING_GOOD, { resources: resourcesOf(certificate), now: GOLDEN_NOW });
  assert.deepEqual(good.diagnostics, []);
  const broken = { ...certificate, text: certificate.text.replace('BEGIN PRIVATE KEY', 'BEGIN PRIVATE KEX') };
  assert.notEqual(broken.text, certificate.text);
  const kept = compileWithLastGood(good.good, { resources: resourcesOf(broken), now: GOLDEN_NOW });
  assert.deepEqual(kept.snapshots, good.snapshots);
  assert.deepEqual(
    kept.diagnostics.map(({ object, code }) => `${object} ${code}`),
    ['Secret default/chat-tls KeptLastGood', 'Secret default/chat-tls InvalidCertificate'],
  );
  // Without a good version before, the listener is left out.
  const first = compileWithLastGood(NOTHING_GOOD, { resources: resourcesOf(broken), now: GOLDEN_NOW });
  assert.deepEqual(first.snapshots[0]?.ports, []);
});

test('only rejected objects are replaced, and only by versions of the same object', () => {
  const [gateway, secret] = resourcesOf(certificate);
  assert.ok(gateway && secret);
  const older = { ...secret } as Resource;
  const previous = new Map([['Secret/default/chat-tls', older]]);
  const rejected = new Set(['Secret/default/chat-tls', 'EdgeGateway/default/chat']);
  const { resources, kept } = withLastGood(previous, [gateway, secret, secret], rejected);
  assert.equal(resources.length, 2);
  assert.equal(resources[0], gateway);
  assert.equal(resources[1], older);
  assert.deepEqual([...kept], ['Secret/default/chat-tls']);
  assert.deepEqual(withLastGood(previous, [gateway, secret], new Set()).resources, [gateway, secret]);
  assert.deepEqual(withLastGood(previous, [], rejected).resources, []);
});

const POOL = `
apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: chat}
spec:
  protocol: HTTPS
  targets: [{ip: 127.0.0.1, port: 1}]
  tls: {caCertificateRefs: [{kind: ConfigMap, name: authorities, key: ca.crt}]}
`;

test('a version whose references are gone is not said to hold, and holds again once they are back', () => {
  const authorities = goldenFiles('pool-tls').find(({ name }) => name === 'authorities.yaml');
  assert.ok(authorities);
  const pool = { name: 'pool.yaml', text: POOL };
  const broken = { name: 'pool.yaml', text: POOL.replace('port: 1', 'port: one') };
  const at = { now: GOLDEN_NOW };
  const good = compileWithLastGood(NOTHING_GOOD, { ...at, resources: resourcesOf(pool, authorities) });
  assert.deepEqual([...good.rejected], []);

  const gone = compileWithLastGood(good.good, { ...at, resources: resourcesOf(broken) });
  assert.deepEqual([...gone.rejected], ['BackendPool/default/chat']);
  assert.deepEqual([...gone.kept], []);
  const said = gone.diagnostics.filter(({ object }) => object === 'BackendPool default/chat');
  assert.deepEqual(
    said.map(({ code }) => code),
    ['WrongType'],
  );

  const back = compileWithLastGood(gone.good, { ...at, resources: resourcesOf(broken, authorities) });
  assert.deepEqual([...back.kept], ['BackendPool/default/chat']);
  assert.ok(back.diagnostics.some(({ code }) => code === 'KeptLastGood'));
});

test('what was read before does not hide that time goes on', () => {
  const resources = resourcesOf(certificate);
  const year = 366 * 86_400_000;
  const codesAt = (now: number) =>
    compileWithLastGood(NOTHING_GOOD, { resources, now }).diagnostics.map(({ code }) => code);
  assert.deepEqual(codesAt(GOLDEN_NOW), []);
  assert.deepEqual(codesAt(GOLDEN_NOW + 2 * year), ['CertificateExpired']);
  assert.deepEqual(codesAt(GOLDEN_NOW - 2 * year), ['CertificateNotYetValid']);
});

test('what is rejected only because of what it refers to is not replaced itself', () => {
  const tls = 'tls: {clientCertificateRef: {name: chat-tls}}';
  const pool = (port: number) => ({
    name: 'pool.yaml',
    text: POOL.replace(/tls: .*/, tls).replace('port: 1', `port: ${port}`),
  });
  const broken = { ...certificate, text: certificate.text.replace('BEGIN PRIVATE KEY', 'BEGIN PRIVATE KEX') };
  const route = {
    name: 'gateway.yaml',
    text: `${GATEWAY}  routes: [{name: all, backend: {pool: chat}}]`,
  };
  const compileNow = (previous: LastGood, ...files: GoldenFile[]) =>
    compileWithLastGood(previous, { resources: loadFiles([route, ...files]).resources, now: GOLDEN_NOW });
  const good = compileNow(NOTHING_GOOD, pool(1), certificate);
  assert.deepEqual(good.diagnostics, []);
  const next = compileNow(good.good, pool(2), broken);
  assert.deepEqual([...next.rejected], ['Secret/default/chat-tls']);
  assert.deepEqual([...next.kept], ['Secret/default/chat-tls']);
  assert.deepEqual(next.snapshots[0]?.pools[0]?.targets, [
    { kind: 'ip', address: '127.0.0.1', port: 2, weight: 1 },
  ]);
});

test('in a cluster, what only an earlier version refers to is replaced too', () => {
  const invalid = { name: 'gateway.yaml', text: GATEWAY.replace('port: 8443', 'port: many') };
  const broken = { ...certificate, text: certificate.text.replace('BEGIN PRIVATE KEY', 'BEGIN PRIVATE KEX') };
  const at = { now: GOLDEN_NOW, environment: 'Cluster' as const };
  const good = compileWithLastGood(NOTHING_GOOD, { ...at, resources: resourcesOf(certificate) });
  const { resources } = loadFiles([invalid, broken]);
  const next = compileWithLastGood(good.good, { ...at, resources });
  assert.deepEqual([...next.kept].sort(), ['EdgeGateway/default/chat', 'Secret/default/chat-tls']);
  assert.deepEqual(next.snapshots, good.snapshots);
});
