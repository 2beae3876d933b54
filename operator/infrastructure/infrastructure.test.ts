import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyOf, typeName } from '../../kubernetes/index.ts';
import { listener, port } from '../../test/support/snapshots.ts';
import {
  type DesiredObject,
  type InfrastructureInput,
  infrastructureOf,
  OWNED_TYPES,
} from './infrastructure.ts';
import { MANAGED_BY } from './names.ts';
import { caseNames, inputsFrom, inputsOf } from './testing/cases.ts';

const [plain] = inputsFrom(`
apiVersion: sluice.dev/v1alpha1
kind: EdgeGateway
metadata: {name: chat, uid: uid-of-chat}
spec: {listeners: [{name: web, protocol: HTTP, port: 8080}]}
`) as [InfrastructureInput];

const allInputs = caseNames().flatMap(inputsOf);

interface Service {
  readonly spec: { readonly ports: readonly { readonly port: number; readonly name: string }[] };
}

interface NetworkPolicy {
  readonly spec: { readonly ingress: readonly { readonly from?: unknown[]; readonly ports: unknown[] }[] };
}

interface Deployment {
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: { readonly terminationGracePeriodSeconds: number };
    };
  };
}

/** The object of a kind. */
function find<T>(desired: readonly DesiredObject[], kind: string): T | undefined {
  return desired.find(({ type }) => type.kind === kind)?.object as unknown as T | undefined;
}

const portNames = (desired: readonly DesiredObject[]): string[] | undefined =>
  find<Service>(desired, 'Service')?.spec.ports.map(({ name }) => name);

const withPorts = (ports: readonly number[]): InfrastructureInput => ({
  ...plain,
  gateway: {
    ...plain.gateway,
    spec: {
      ...plain.gateway.spec,
      listeners: ports.map((number) => ({ name: `l-${number}`, protocol: 'HTTP' as const, port: number })),
    },
  },
  snapshot: { ...plain.snapshot, ports: ports.map((number) => port(number, [listener(`l-${number}`)])) },
});

test('every object is of a type that is watched, bears the label, and no two have one name', () => {
  const seen = new Set<string>();
  for (const input of allInputs) {
    for (const { type, object } of infrastructureOf(input)) {
      assert.ok(OWNED_TYPES.includes(type), typeName(type));
      const { labels } = object.metadata as { labels?: Record<string, string> };
      const [label, value] = MANAGED_BY.split('=') as [string, string];
      assert.equal(labels?.[label], value);
    }
  }
  for (const name of caseNames()) {
    seen.clear();
    for (const { type, object } of inputsOf(name).flatMap(infrastructureOf)) {
      const id = `${typeName(type)} ${keyOf(object as never)}`;
      assert.ok(!seen.has(id), id);
      seen.add(id);
    }
  }
});

test('objects beside the gateway are owned by it, others are not', () => {
  for (const input of allInputs) {
    const { namespace = 'default', uid } = input.gateway.metadata;
    for (const { object } of infrastructureOf(input)) {
      const { ownerReferences = [] } = object.metadata as { ownerReferences?: { uid: string }[] };
      const isBeside = object.metadata.namespace === namespace;
      assert.deepEqual(
        ownerReferences.map((owner) => owner.uid),
        isBeside ? [uid] : [],
      );
    }
  }
});

test('a gateway that the API server has not given a uid yet cannot own anything', () => {
  const { uid: _, ...metadata } = plain.gateway.metadata;
  const gateway = { ...plain.gateway, metadata };
  assert.throws(() => infrastructureOf({ ...plain, gateway }), /EdgeGateway default\/chat: found no uid/);
});

test('the same input gives the same text', () => {
  const text = (): string => JSON.stringify(allInputs.flatMap(infrastructureOf));
  assert.equal(text(), text());
});

