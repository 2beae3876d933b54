import type { Clock } from '../../kubernetes/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { ClusterCounter } from './cluster-counter.ts';
import type { LinkTransport } from './link/transport.ts';
import type { Settings } from './protocol/settings.ts';
import type { LeaseStore } from './store/lease-store.ts';

export interface MembershipOptions {
  /** Where this process is: part of the names of its incarnations. */
  readonly place: string;
  /** With whom it counts, for the log. */
  readonly among: string;
  /** The same for all members. */
  readonly settings: Settings;
  readonly store: LeaseStore;
  readonly transport: LinkTransport;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a start waits for the count, before connections are let in that would only be refused. */
const READY_TIMEOUT_MS = 10_000;

/** This process as one of several that share their counts: from the first to the last. */
export class Membership {
  readonly #options: MembershipOptions;
  #counter: ClusterCounter | null = null;
  #ended: Promise<void> | null = null;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  /** The counter of this process; there is one. */
  counter(metrics: Metrics): ClusterCounter {
    this.#counter ??= new ClusterCounter({ ...this.#options, random: Math.random, metrics });
    return this.#counter;
  }

  /** Joins the others; resolves when connections are counted, or when that takes too long. */
  async start(): Promise<void> {
    const { log, among } = this.#options;
    const counter = this.#counter;
    // The store may be away for long: that is waited for behind what follows.
    void counter?.start();
    if (await counter?.whenReady(READY_TIMEOUT_MS))
      log.info(`connections are counted together with ${among}`);
    else log.warn(`connections are to be counted together with ${among}, but the count cannot be known yet`);
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
    const { transport, store } = this.#options;
    await transport.close();
    await store.close();
  }
}
