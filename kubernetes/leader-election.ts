/**
 * One leader among several processes, by a Lease.
 *
 * Never two at once, as long as no clock runs faster than another by more than `leaseDurationMs / renewDeadlineMs`.
 * Only durations on each process's own monotonic clock count:
 *
 * - A leader leads until `renewDeadlineMs` after it *sent* its last successful renewal. The deadline is looked at in
 *   each call of `isLeader`: timers of a stalled process are late.
 * - Others wait for the Lease's whole duration from when *they saw* it change last. The compare-and-swap by which
 *   they take it then proves that it has not changed since.
 * - A Lease that is not there, or bears no trace of ever having been held, may have been deleted under a leader. Who
 *   takes it renews it for a whole duration before it leads: at a first installation this is the price.
 * - An answer that was lost extends nothing. If the write took effect, the next read shows it.
 */
import assert from 'node:assert';
import type { Clock } from './clock.ts';
import { ApiError, KubernetesError } from './errors.ts';
import type { Lease, LeaseApi, LeaseSpec } from './lease.ts';

export interface LeaderElectionOptions {
  readonly api: LeaseApi;
  /** Unique to this process: not the same again after a restart. */
  readonly identity: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: ElectionLog;
  /**
   * Does what only the leader does, until `signal` is aborted, and resolves when all of it has ended. Until then this
   * process does not lead again. What it rejects with is a bug, and ends the process.
   */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  readonly timing?: ElectionTiming;
}

export interface ElectionTiming {
  /** A multiple of a second. */
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  /** Between renewals, and between looks of those who wait. */
  readonly retryPeriodMs: number;
}

export interface ElectionLog {
  info(message: string): void;
  warn(message: string): void;
}

export const ELECTION_TIMING: ElectionTiming = {
  leaseDurationMs: 15_000,
  renewDeadlineMs: 10_000,
  retryPeriodMs: 2_000,
};

/** For the calls of the Lease API: two of them fit in before a leader must stop. */
export const ELECTION_REQUEST_TIMEOUT_MS = 3_000;

interface Term {
  readonly controller: AbortController;
  /** Whether `lead` has ended. */
  isOver: boolean;
}

