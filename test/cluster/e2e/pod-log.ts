/** Which pods of a gateway there were, and when each was told to stop. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Window } from '../../support/fleet/report.ts';
import type { KubernetesObject } from '../api.ts';
import type { Cluster } from '../cluster.ts';

const POLL_MS = 500;
/** What the API server rounds away, and what a busy machine takes. */
const SLACK_MS = 2_000;

interface PodTimes {
  readonly name: string;
  readonly node: string;
  readonly address: string;
  readonly stoppedMs: number | null;
}

export class PodLog implements AsyncDisposable {
  readonly #cluster: Cluster;
  readonly #path: string;
  readonly #pods = new Map<string, PodTimes>();
  readonly #following: Promise<void>;
  #stopped = false;

  private constructor(cluster: Cluster, namespace: string, gateway: string) {
    this.#cluster = cluster;
    const selector = encodeURIComponent(`sluice.dev/gateway=${gateway}`);
    this.#path = `/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`;
    this.#following = this.#follow();
  }

  static async follow(cluster: Cluster, namespace: string, gateway: string): Promise<PodLog> {
    const log = new PodLog(cluster, namespace, gateway);
    await log.refresh();
    return log;
  }

  /** Addresses of the pods that are not told to stop. */
  addresses(): string[] {
    return [...this.#pods.values()]
      .filter(({ stoppedMs }) => stoppedMs === null)
      .map(({ address }) => address);
  }

  nameOf(address: string): string {
    return this.#podAt(address).name;
  }

  nodeOf(address: string): string {
    return this.#podAt(address).node;
  }

  /**
   * Those that were told to stop, each with the time in which it may tell its clients to come back.
   *
   * @param drainMs the longest that it may wait with that.
   */
  stopped(drainMs: number): Map<string, Window> {
    const windows = new Map<string, Window>();
    for (const { address, stoppedMs } of this.#pods.values()) {
      if (stoppedMs === null) continue;
      windows.set(address, { fromMs: stoppedMs - SLACK_MS, toMs: stoppedMs + drainMs + SLACK_MS });
    }
    return windows;
  }

  /** Does nothing while the API server is away. */
  async refresh(): Promise<void> {
    const answer = await this.#cluster.request({ method: 'GET', path: this.#path }).catch(() => null);
    if (answer?.status !== 200) return;
    for (const pod of answer.body.items as unknown as KubernetesObject[]) this.#note(pod);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#following;
  }

  #podAt(address: string): PodTimes {
    const pod = [...this.#pods.values()].find((candidate) => candidate.address === address);
    if (pod === undefined) throw new Error(`there was no pod with the address ${address}`);
    return pod;
  }

  #note({ metadata, spec, status }: KubernetesObject): void {
    const { podIP } = status as { podIP?: string };
    if (podIP === undefined) return;
    const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = metadata as KubernetesObject['metadata'] & {
      deletionGracePeriodSeconds?: number;
    };
    // The timestamp is when it must be gone.
    const stoppedMs =
      deletionTimestamp === undefined
        ? null
        : Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1_000;
    this.#pods.set(metadata.uid!, {
      name: metadata.name,
      node: (spec as { nodeName: string }).nodeName,
      address: podIP,
      stoppedMs,
    });
  }

  async #follow(): Promise<void> {
    while (!this.#stopped) {
      await this.refresh();
      await delay(POLL_MS);
    }
  }
}
