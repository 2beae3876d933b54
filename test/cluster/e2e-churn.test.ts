/**
 * Very many changes, while the API server is killed and its history is taken away: in the end everything is as it was
 * written last, and nobody who is connected has noticed.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/until.ts';
import type { KubernetesObject } from './api.ts';
import { Cluster } from './cluster.ts';
import { program } from './components.ts';
import { startControlPlane } from './control-plane.ts';
import { addressOf, change, PORT, programmed } from './e2e/fleet-gateway.ts';
import { get, post } from './e2e/http.ts';
import { Installation, OPERATOR_NAMESPACE } from './e2e/installation.ts';
import { Stage } from './e2e/stage.ts';
import { skipWithoutCluster } from './requirements.ts';

const POOLS = 50;
const CLIENTS = 100;
/** Those who change pools, and as many who change Secrets that nobody uses, which the operator sees as well. */
const WRITERS = 4;
/** Of each part of the test: before, between and after the two faults. */
const PART_MS = 10_000;
/** What two very busy processors do at least. */
const MIN_CHANGES_PER_SECOND = 20;
const RETRY_MS = 100;
const CONVERGENCE_MS = 60_000;
const RECOVERY_MS = 120_000;
const STATUS_PORT = 9902;
const ETCD_PORT = 2379;
const MEBIBYTE = 2 ** 20;
/** What a garbage collector may leave. */
const MAX_GROWTH_BYTES = 96 * MEBIBYTE;

