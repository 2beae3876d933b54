/** From an endpoint's removal to the last request that is sent there. */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../../test/cluster/cluster.ts';
import { addressOf, PORT, startFleetGateway } from '../../test/cluster/e2e/fleet-gateway.ts';
import { until } from '../../test/support/until.ts';
import { percentile, type Section, tableOf } from './results.ts';

const REMOVALS = 30;
const CLIENTS = 4;
/** For how long requests go on, to see that none is late. */
const WATCH_MS = 1_500;

export async function measureRemovals(cluster: Cluster, quick: boolean): Promise<Section> {
  await using namespace = await cluster.namespace('removals');
  await startFleetGateway(cluster, namespace.name, { replicas: 1 });
  const address = await addressOf(cluster, namespace.name);
  const names = (
    await cluster.kubectl(['get', 'pods', '--selector=app=echo', '--output=name'], {
      namespace: namespace.name,
    })
  )
    .trim()
    .split('\n')
    .map((name) => name.replace('pod/', ''));
  const [removed] = names;
  const client = new Client(cluster, address);
  const late: number[] = [];
  let failures = 0;
  try {
    for (let round = 0; round < (quick ? 5 : REMOVALS); round++) {
      await until('the endpoint gets requests', () => client.lastMs(removed!) > performance.now() - 50);
      // The pod stays and would answer: only its place in the Service ends.
      const startMs = performance.now();
      await label(cluster, namespace.name, removed!, 'nobody');
      await delay(WATCH_MS);
      late.push(Math.max(0, client.lastMs(removed!) - startMs));
      await label(cluster, namespace.name, removed!, 'echo');
    }
    failures = client.failures;
  } finally {
    client.stop();
  }
  return {
    title: "From an endpoint's removal to the last request sent there",
    words: `A pod is taken out of its Service by its label, ${late.length} times, while ${CLIENTS} clients send one request after the other. Measured from the beginning of that write to the end of the last request that the pod answered. The Service's controller needs most of it: it makes the EndpointSlice. ${failures} requests failed.`,
    table: tableOf(
      ['milliseconds', 'p50', 'p99', 'largest'],
      [['to the last request', ...[0.5, 0.99, 1].map((share) => percentile(late, share).toFixed(0))]],
    ),
  };
}

async function label(cluster: Cluster, namespace: string, pod: string, app: string): Promise<void> {
  const { status, body } = await cluster.request({
    method: 'PATCH',
    path: `/api/v1/namespaces/${namespace}/pods/${pod}`,
    contentType: 'application/merge-patch+json',
    body: { metadata: { labels: { app } } },
  });
  if (status !== 200) throw new Error(body.message);
}

/** Sends requests without a break, and notes when each backend answered last. */
class Client {
  readonly #agent: Agent;
  readonly #last = new Map<string, number>();
  #stopped = false;
  failures = 0;

  constructor(cluster: Cluster, address: string) {
    this.#agent = new Agent({ keepAlive: true });
    this.#agent.createConnection = ((
      _options: object,
      done: (error: Error | null, socket?: object) => void,
    ) => {
      cluster.dial(address, PORT).then(
        (socket) => done(null, socket),
        (error: Error) => done(error),
      );
    }) as never;
    for (let client = 0; client < CLIENTS; client++) void this.#loop();
  }

  lastMs(backend: string): number {
    return this.#last.get(backend) ?? 0;
  }

  stop(): void {
    this.#stopped = true;
    this.#agent.destroy();
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      try {
        const { status, body } = await this.#ask();
        if (status === 200) this.#last.set(body.split(' ')[0]!, performance.now());
        else this.failures++;
      } catch {
        if (!this.#stopped) this.failures++;
      }
    }
  }

  #ask(): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      request({ agent: this.#agent, path: '/open', headers: { host: 'test' } }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body })).on('error', reject);
      })
        .on('error', reject)
        .end();
    });
  }
}