export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #timing: ElectionTiming;
  /** The state to be replaced next, when it is ours. */
  #held: Lease | null = null;
  /** What was seen last, and when its last change was seen. */
  #seen: { readonly version: string; readonly atMs: number } | null = null;
  /** Until then a Lease of ours does not make us leader: `Infinity` until it is certain that it is ours. */
  #probationEndMs = 0;
  #deadlineMs = Number.NEGATIVE_INFINITY;
  #term: Term | null = null;
  #cancelDeadline: () => void = () => {};
  #wake: () => void = () => {};
  #running: Promise<void> | null = null;
  #isStopping = false;
  #error: string | null = null;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#timing = options.timing ?? ELECTION_TIMING;
    const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = this.#timing;
    assert.ok(leaseDurationMs % 1000 === 0, 'the API knows whole seconds');
    assert.ok(retryPeriodMs < renewDeadlineMs && renewDeadlineMs < leaseDurationMs);
  }

  /** To be asked before each act that only the leader may do. */
  isLeader(): boolean {
    return this.#term !== null && this.#options.clock.now() < this.#deadlineMs;
  }

  start(): void {
    assert.equal(this.#running, null);
    // What it rejects with is our bug: nobody handles it here, so it ends the process.
    this.#running = this.#run();
  }

  /** Ends the term, keeps the Lease until its work is done, and then releases it for the others to take at once. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#term?.controller.abort();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { random } = this.#options;
    while (!this.#isStopping || this.#term !== null) {
      this.#endTermIfOver();
      try {
        await this.#round();
        this.#error = null;
      } catch (error) {
        if (!(error instanceof KubernetesError)) throw error;
        if (error.message !== this.#error) this.#options.log.warn(error.message);
        this.#error = error.message;
      }
      if (this.#isStopping && this.#term?.isOver !== false) break;
      await this.#sleep(this.#timing.retryPeriodMs * (this.#held === null ? 1 + random() / 5 : 1));
    }
    await this.#release();
  }

  /** Renews what is ours, or looks whether there is something to take. */
  async #round(): Promise<void> {
    // Work that should have ended still goes on: it would be the next term's.
    if (this.#term?.controller.signal.aborted && !this.isLeader()) return;
    if (this.#held !== null) {
      try {
        await this.#take(this.#held);
        return;
      } catch (error) {
        if (!(error instanceof ApiError && (error.conflict || error.notFound))) throw error;
        this.#held = null;
      }
    }
    const lease = await this.#options.api.get();
    this.#see(lease);
    const holder = lease?.spec?.holderIdentity ?? '';
    if (holder === this.#options.identity) {
      this.#confirmProbation();
      await this.#take(lease!);
    } else if (lease === null || (holder === '' && (lease.spec?.leaseTransitions ?? 0) === 0)) {
      await this.#takeOnProbation(lease);
    } else if (holder === '' || this.#isExpired(lease)) {
      this.#probationEndMs = 0;
      await this.#take(lease);
    } else if (this.#term !== null) {
      this.#endTerm(`${holder} has taken the Lease`);
    }
  }

  #see(lease: Lease | null): void {
    const version = lease === null ? '' : `${lease.metadata.uid}/${lease.metadata.resourceVersion}`;
    if (this.#seen?.version !== version) this.#seen = { version, atMs: this.#options.clock.now() };
  }

  #isExpired({ spec }: Lease): boolean {
    const durationMs = Math.max(this.#timing.leaseDurationMs, (spec?.leaseDurationSeconds ?? 0) * 1000);
    return this.#options.clock.now() - this.#seen!.atMs >= durationMs;
  }

  /** Makes the Lease ours, or keeps it so. Leads from then on, unless on probation. */
  async #take(lease: Lease): Promise<void> {
    const { api, clock } = this.#options;
    const sentAtMs = clock.now();
    this.#held = await api.update(lease, this.#specAfter(lease));
    if (sentAtMs >= this.#probationEndMs) this.#leadUntil(sentAtMs + this.#timing.renewDeadlineMs);
  }

  async #takeOnProbation(lease: Lease | null): Promise<void> {
    const { api, clock } = this.#options;
    const sentAtMs = clock.now();
    this.#probationEndMs = Number.POSITIVE_INFINITY;
    const spec = this.#specAfter(lease);
    this.#held = lease === null ? await api.create(spec) : await api.update(lease, spec);
    if (this.isLeader()) {
      // Nobody can have led in the meantime: the Lease was lost, but not the term.
      this.#probationEndMs = 0;
      this.#leadUntil(sentAtMs + this.#timing.renewDeadlineMs);
    } else {
      this.#confirmProbation();
    }
  }

  /** The Lease is certainly ours: from now on, whoever led before has this long to be over. */
  #confirmProbation(): void {
    if (this.#probationEndMs !== Number.POSITIVE_INFINITY) return;
    this.#probationEndMs = this.#options.clock.now() + this.#timing.leaseDurationMs;
  }

  #specAfter(lease: Lease | null): LeaseSpec {
    const { identity, clock } = this.#options;
    const { holderIdentity, acquireTime, leaseTransitions = 0 } = lease?.spec ?? {};
    const renewTime = microTime(clock.epochMs());
    const isOurs = holderIdentity === identity;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: this.#timing.leaseDurationMs / 1000,
      acquireTime: isOurs && acquireTime !== undefined ? acquireTime : renewTime,
      renewTime,
      leaseTransitions: isOurs || lease === null ? leaseTransitions : leaseTransitions + 1,
    };
  }

  #leadUntil(deadlineMs: number): void {
    const { clock } = this.#options;
    if (this.#term !== null && clock.now() >= this.#deadlineMs)
      this.#endTerm('the Lease was renewed too late');
    if (clock.now() >= deadlineMs) return;
    if (this.#term?.controller.signal.aborted && !this.#isStopping) return;
    this.#deadlineMs = deadlineMs;
    this.#cancelDeadline();
    this.#cancelDeadline = clock.after(deadlineMs - clock.now(), () => {
      this.#endTerm('the Lease could not be renewed in time');
    });
    if (this.#term === null && !this.#isStopping) this.#beginTerm();
  }

  #beginTerm(): void {
    const { identity, lead, log } = this.#options;
    const term: Term = { controller: new AbortController(), isOver: false };
    this.#term = term;
    log.info(`${identity} leads`);
    void lead(term.controller.signal).then(() => {
      assert.ok(term.controller.signal.aborted, 'leading ends with the term, not before');
      term.isOver = true;
      this.#wake();
    });
  }

  #endTerm(why: string): void {
    this.#deadlineMs = Number.NEGATIVE_INFINITY;
    this.#cancelDeadline();
    if (this.#term?.controller.signal.aborted === false) {
      this.#options.log.warn(`${this.#options.identity} no longer leads: ${why}`);
      this.#term.controller.abort();
    }
    this.#wake();
  }

  #endTermIfOver(): void {
    if (this.#term?.isOver && !this.isLeader()) this.#term = null;
  }

  /** Only what we led: a Lease on probation, freed, would let the next one lead too early. */
  async #release(): Promise<void> {
    const { api, identity, log } = this.#options;
    const isLeader = this.isLeader();
    this.#endTermAfterRelease();
    for (let attempt = 0; isLeader && attempt < 2; attempt++) {
      try {
        this.#held ??= await api.get();
        if (this.#held?.spec?.holderIdentity !== identity) return;
        const { leaseTransitions = 0, ...spec } = this.#held.spec;
        await api.update(this.#held, { ...spec, holderIdentity: '', leaseTransitions: leaseTransitions + 1 });
        return;
      } catch (error) {
        if (!(error instanceof KubernetesError)) throw error;
        this.#held = null;
        log.warn(`The Lease could not be released: ${error.message}`);
      }
    }
  }

  #endTermAfterRelease(): void {
    this.#cancelDeadline();
    this.#deadlineMs = Number.NEGATIVE_INFINITY;
    this.#term = null;
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** As the API writes times of Leases: with microseconds. */
function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}