test('property: listeners change the Service and the NetworkPolicy, and nothing else', () => {
  const ports = fc.uniqueArray(fc.integer({ min: 1, max: 65535 }), { minLength: 1, maxLength: 64 });
  fc.assert(
    fc.property(ports, ports, (before, after) => {
      const others = (numbers: readonly number[]): readonly DesiredObject[] =>
        infrastructureOf(withPorts(numbers)).filter(
          ({ type }) => type.kind !== 'Service' && type.kind !== 'NetworkPolicy',
        );
      assert.deepEqual(others(before), others(after));
      const served = after.filter((number) => number !== 9901 && number !== 9902);
      const desired = infrastructureOf(withPorts(after));
      assert.deepEqual(
        find<Service>(desired, 'Service')?.spec.ports.map(({ port: number }) => number),
        served.length > 0 ? served.sort((a, b) => a - b) : undefined,
      );
      const names = portNames(desired) ?? [];
      assert.equal(new Set(names).size, served.length);
      assert.ok(names.every((name) => /^[a-z]([-a-z0-9]{0,13}[a-z0-9])$/.test(name)));
    }),
    { numRuns: 50 },
  );
});

test('what is served and what is asked for are both reachable', () => {
  const [before, after] = [withPorts([80]), withPorts([8080, 9902])];
  // The snapshot in force is of an earlier state, since the newest is not valid.
  const desired = infrastructureOf({ ...before, gateway: after.gateway });
  assert.deepEqual(portNames(desired), ['p-80', 'p-8080']);
  const withoutSnapshot = infrastructureOf({ ...after, snapshot: withPorts([]).snapshot });
  assert.deepEqual(portNames(withoutSnapshot), ['p-8080']);
});

test('the ports of the pods themselves are never opened to everybody', () => {
  const desired = infrastructureOf(withPorts([9901, 9902]));
  assert.equal(find(desired, 'Service'), undefined);
  const { ingress } = find<NetworkPolicy>(desired, 'NetworkPolicy')!.spec;
  assert.equal(ingress.length, 1);
  assert.ok(ingress.every(({ from = [], ports }) => from.length > 0 && ports.length > 0));
});

test('pods have as long as the snapshot that they run lets them drain', () => {
  const seconds = (timeoutMs: number, jitterMs: number): number => {
    const snapshot = {
      ...plain.snapshot,
      settings: { ...plain.snapshot.settings, drain: { timeoutMs, jitterMs } },
    };
    const { spec } = find<Deployment>(infrastructureOf({ ...plain, snapshot }), 'Deployment')!;
    return spec.template.spec.terminationGracePeriodSeconds;
  };
  assert.equal(seconds(60_000, 10_000), 60 + 10 + 5 + 15);
  assert.equal(seconds(0, 0), 5 + 15);
  assert.equal(seconds(500, 1), 1 + 5 + 15);
});

test('labels of the gateway do not take the place of those by which its pods are found', () => {
  const infrastructure = { labels: { 'sluice.dev/gateway': 'other', 'sluice.dev/x': 'mine' } };
  const gateway = { ...plain.gateway, spec: { ...plain.gateway.spec, infrastructure } };
  const { selector, template } = find<Deployment>(
    infrastructureOf({ ...plain, gateway }),
    'Deployment',
  )!.spec;
  assert.equal(template.metadata.labels['sluice.dev/gateway'], 'chat');
  assert.equal(template.metadata.labels['sluice.dev/x'], 'mine');
  for (const [label, value] of Object.entries(selector.matchLabels)) {
    assert.equal(template.metadata.labels[label], value);
  }
  const bare = find<Deployment>(infrastructureOf(plain), 'Deployment')!.spec;
  assert.deepEqual(selector, bare.selector, 'a selector cannot be changed');
});

test('a NetworkPolicy can be done without', () => {
  const settings = { ...plain.settings, networkPolicy: false };
  assert.equal(find(infrastructureOf({ ...plain, settings }), 'NetworkPolicy'), undefined);
});
