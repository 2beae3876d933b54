/** What the operator needs for many routes: time to compile, memory, and writes to begin with. */
import type { Cluster } from '../../test/cluster/cluster.ts';
import { get } from '../../test/cluster/e2e/http.ts';
import { OPERATOR_NAMESPACE } from '../../test/cluster/e2e/installation.ts';
import { until } from '../../test/support/until.ts';
import { type Section, tableOf } from './results.ts';

const POOLS = 1_000;
/** As many as one gateway may have. */
const ROUTES_PER_GATEWAY = 250;
const STATUS_PORT = 9902;
const MEBIBYTE = 2 ** 20;
const AT_ONCE = 8;
const TIMEOUT_MS = 300_000;
/** Compilations that the mean is taken of. */
const CHANGES = 20;

export async function measureScale(cluster: Cluster, quick: boolean): Promise<Section> {
  const rows: (string | number)[][] = [];
  for (const routes of quick ? [100, 1_000] : [100, 1_000, 10_000]) {
    await using namespace = await cluster.namespace('scale');
    const gateways = Math.ceil(routes / ROUTES_PER_GATEWAY);
    await create(
      cluster,
      namespace.name,
      'backendpools',
      Array.from({ length: POOLS }, (_, index) => pool(index)),
    );
    await create(
      cluster,
      namespace.name,
      'edgegateways',
      Array.from({ length: gateways }, (_, index) => gateway(index, Math.ceil(routes / gateways))),
    );
    await accepted(cluster, namespace.name, gateways);
    const before = await compilations(cluster);
    for (let change = 0; change < CHANGES; change++) {
      await patch(cluster, namespace.name, 'p0', { probe: { intervalSeconds: 5 + change } });
      await until(
        'it is compiled',
        async () => (await compilations(cluster)).count > before.count + change,
        TIMEOUT_MS,
      );
    }
    const after = await compilations(cluster);
    const meanMs = ((after.seconds - before.seconds) * 1_000) / (after.count - before.count);
    rows.push([
      routes.toLocaleString('en'),
      meanMs.toFixed(0),
      ((meanMs * 1_000) / routes).toFixed(1),
      (after.memory / MEBIBYTE).toFixed(0),
    ]);
    await clear(cluster, namespace.name);
  }
  return {
    title: 'Many routes',
    words: `${POOLS.toLocaleString('en')} pools, and gateways without pods with ${ROUTES_PER_GATEWAY} routes at most. The mean of at least ${CHANGES} compilations of everything, in the replica that leads, and the resident memory of its process.`,
    table: tableOf(['routes', 'compile, ms', 'µs each', 'memory of the operator, MiB'], rows),
  };
}

async function create(
  cluster: Cluster,
  namespace: string,
  plural: string,
  objects: readonly object[],
): Promise<void> {
  const left = [...objects];
  const path = `/apis/sluice.dev/v1alpha1/namespaces/${namespace}/${plural}`;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let body = left.pop(); body !== undefined; body = left.pop()) {
        const answer = await cluster.request({ method: 'POST', path, body });
        if (answer.status !== 201) throw new Error(answer.body.message);
      }
    }),
  );
}

/** Deletes it all at once; kubectl would take its time over each object. */
async function clear(cluster: Cluster, namespace: string): Promise<void> {
  for (const plural of ['edgegateways', 'backendpools']) {
    const path = `/apis/sluice.dev/v1alpha1/namespaces/${namespace}/${plural}`;
    await cluster.request({ method: 'DELETE', path });
    await until(
      `there are no ${plural}`,
      async () => {
        const { body } = await cluster.request({ method: 'GET', path });
        return (body.items as unknown[]).length === 0;
      },
      TIMEOUT_MS,
    );
  }
}

async function patch(cluster: Cluster, namespace: string, name: string, spec: object): Promise<void> {
  const { status, body } = await cluster.request({
    method: 'PATCH',
    path: `/apis/sluice.dev/v1alpha1/namespaces/${namespace}/backendpools/${name}`,
    contentType: 'application/merge-patch+json',
    body: { spec },
  });
  if (status !== 200) throw new Error(body.message);
}

/** Resolves when every gateway has been looked at. */
async function accepted(cluster: Cluster, namespace: string, gateways: number): Promise<void> {
  await until(
    'every gateway is accepted',
    async () => {
      const path = `/apis/sluice.dev/v1alpha1/namespaces/${namespace}/edgegateways`;
      const { body } = await cluster.request({ method: 'GET', path });
      const items = body.items as { status?: { observedGeneration?: number } }[];
      return items.filter(({ status }) => status?.observedGeneration === 1).length === gateways;
    },
    TIMEOUT_MS,
  );
}

interface Compilations {
  readonly count: number;
  readonly seconds: number;
  readonly memory: number;
}

/** Of the replica that leads, which is the one that compiles. */
async function compilations(cluster: Cluster): Promise<Compilations> {
  const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods?labelSelector=app.kubernetes.io%2Fcomponent%3Doperator`;
  const { body } = await cluster.request({ method: 'GET', path });
  const addresses = (body.items as { status: { podIP?: string } }[]).flatMap(
    ({ status }) => status.podIP ?? [],
  );
  for (const address of addresses) {
    const { body: text } = await get(cluster, address, STATUS_PORT, '/metrics');
    const value = (name: string): number =>
      Number(new RegExp(`^${name}(?:{[^}]*})? (\\S+)$`, 'm').exec(text)?.[1]);
    if (value('sluice_operator_leader') !== 1) continue;
    return {
      count: value('sluice_operator_compile_duration_seconds_count'),
      seconds: value('sluice_operator_compile_duration_seconds_sum'),
      memory: value('process_resident_memory_bytes'),
    };
  }
  throw new Error('no replica of the operator leads');
}

function pool(index: number): object {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'BackendPool',
    metadata: { name: `p${index}` },
    spec: { targets: [{ ip: '127.0.0.1', port: 80 }] },
  };
}

function gateway(index: number, routes: number): object {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EdgeGateway',
    metadata: { name: `g${index}` },
    spec: {
      replicas: 0,
      listeners: [{ name: 'web', protocol: 'HTTP', port: 8080 }],
      routes: Array.from({ length: routes }, (_, route) => ({
        name: `r${route}`,
        match: { hosts: [`h${route % 50}.example.com`], paths: [{ value: `/p${route}` }] },
        backend: { pool: `p${(index * ROUTES_PER_GATEWAY + route) % POOLS}` },
      })),
    },
  };
}
