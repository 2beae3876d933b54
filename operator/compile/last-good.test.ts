import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource } from '../resources/index.ts';
import { compileWithLastGood, NOTHING_GOOD, withLastGood } from './last-good.ts';
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
