import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadResources } from '../resources/index.ts';
import { type Configuration, nextConfiguration } from './configuration.ts';
import type { SourceState } from './source.ts';

const NOW = Date.UTC(2026, 0, 1);

function stateOf(text: string): SourceState {
  const { resources, diagnostics } = loadResources(text, 'chat.yaml');
  return { resources, diagnostics, complete: diagnostics.every(({ severity }) => severity !== 'error') };
}

function next(previous: Configuration | null, text: string): Configuration {
  return nextConfiguration(previous, stateOf(text), NOW);
}

function chat({ port = '8080', targetPort = '9000', maxCount = '2' } = {}): string {
  return `
apiVersion: sluice.dev/v1alpha1
kind: EdgeGateway
metadata: {name: chat}
spec:
  listeners: [{name: web, protocol: HTTP, port: ${port}}]
  routes: [{name: hub, backend: {pool: chat}}]
---
apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: chat}
spec: {targets: [{ip: 127.0.0.1, port: ${targetPort}}]}
---
apiVersion: sluice.dev/v1alpha1
kind: FirewallRuleList
metadata: {name: per-user}
spec:
  targetRefs: [{group: sluice.dev, kind: EdgeGateway, name: chat}]
  clientConnectionCountRules: [{type: ThrottleByUserIdRule, maxCount: ${maxCount}}]
`;
}

const codes = ({ diagnostics }: Configuration) => diagnostics.map(({ object, code }) => `${object} ${code}`);

test('a valid change takes effect', () => {
  const first = next(null, chat());
  const second = next(first, chat({ targetPort: '9001' }));
  assert.equal(second.applied, true);
  assert.equal(second.snapshots[0]?.pools[0]?.targets[0]?.port, 9001);
  assert.deepEqual(second.diagnostics, []);
});

test('text that is not YAML changes nothing', () => {
  const first = next(null, chat());
  const second = next(first, `${chat({ port: '8081' })}---\nkind: [`);
  assert.equal(second.applied, false);
  assert.equal(second.snapshots, first.snapshots);
  assert.deepEqual(codes(second), [' InvalidSyntax']);
  const third = next(second, chat({ port: '8081' }));
  assert.equal(third.snapshots[0]?.ports[0]?.port, 8081);
});

test('text that is not YAML gives nothing where nothing was before', () => {
  const first = next(null, `${chat()}---\nkind: [`);
  assert.equal(first.applied, false);
  assert.deepEqual(first.snapshots, []);
});

test('an object that is invalid now keeps its last good version, and the others change', () => {
  const first = next(null, chat());
  const second = next(first, chat({ targetPort: '9001', maxCount: 'many' }));
  assert.equal(second.applied, true);
  assert.equal(second.snapshots[0]?.pools[0]?.targets[0]?.port, 9001);
  assert.equal(second.snapshots[0]?.ruleLists[0]?.countRules[0]?.maxCount, 2);
  assert.deepEqual(codes(second).sort(), [
    'FirewallRuleList default/per-user KeptLastGood',
    'FirewallRuleList default/per-user WrongType',
  ]);
  // Still the last good one, not the one before.
  const third = next(second, chat({ targetPort: 'x', maxCount: 'many' }));
  assert.equal(third.snapshots[0]?.pools[0]?.targets[0]?.port, 9001);
  assert.equal(third.snapshots[0]?.ruleLists[0]?.countRules[0]?.maxCount, 2);
  const fourth = next(third, chat({ targetPort: '9002', maxCount: '3' }));
  assert.equal(fourth.snapshots[0]?.pools[0]?.targets[0]?.port, 9002);
  assert.equal(fourth.snapshots[0]?.ruleLists[0]?.countRules[0]?.maxCount, 3);
  assert.deepEqual(fourth.diagnostics, []);
});

test('an object that was never valid is left out', () => {
  const first = next(null, chat({ targetPort: 'x' }));
  assert.deepEqual(first.snapshots[0]?.pools, []);
  assert.equal(first.snapshots[0]?.rules[0]?.backends[0]?.pool, null);
  assert.deepEqual(codes(first), [
    'EdgeGateway default/chat BackendNotFound',
    'BackendPool default/chat WrongType',
  ]);
});

test('an object that was taken out is gone, though it was valid', () => {
  const first = next(null, chat());
  const second = next(first, chat().slice(0, chat().lastIndexOf('---')));
  assert.deepEqual(second.snapshots[0]?.ruleLists, []);
  const third = next(second, chat({ maxCount: 'many' }));
  assert.deepEqual(third.snapshots[0]?.ruleLists, []);
});

test('a gateway that is invalid now keeps its listeners, and follows its pools', () => {
  const first = next(null, chat());
  const second = next(first, chat({ port: '0', targetPort: '9001' }));
  assert.equal(second.snapshots[0]?.ports[0]?.port, 8080);
  assert.equal(second.snapshots[0]?.pools[0]?.targets[0]?.port, 9001);
  assert.deepEqual(codes(second).sort(), [
    'EdgeGateway default/chat KeptLastGood',
    'EdgeGateway default/chat WrongRange',
  ]);
});
