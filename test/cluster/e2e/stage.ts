/** What the tests with fleets share: a gateway, its pods, clients, and a verdict on what the clients saw. */
import assert from 'node:assert/strict';
import { complaints, type FleetReport, summary, type Window } from '../../support/fleet/report.ts';
import { until } from '../../support/until.ts';
import type { Cluster, TestNamespace } from '../cluster.ts';
import type { ClusterFleet } from '../cluster-fleet.ts';
import {
  addressOf,
  DRAIN_MS,
  GATEWAY,
  type GatewaySettings,
  openFleet,
  PORT,
  startFleetGateway,
} from './fleet-gateway.ts';
import { get } from './http.ts';
import { PodLog } from './pod-log.ts';

/** How many WebSockets there are at all times. */
export const CLIENTS = 500;
const INTERVAL_MS = 1_000;
/** An echo takes a millisecond; this is for a machine with two cores that starts pods and nodes at the same time. */
const MAX_WAIT_MS = 10_000;
const ROLLOUT_TIMEOUT_MS = 120_000;

export class Stage implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly pods: PodLog;
  readonly #namespace: TestNamespace;
  readonly #fleets: ClusterFleet[] = [];
  readonly #stack: AsyncDisposableStack;
  #users = 0;

  private constructor(cluster: Cluster, namespace: TestNamespace, pods: PodLog, stack: AsyncDisposableStack) {
    this.cluster = cluster;
    this.pods = pods;
    this.#namespace = namespace;
    this.#stack = stack;
  }

  /** A gateway without clients yet. */
  static async set(cluster: Cluster, name: string, settings: GatewaySettings): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    const namespace = stack.use(await cluster.namespace(name));
    await startFleetGateway(cluster, namespace.name, settings);
    const pods = stack.use(await PodLog.follow(cluster, namespace.name, GATEWAY));
    return new Stage(cluster, namespace, pods, stack.move());
  }

  get namespace(): string {
    return this.#namespace.name;
  }

  /** Lets clients connect, through all pods, each with a user of its own. */
  async join(clients: number): Promise<void> {
    await this.#reached();
    const firstUser = this.#users;
    this.#users += clients;
    const fleet = await openFleet(this.cluster, this.namespace, {
      clients,
      intervalMs: INTERVAL_MS,
      firstUser,
    });
    this.#fleets.push(this.#stack.use(fleet));
  }

  /** Resolves when the Service leads to every pod: kube-proxy learns of one a little later than the operator. */
  async #reached(): Promise<void> {
    const address = await addressOf(this.cluster, this.namespace);
    const seen = new Set<unknown>();
    await until('the Service leads to every pod', async () => {
      const { headers } = await get(this.cluster, address, PORT, '/open');
      seen.add(headers.through);
      await this.pods.refresh();
      return this.pods.addresses().every((pod) => seen.has(pod));
    });
  }

  /** What the clients saw, once all of them are connected, and each connection was tried once more. */
  async report(): Promise<FleetReport> {
    for (const fleet of this.#fleets) await fleet.allOpen();
    for (const fleet of this.#fleets) await fleet.moreEchoes();
    await this.pods.refresh();
    const all = await Promise.all(this.#fleets.map((fleet) => fleet.report()));
    return {
      links: all.flatMap(({ links }) => links),
      failed: all.flatMap(({ failed }) => failed),
      wrongEchoes: all.flatMap(({ wrongEchoes }) => wrongEchoes),
    };
  }

  /**
   * Fails unless every client was well all the time, but for those whose pod was told to stop, which told them in time.
   *
   * @param say gets one line on how it went.
   */
  async judge(
    say: (line: string) => void,
    gone: ReadonlyMap<string, Window> = this.pods.stopped(DRAIN_MS),
  ): Promise<FleetReport> {
    const report = await this.report();
    say(summary(report));
    assert.deepEqual(complaints(report, { gone, maxWaitMs: MAX_WAIT_MS }), []);
    return report;
  }

  /** What is over does not count in the next verdict. */
  async forget(): Promise<void> {
    for (const fleet of this.#fleets) await fleet.allOpen();
    for (const fleet of this.#fleets) await fleet.forget();
  }

  /** Resolves when the gateway has as many pods, those that stop still among them. */
  async podsAre(count: number): Promise<void> {
    const selector = `--selector=sluice.dev/gateway=${GATEWAY}`;
    await until(
      `there are ${count} pods`,
      async () => {
        const names = await this.cluster.kubectl(['get', 'pods', selector, '--output=name'], {
          namespace: this.namespace,
        });
        return names.trim().split('\n').length === count;
      },
      ROLLOUT_TIMEOUT_MS,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
