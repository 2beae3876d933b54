import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ProxyReport } from '../../proxy/pod/report.ts';
import { compileWithLastGood, type KeptResult, NOTHING_GOOD } from '../compile/last-good.ts';
import { resourceKey } from '../compile/objects.ts';
import { GOLDEN_NOW, goldenFiles, goldenNames, loadFiles } from '../compile/testing/golden-cases.ts';
import { type Resource, validateResource } from '../resources/index.ts';
import { computeStatuses } from './compute.ts';
import type { ObservedGateway, ObservedPod } from './observed.ts';
import { asInCluster, statusCase, statusCaseNames } from './testing/status-cases.ts';
import { withTransitionTimes } from './transitions.ts';

/** More runs for a longer search: `FUZZ_RUNS=5000 node --test operator/status/compute.test.ts`. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 150);

interface Compiled {
  readonly resources: readonly Resource[];
  readonly compiled: KeptResult;
}

const compiledCases = new Map<string, Compiled>();

function compiledCase(name: string): Compiled {
  let found = compiledCases.get(name);
  if (found === undefined) {
    const resources = asInCluster(loadFiles(goldenFiles(name)).resources);
    const input = { resources, now: GOLDEN_NOW, environment: 'Cluster' as const };
    found = { resources, compiled: compileWithLastGood(NOTHING_GOOD, input) };
    compiledCases.set(name, found);
  }
  return found;
}

const words = fc.constantFrom(
  null,
  'x',
  'Unschedulable: no node',
  'ImagePullBackOff: y',
  'z'.repeat(3000),
  '\u001b[31m',
);
const small = fc.nat({ max: 5 });

/** Whatever pods may say, also about what is not in the snapshot. */
function anyObserved({ snapshots }: KeptResult): fc.Arbitrary<ReadonlyMap<string, ObservedGateway>> {
  const gateways = snapshots.map((snapshot) => {
    const hash = fc.constantFrom(snapshot.hash, 'another', null);
    const report: fc.Arbitrary<ProxyReport> = fc.record({
      format: fc.constant(1 as const),
      gateway: fc.constant(snapshot.gateway),
      pod: fc.constant('x'),
      snapshot: hash,
      ready: fc.boolean(),
      draining: fc.boolean(),
      problem: words,
      listenFailures: fc.array(
        fc.record({
          port: small,
          listeners: fc.constant(
            snapshot.ports.flatMap(({ listeners }) => listeners.map(({ name }) => name)),
          ),
          message: fc.constant('busy'),
        }),
        { maxLength: 2 },
      ),
      pools: fc
        .subarray([...snapshot.pools.map(({ id }) => id), 'default/elsewhere'])
        .chain((ids) =>
          fc.tuple(
            ...ids.map((id) =>
              fc.record({ id: fc.constant(id), healthy: small, total: small, problem: words }),
            ),
          ),
        ),
      ruleLists: fc.subarray([...snapshot.ruleLists.map(({ id }) => id), 'default/elsewhere']).chain((ids) =>
        fc.tuple(
          ...ids.map((id) =>
            fc.record({
              id: fc.constant(id),
              connections: fc.constantFrom(0, 2_000_000_000),
              rejected: small,
              disconnected: small,
            }),
          ),
        ),
      ),
    });
    const pod: fc.Arbitrary<ObservedPod> = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      ready: fc.boolean(),
      report: fc.option(report),
      problem: words,
    });
    const address = fc.record({
      type: fc.constantFrom('IPAddress' as const, 'Hostname' as const),
      value: fc.constantFrom('192.0.2.1', 'lb.example.net'),
    });
    return fc.tuple(
      fc.constant(`${snapshot.gateway.namespace}/${snapshot.gateway.name}`),
      fc.record({
        stored: hash,
        problem: words,
        pods: fc.uniqueArray(pod, { maxLength: 4, selector: ({ name }) => name }),
        replicas: fc.option(small),
        addresses: fc.array(address, { maxLength: 20 }),
      }),
    );
  });
  return fc.tuple(...gateways).map((entries) => new Map(entries));
}

const anyInput = fc
  .constantFrom(...goldenNames())
  .map(compiledCase)
  .chain((input) => anyObserved(input.compiled).map((observed) => ({ ...input, observed })));

test('every status is one that the API server takes', () => {
  fc.assert(
    fc.property(anyInput, (input) => {
      for (const [key, status] of computeStatuses(input)) {
        const resource = input.resources.find((each) => resourceKey(each) === key);
        assert.ok(resource);
        if (resource.kind === 'Ingress') continue;
        const body = { ...resource.body, status: withTransitionTimes(status, undefined, GOLDEN_NOW) };
        const problems = validateResource({ ...resource, body } as Resource);
        assert.deepEqual(
          problems.filter(({ field }) => field.startsWith('status')),
          [],
        );
        // Words of others must not steer a terminal.
        assert.doesNotMatch(JSON.stringify(status), /[^\\]\\u00[01]/);
      }
    }),
    { numRuns: RUNS },
  );
});

test('the order of resources and of pods does not matter', () => {
  const reversed = <T>(values: readonly T[]): T[] => [...values].reverse();
  fc.assert(
    fc.property(anyInput, (input) => {
      const observed = new Map(
        reversed([...input.observed]).map(([id, gateway]) => [
          id,
          { ...gateway, pods: reversed(gateway.pods) },
        ]),
      );
      // Of two objects of one name it does: the first one counts.
      const names = new Set(input.resources.map(resourceKey));
      fc.pre(names.size === input.resources.length);
      const again = computeStatuses({ ...input, resources: reversed(input.resources), observed });
      assert.deepEqual(new Map([...again].sort()), new Map([...computeStatuses(input)].sort()));
    }),
    { numRuns: RUNS },
  );
});

test('every object of ours has a status, of the generation that was looked at', () => {
  for (const name of statusCaseNames()) {
    const input = statusCase(name);
    const statuses = computeStatuses(input);
    for (const resource of input.resources) {
      if (!['EdgeGateway', 'BackendPool', 'FirewallRuleList'].includes(resource.kind)) continue;
      const status = statuses.get(resourceKey(resource)) as { observedGeneration?: number };
      assert.equal(status.observedGeneration, resource.body.metadata.generation, resourceKey(resource));
      const text = JSON.stringify(status);
      const generations = [...text.matchAll(/"observedGeneration":(\d+)/g)].map(([, number]) =>
        Number(number),
      );
      const conditions = [...text.matchAll(/"reason":/g)].length;
      assert.equal(generations.length, conditions + 1);
      assert.deepEqual([...new Set(generations)], [resource.body.metadata.generation]);
    }
  }
});

test('nothing of a secret gets into a status', () => {
  const inputs = [
    ...goldenNames().map((name) => ({ name, ...compiledCase(name), observed: new Map() })),
    ...statusCaseNames().map((name) => ({ name, ...statusCase(name) })),
  ];
  for (const { name, ...input } of inputs) {
    const text = JSON.stringify([...computeStatuses(input)]);
    for (const resource of input.resources) {
      if (resource.kind !== 'Secret') continue;
      const { data = {}, stringData = {} } = resource.body;
      const values = [
        ...Object.values(stringData),
        ...Object.values(data).flatMap((value) => [value, Buffer.from(String(value), 'base64').toString()]),
      ].filter((value) => typeof value === 'string' && value.length > 12);
      for (const value of values) {
        assert.ok(!text.includes(value.slice(0, 30)), `${name}: ${value.slice(0, 4)}…`);
      }
    }
  }
});
