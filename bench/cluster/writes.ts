/** What is written at the API server for each change. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../../test/cluster/cluster.ts';
import {
  GATEWAY,
  gatewayObjects,
  programmed,
  startFleetGateway,
} from '../../test/cluster/e2e/fleet-gateway.ts';
import { percentile, type Section, tableOf } from './results.ts';

const ROUNDS = 5;
/** Until everything that follows from a change has been written. */
const SETTLE_MS = 4_000;
const WRITES = new Set(['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE', 'DELETECOLLECTION']);
/** What the operator and its pods write; nodes, Leases and reviews of access have their own pace. */
const RESOURCES = new Set([
  ...['edgegateways', 'backendpools', 'firewallrulelists', 'secrets', 'configmaps', 'events'],
  ...['deployments', 'services', 'serviceaccounts', 'roles', 'rolebindings', 'networkpolicies'],
  ...['poddisruptionbudgets', 'horizontalpodautoscalers', 'ingresses', 'ingressclasses'],
]);

type Spec = Record<string, object[]>;

export async function measureWrites(cluster: Cluster, quick: boolean): Promise<Section> {
  await using namespace = await cluster.namespace('writes');
  const settings = { replicas: 2 };
  await startFleetGateway(cluster, namespace.name, settings);
  await delay(SETTLE_MS);
  const [secret, gateway, pool, rules] = gatewayObjects(settings) as [object, object, object, object];
  const spec = (object: object): Spec => (object as { spec: Spec }).spec;
  const withSpec = (object: object, changes: object): object => ({
    ...object,
    spec: { ...spec(object), ...changes },
  });
  const kinds: Readonly<Record<string, (round: number) => object>> = {
    'nothing: the same object applied again': () => gateway,
    'a label of the gateway': (round) => ({
      ...gateway,
      metadata: { name: GATEWAY, labels: { round: String(round) } },
    }),
    'a route': (round) => {
      const route = { name: 'extra', match: { paths: [{ value: `/${round}` }] }, backend: { pool: 'echo' } };
      return withSpec(gateway, { routes: [route, ...spec(gateway).routes!] });
    },
    'a pool': (round) => withSpec(pool, { probe: { path: '/healthz', intervalSeconds: 2 + (round % 60) } }),
    'a rule list': (round) =>
      withSpec(rules, {
        clientConnectionCountRules: [{ type: 'ThrottleByUserIdRule', maxCount: 2 + round }],
      }),
    'a Secret that is used': (round) => ({
      ...secret,
      stringData: { key: `another-key-that-is-long-enough-for-its-hash-${round}` },
    }),
    'a Secret that is not used': (round) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'unused' },
      stringData: { round: String(round) },
    }),
  };
  const rows: (string | number)[][] = [];
  for (const [name, objectOf] of Object.entries(kinds)) {
    await cluster.applyObjects([objectOf(0)], namespace.name);
    await delay(SETTLE_MS);
    const counts: number[] = [];
    const what = new Map<string, number>();
    for (let round = 1; round <= (quick ? 2 : ROUNDS); round++) {
      const before = await writes(cluster);
      const ours = await apply(cluster, objectOf(round), namespace.name);
      await delay(SETTLE_MS);
      await programmed(cluster, namespace.name);
      const after = await writes(cluster);
      let count = -ours;
      for (const [resource, number] of after) {
        const more = number - (before.get(resource) ?? 0);
        count += more;
        if (more > 0) what.set(resource, (what.get(resource) ?? 0) + more);
      }
      counts.push(count);
    }
    const means = [...what].map(([resource, sum]) => `${resource} ${(sum / counts.length).toFixed(1)}`);
    rows.push([name, percentile(counts, 0.5), Math.max(...counts), means.sort().join(', ')]);
  }
  return {
    title: 'Writes at the API server for each change',
    words:
      'Counted by the API server (`apiserver_request_total`), without the write of the change itself; a gateway with two pods. The last column has the mean by resource, the change itself among them.',
    table: tableOf(['change', 'median', 'largest', 'what'], rows),
  };
}

/** Applies an object, and returns how many writes that took: none if nothing differs. */
async function apply(cluster: Cluster, object: object, namespace: string): Promise<number> {
  const said = await cluster.applyObjects([object], namespace);
  return said.trim().endsWith(' unchanged') ? 0 : 1;
}

/** Requests that write, by resource, since the API server was started. */
async function writes(cluster: Cluster): Promise<Map<string, number>> {
  const { body } = await cluster.request({ method: 'GET', path: '/metrics', accept: 'text/plain' });
  const counts = new Map<string, number>();
  for (const line of body.message.split('\n')) {
    const labels = /^apiserver_request_total\{(.*)\} (\S+)$/.exec(line);
    if (labels === null) continue;
    const label = (name: string): string =>
      new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels[1]!)?.[1] ?? '';
    if (!WRITES.has(label('verb')) || !RESOURCES.has(label('resource'))) continue;
    const subresource = label('subresource');
    const resource = subresource === '' ? label('resource') : `${label('resource')}/${subresource}`;
    counts.set(resource, (counts.get(resource) ?? 0) + Number(labels[2]));
  }
  return counts;
}