suite('a flood of changes', { skip: skipWithoutCluster() }, () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let stage: Stage;
  let address: string;
  /** The number that each pool has, as far as the API server has confirmed it. */
  const written = new Map<number, number>();
  let changes = 0;
  let lastNumber = 0;

  before(async () => {
    cluster = stack.use(await Cluster.start());
    stack.use(await Installation.install(cluster));
    stage = stack.use(await Stage.set(cluster, 'churn', { replicas: 1 }));
    const pools = Array.from({ length: POOLS }, (_, index) => pool(index));
    const unused = Array.from({ length: WRITERS }, (_, writer) => secret(writer));
    await cluster.applyObjects([...pools, ...unused], stage.namespace);
    await change(cluster, stage.namespace, {
      routes: [...pools.map((_, index) => route(index)), { name: 'all', backend: { pool: 'echo' } }],
    });
    await programmed(cluster, stage.namespace);
    address = await addressOf(cluster, stage.namespace);
    await stage.join(CLIENTS);
  });

  after(() => stack.disposeAsync());

  /** Changes a pool; whether the API server has confirmed it. */
  async function write(index: number): Promise<boolean> {
    const number = ++lastNumber;
    const answer = await cluster
      .request({
        method: 'PATCH',
        path: `/apis/sluice.dev/v1alpha1/namespaces/${stage.namespace}/backendpools/p${index}`,
        contentType: 'application/merge-patch+json',
        body: { spec: { hostHeader: { from: 'Override', value: hostOf(number) } } },
      })
      .catch(() => null);
    if (answer?.status !== 200) return false;
    changes++;
    written.set(index, number);
    return true;
  }

  async function writeUnused(writer: number): Promise<boolean> {
    const answer = await cluster
      .request({
        method: 'PATCH',
        path: `/api/v1/namespaces/${stage.namespace}/secrets/unused-${writer}`,
        contentType: 'application/merge-patch+json',
        body: { stringData: { number: String(++lastNumber) } },
      })
      .catch(() => null);
    if (answer?.status !== 200) return false;
    changes++;
    return true;
  }

  /** Each writer has pools of its own, so that the order of its writes is the order in which they are in effect. */
  async function flood(durationMs: number): Promise<void> {
    const endMs = performance.now() + durationMs;
    const repeat = async (turn: () => Promise<boolean>): Promise<void> => {
      while (performance.now() < endMs) {
        if (!(await turn())) await delay(RETRY_MS);
      }
    };
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        let index = writer;
        await Promise.all([
          repeat(() => {
            index = index + WRITERS < POOLS ? index + WRITERS : writer;
            return write(index);
          }),
          repeat(() => writeUnused(writer)),
        ]);
      }),
    );
  }

  /** Makes each pool's number known for certain, and awaits that requests see it. */
  async function settle(say: (line: string) => void): Promise<void> {
    const startMs = performance.now();
    for (let index = 0; index < POOLS; index++) {
      await until(`pool ${index} is written`, () => write(index), RECOVERY_MS);
    }
    const writtenMs = performance.now();
    await until(
      'every pool is as it was written last',
      async () => {
        for (let index = 0; index < POOLS; index++) {
          const { body } = await get(cluster, address, PORT, `/p${index}`);
          if (!body.endsWith(` ${hostOf(written.get(index)!)}\n`)) return false;
        }
        return true;
      },
      CONVERGENCE_MS,
    );
    say(
      `in effect ${(performance.now() - writtenMs).toFixed(0)} ms after the last of ${POOLS} writes, which took ${(writtenMs - startMs).toFixed(0)} ms`,
    );
    await programmed(cluster, stage.namespace);
    await until('every status is about the newest generation', async () => {
      const path = `/apis/sluice.dev/v1alpha1/namespaces/${stage.namespace}/backendpools`;
      const { body } = await cluster.request({ method: 'GET', path });
      return (body.items as KubernetesObject[]).every(
        ({ metadata, status }) =>
          (status as { observedGeneration?: number } | undefined)?.observedGeneration === metadata.generation,
      );
    });
  }

  /** Of the replica that leads, which is the one that works most: the larger of both. */
  async function operatorMemory(): Promise<number> {
    const path = `/api/v1/namespaces/${OPERATOR_NAMESPACE}/pods?labelSelector=app.kubernetes.io%2Fcomponent%3Doperator`;
    const { body } = await cluster.request({ method: 'GET', path });
    const addresses = (body.items as { status: { podIP?: string } }[]).flatMap(
      ({ status }) => status.podIP ?? [],
    );
    const sizes = await Promise.all(
      addresses.map(async (pod) => {
        const { body: text } = await get(cluster, pod, STATUS_PORT, '/metrics');
        return Number(/^process_resident_memory_bytes(?:{[^}]*})? (\S+)$/m.exec(text)?.[1]);
      }),
    );
    assert.ok(sizes.length > 0 && sizes.every((size) => size > 0));
    return Math.max(...sizes);
  }

  test('nothing is missed, and memory does not grow', async (context) => {
    const say = (line: string): void => context.diagnostic(line);
    const [node] = cluster.nodes;

    await flood(PART_MS);
    const perSecond = (changes * 1_000) / PART_MS;
    say(`${perSecond.toFixed(0)} changes a second`);
    await settle(say);
    const memory = await operatorMemory();

    // Watches cannot be resumed from what is compacted away.
    const flooding = flood(PART_MS);
    await delay(PART_MS / 2);
    const revision = await compact();
    say(`compacted up to revision ${revision}`);
    await flooding;
    await settle(say);

    const again = flood(PART_MS);
    await delay(PART_MS / 4);
    await node!.kill(program('kube-apiserver'));
    try {
      await compact();
    } finally {
      await startControlPlane(node!, 'kube-apiserver');
    }
    await again;
    await settle(say);

    const growth = (await operatorMemory()) - memory;
    say(
      `${changes} changes; the operator has ${(memory / MEBIBYTE).toFixed(0)} MiB, and then ${(growth / MEBIBYTE).toFixed(0)} MiB more`,
    );
    assert.ok(growth < MAX_GROWTH_BYTES);
    assert.ok(perSecond >= MIN_CHANGES_PER_SECOND);
    await stage.judge(say, new Map());
  });

  /** Takes etcd's history away, and returns the revision up to which. */
  async function compact(): Promise<number> {
    const ask = async (path: string, body: object): Promise<{ header: { revision: string } }> => {
      const answer = await post(cluster, '127.0.0.1', ETCD_PORT, path, JSON.stringify(body));
      assert.equal(answer.status, 200, answer.body);
      return JSON.parse(answer.body);
    };
    const { header } = await ask('/v3/kv/range', { key: 'AA==' });
    await ask('/v3/kv/compaction', { revision: header.revision });
    return Number(header.revision);
  }
});

function hostOf(number: number): string {
  return `v${number}.example`;
}

function pool(index: number): object {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'BackendPool',
    metadata: { name: `p${index}` },
    spec: { targets: [{ serviceRef: { name: 'echo', port: 80 } }] },
  };
}

function secret(writer: number): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: `unused-${writer}` } };
}

function route(index: number): object {
  return {
    name: `p${index}`,
    match: { paths: [{ type: 'Exact', value: `/p${index}` }] },
    authentication: { mode: 'None' },
    backend: { pool: `p${index}` },
  };
}
