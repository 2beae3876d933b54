import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { ClusterCounter } from './cluster-counter.ts';
import { monotonicClock } from './driver/monotonic-clock.ts';
import { SocketTransport } from './link/socket-transport.ts';
import { DEFAULT_SETTINGS, type Settings } from './protocol/settings.ts';
import { FileStore } from './store/file-store.ts';
import { prepareMembersDirectory } from './store/members-directory.ts';

export interface LocalMembersOptions {
  /** The members' directory: who uses the same counts together. */
  readonly directory: string;
  readonly log: Log;
  /** The same for all members. */
  readonly settings?: Settings;
}

/** How long a start waits for the count, before connections are let in that would only be refused. */
const READY_TIMEOUT_MS = 10_000;

/** This process as one of several on a machine that share their counts through a folder. */
export class LocalMembers {
  readonly directory: string;
  readonly #options: LocalMembersOptions;
  readonly #store: FileStore;
  readonly #transport: SocketTransport;
  #counter: ClusterCounter | null = null;
  #ended: Promise<void> | null = null;

  private constructor(
    directory: string,
    options: LocalMembersOptions,
    store: FileStore,
    transport: SocketTransport,
  ) {
    this.directory = directory;
    this.#options = options;
    this.#store = store;
    this.#transport = transport;
  }

  /** @throws MembersDirectoryError, or another Error in words, where the folder cannot serve */
  static async open(options: LocalMembersOptions): Promise<LocalMembers> {
    const directory = prepareMembersDirectory(options.directory);
    const { settings = DEFAULT_SETTINGS, log } = options;
    const store = new FileStore({ directory, settings, clock: monotonicClock, log });
    try {
      return new LocalMembers(directory, options, store, await SocketTransport.listen(directory));
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** The counter of this process; there is one. */
  counter(metrics: Metrics): ClusterCounter {
    this.#counter ??= new ClusterCounter({
      place: `p${process.pid}`,
      settings: this.#options.settings ?? DEFAULT_SETTINGS,
      store: this.#store,
      transport: this.#transport,
      clock: monotonicClock,
      random: Math.random,
      log: this.#options.log,
      metrics,
    });
    return this.#counter;
  }

  /** Joins the others; resolves when connections are counted, or when that takes too long. */
  async start(): Promise<void> {
    const { log } = this.#options;
    await this.#counter?.start();
    if (await this.#counter?.whenReady(READY_TIMEOUT_MS))
      log.info(`connections are counted together with all members of ${this.directory}`);
    else log.warn(`members directory ${this.directory}: the count cannot be known yet`);
  }

  /** To be called first at a planned end: what this process owns is handed over while it still serves. */
  leave(): void {
    this.#counter?.leave();
  }

  /**
   * To be called once no connection is left; after the timeout the others find out for themselves. Another call may be
   * less patient.
   */
  async close(timeoutMs: number): Promise<void> {
    await this.#counter?.stop(timeoutMs);
    this.#ended ??= this.#end();
    await this.#ended;
  }

  async #end(): Promise<void> {
    await this.#transport.close();
    await this.#store.close();
  }
}
