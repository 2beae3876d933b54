/** A fleet of clients in the network of the cluster, and the backend that it talks to. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { FleetOptions } from '../support/fleet/fleet.ts';
import type { FleetReport } from '../support/fleet/report.ts';
import type { Cluster } from './cluster.ts';
import type { FleetAnswer, FleetRequest } from './fleet-process.ts';

/** {@link Fleet} from afar. */
export class ClusterFleet implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: FleetAnswer) => void>();
  #lastId = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (answer: FleetAnswer) => this.#waiting.get(answer.id)?.(answer));
    child.on('exit', (code, signal) => {
      for (const [id, settle] of this.#waiting) settle({ id, error: `the fleet ended: ${code ?? signal}` });
    });
  }

  /** Starts it at the first node, and resolves when all its clients are connected. */
  static async open(cluster: Cluster, options: FleetOptions): Promise<ClusterFleet> {
    const script = join(import.meta.dirname, 'fleet-process.ts');
    const [command, args] = cluster.nodes[0]!.inside(process.execPath, [script], ['net']);
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const fleet = new ClusterFleet(child);
    child.send(options);
    await fleet.#call('open');
    return fleet;
  }

  async allOpen(): Promise<void> {
    await this.#call('allOpen');
  }

  async moreEchoes(): Promise<void> {
    await this.#call('moreEchoes');
  }

  async report(): Promise<FleetReport> {
    return (await this.#call('report')) as FleetReport;
  }

  async forget(): Promise<void> {
    await this.#call('forget');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    await this.#call('close').catch(() => {});
    this.#child.disconnect();
    await exited;
  }

  async #call(call: FleetRequest['call']): Promise<unknown> {
    if (!this.#child.connected) throw new Error('the fleet has ended');
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<FleetAnswer>();
    this.#waiting.set(id, resolve);
    this.#child.send({ id, call } satisfies FleetRequest);
    const { value, error } = await promise;
    this.#waiting.delete(id);
    if (error !== undefined) throw new Error(error);
    return value;
  }
}
