/** What the pods of a gateway report, as it comes. */
import { type ClientRequest, request } from 'node:http';
import { createInterface } from 'node:readline';
import { STATUS_PORT } from '../../proxy/pod/places.ts';
import type { ProxyReport } from '../../proxy/pod/report.ts';
import type { Cluster } from '../../test/cluster/cluster.ts';
import { until } from '../../test/support/until.ts';

interface Pod {
  readonly request: ClientRequest;
  snapshot: string | null;
}

const TIMEOUT_MS = 60_000;

export class PodReports implements AsyncDisposable {
  readonly #pods: Pod[] = [];
  #changed: () => void = () => {};

  private constructor() {}

  /** Resolves when each pod has reported once. */
  static async follow(cluster: Cluster, addresses: readonly string[]): Promise<PodReports> {
    const reports = new PodReports();
    for (const address of addresses) await reports.#follow(cluster, address);
    await until('every pod has reported', () => reports.#pods.every(({ snapshot }) => snapshot !== null));
    return reports;
  }

  /** Resolves with the time at which the last pod serves another snapshot than now. */
  nextSnapshot(): Promise<number> {
    const before = this.#pods.map(({ snapshot }) => snapshot);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const timer = setTimeout(
      () => reject(new Error(`no new snapshot in every pod within ${TIMEOUT_MS} ms`)),
      TIMEOUT_MS,
    );
    this.#changed = () => {
      const [first] = this.#pods;
      const areNew = this.#pods.every(
        ({ snapshot }, index) => snapshot !== before[index] && snapshot === first!.snapshot,
      );
      if (!areNew) return;
      clearTimeout(timer);
      resolve(performance.now());
    };
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pod of this.#pods) pod.request.destroy();
  }

  async #follow(cluster: Cluster, address: string): Promise<void> {
    const socket = await cluster.dial(address, STATUS_PORT);
    const asked = request({ createConnection: () => socket, path: '/report', headers: { host: address } });
    const pod: Pod = { request: asked, snapshot: null };
    this.#pods.push(pod);
    asked.on('error', () => {});
    asked.on('response', (response) => {
      const lines = createInterface({ input: response });
      // It ends in the middle of a report.
      lines.on('error', () => {});
      lines.on('line', (line) => {
        pod.snapshot = (JSON.parse(line) as ProxyReport).snapshot;
        this.#changed();
      });
    });
    asked.end();
  }
}
