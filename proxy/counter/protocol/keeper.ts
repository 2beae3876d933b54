import assert from 'node:assert/strict';
import {
  draftOf,
  holdQuorum,
  type Incarnation,
  type LeaseDraft,
  type LeaseName,
  type LeaseRecord,
  type Token,
  tokenOf,
} from './lease.ts';
import type { Settings } from './settings.ts';
import type { Caller, LeaseCall, LeaseResult, Turn } from './turn.ts';

/** What the holder wants its Lease to say with the next write. */
export interface Wanted {
  readonly voters: readonly Incarnation[];
  readonly members: readonly Incarnation[];
  readonly draining: boolean;
  readonly replaces: Incarnation;
}

/** Who uses the Lease: told when what it says has changed, or that it is somebody else's now. */
export interface Tenant {
  wanted(nowMs: number): Wanted;
  onHeld(turn: Turn, before: LeaseRecord | null): void;
  onLost(turn: Turn): void;
}

/**
 * The holder's side of one Lease. Its tenure lasts while a renewal carries it (no compare-and-swap of others can have
 * succeeded), or the promises of enough voters (no claim of others can have been agreed to). Both are counted from
 * before the question was sent.
 *
 * A tenure that lapsed may come back: if the next compare-and-swap on the own record succeeds, nobody was between.
 */
export class LeaseKeeper implements Caller {
  readonly name: LeaseName;
  readonly #self: Incarnation;
  readonly #settings: Settings;
  readonly #tenant: Tenant;
  /** As of the last write that is known; `null` before the first. */
  #record: LeaseRecord | null = null;
  /** Sent, and not known whether it was or will be written: it may count already, or not yet. */
  #draft: { readonly draft: LeaseDraft; readonly sentMs: number } | null = null;
  #renewedMs = Number.NEGATIVE_INFINITY;
  #nextWriteMs = Number.NEGATIVE_INFINITY;
  /** Voter to the time at which the last beat that it promised upon was sent. */
  readonly #promisedMs = new Map<Incarnation, number>();
  /** Agreed to a claim itself, after its tenure had lapsed: up to this revision it counts on itself no more. */
  #conceded = -1;
  /** Transitions that the next write has at least. */
  #transitions = 0;
  #handedTo: { readonly successor: Incarnation; readonly handover: string } | null = null;
  #releasing = false;
  #lost = false;

  constructor(name: LeaseName, self: Incarnation, settings: Settings, tenant: Tenant) {
    this.name = name;
    this.#self = self;
    this.#settings = settings;
    this.#tenant = tenant;
  }

  get record(): LeaseRecord | null {
    return this.#record;
  }

  get token(): Token {
    assert(this.#record !== null, 'the Lease was written');
    return tokenOf(this.#record);
  }

  get isLost(): boolean {
    return this.#lost;
  }

  /** It has begun to give the Lease away. */
  get isLeaving(): boolean {
    return this.#releasing || this.#handedTo !== null;
  }

  /** Whether the last renewal is recent: the Lease API answers. */
  isAttached(nowMs: number): boolean {
    return (
      this.#draft === null && !this.isLeaving && nowMs - this.#renewedMs <= 2 * this.#settings.renewIntervalMs
    );
  }

  /** Whoever is to promise: also those that only a write of unknown outcome has added. */
  voters(): Incarnation[] {
    const voters = new Set(this.#record?.voters);
    for (const voter of this.#draft?.draft.voters ?? []) voters.add(voter);
    return [...voters];
  }

  /** The end of the tenure as known now, by the own clock. */
  validUntilMs(): number {
    // A Lease on its way out may be gone already, whatever has been heard of it.
    if (this.#lost || this.isLeaving || this.#record === null) return Number.NEGATIVE_INFINITY;
    return Math.max(this.renewalEndsMs(), this.promisesEndMs());
  }

  isValid(nowMs: number): boolean {
    // The usual case without a look at the promises: this is asked in every turn.
    if (nowMs < this.#renewedMs + this.#settings.leaseDurationMs && !this.#lost && !this.isLeaving)
      return true;
    return nowMs < this.validUntilMs();
  }

  renewalEndsMs(): number {
    return this.#renewedMs + this.#settings.leaseDurationMs;
  }

  promisesEndMs(): number {
    const { leaseDurationMs } = this.#settings;
    const sentMs = Math.min(...this.electorates().map((voters) => this.quorumSentMs(voters)));
    return Math.min(sentMs + leaseDurationMs, this.detachedUntilMs());
  }

  /** Which of the voters before and after a write of unknown outcome a claimant will read is not known. */
  electorates(): (readonly Incarnation[])[] {
    const { voters } = this.#record!;
    return this.#draft === null ? [voters] : [voters, this.#draft.draft.voters];
  }

  /** From then on others may do without the voters' agreement. */
  detachedUntilMs(): number {
    return this.#renewedMs + this.#settings.maxDetachedMs;
  }

  /** When the beats were sent that enough of the voters have promised upon since. */
  quorumSentMs(voters: readonly Incarnation[]): number {
    const never = Number.NEGATIVE_INFINITY;
    const ownMs = this.#record!.revision > this.#conceded ? Number.POSITIVE_INFINITY : never;
    const sentMs = voters.map((voter) =>
      voter === this.#self ? ownMs : (this.#promisedMs.get(voter) ?? never),
    );
    sentMs.sort((a, b) => b - a);
    return sentMs[holdQuorum(sentMs.length) - 1] ?? never;
  }

  /** Others may have seen a renewal at any time since it was sent. */
  countsFromMs(sentMs: number, _answeredMs: number): number {
    return sentMs;
  }

  /** This member agrees to a claim against itself. */
  concede(revision: number): void {
    this.#conceded = Math.max(this.#conceded, revision);
  }

  onPromise(voter: Incarnation, sentMs: number): void {
    const before = this.#promisedMs.get(voter);
    if (before === undefined || before < sentMs) this.#promisedMs.set(voter, sentMs);
  }

  /**
   * Takes up a Lease that others or an earlier call have put into these hands.
   * @param renewedMs a time before which it cannot have been written
   */
  adopt(record: LeaseRecord, renewedMs: number): void {
    assert(this.#record === null && record.holder === this.#self && record.phase === 'held');
    this.#record = record;
    this.#renewedMs = renewedMs;
  }

  /** The next write has at least so many transitions; it comes at once. */
  raiseTransitions(transitions: number): void {
    if (transitions <= this.#transitions) return;
    this.#transitions = transitions;
    this.hurry();
  }

  /** The next write is due now. */
  hurry(): void {
    this.#nextWriteMs = Number.NEGATIVE_INFINITY;
  }

  /** From here on the Lease is on its way to the successor; it may be there at any time. */
  handOver(successor: Incarnation, handover: string): void {
    assert(this.#draft === null && !this.isLeaving);
    this.#handedTo = { successor, handover };
    this.hurry();
  }

  release(): void {
    if (this.isLeaving) return;
    this.#releasing = true;
    this.hurry();
  }

  tick(turn: Turn): void {
    if (this.#lost || turn.nowMs < this.#nextWriteMs || turn.isCalling(this.name)) return;
    if (this.#isStillborn(turn.nowMs)) {
      this.#lose(turn);
      return;
    }
    // As long as the outcome of a draft is unknown it is sent again as it was: two may not be on their way.
    this.#draft ??= { draft: this.#nextDraft(turn.nowMs), sentMs: turn.nowMs };
    this.#nextWriteMs = turn.nowMs + this.#settings.renewIntervalMs;
    const { draft } = this.#draft;
    if (this.#record === null) turn.call({ kind: 'create', name: this.name, draft }, this);
    else turn.call({ kind: 'update', name: this.name, expected: this.#record, draft }, this);
  }

  onCallResult(turn: Turn, call: LeaseCall, result: LeaseResult): void {
    if (this.#lost) return;
    if (result.outcome === 'unknown') {
      this.#nextWriteMs = turn.nowMs + this.#settings.retryMs;
    } else if (result.outcome === 'refused') {
      this.#nextWriteMs = turn.nowMs + this.#settings.retryMs;
      turn.call({ kind: 'get', name: this.name }, this);
    } else if (call.kind === 'get') {
      this.#onRead(turn, result.record);
    } else {
      assert(result.record !== null);
      this.#onWritten(turn, result.record);
    }
  }

  /** The watch shows something that the holder did not write: look before believing it. */
  lookAgain(turn: Turn): void {
    if (!this.#lost && !turn.isCalling(this.name)) turn.call({ kind: 'get', name: this.name }, this);
  }

  #onWritten(turn: Turn, record: LeaseRecord): void {
    assert(this.#draft !== null);
    const { sentMs } = this.#draft;
    const recreated = this.#record !== null && this.#record.uid !== record.uid;
    // Others may have held and lost the Lease while a creation was under way: it revives nobody.
    if (recreated && !this.#carriesOver(turn.nowMs, sentMs)) this.#lose(turn);
    else this.#settle(turn, record, sentMs);
  }

  /**
   * The first creation has taken so long that, if it was carried out at all, others may have ended and forgotten the
   * session: the name is used up.
   */
  #isStillborn(nowMs: number): boolean {
    const { leaseDurationMs } = this.#settings;
    return this.#record === null && this.#draft !== null && nowMs >= this.#draft.sentMs + leaseDurationMs;
  }

  #carriesOver(nowMs: number, sentMs: number): boolean {
    return this.isValid(nowMs) || nowMs < sentMs + this.#settings.leaseDurationMs;
  }

  #onRead(turn: Turn, record: LeaseRecord | null): void {
    const mine = record !== null && record.phase === 'held' && record.holder === this.#self;
    if (mine && this.#record?.uid === record.uid) {
      if (record.revision > this.#record.revision) {
        // A write of unknown outcome was written. It counts from when it was first sent.
        assert(this.#draft !== null && this.#draft.draft.revision === record.revision);
        this.#settle(turn, record, this.#draft.sentMs);
      } else {
        // Somebody else's write that kept what counts, such as a label.
        this.#record = record;
      }
      return;
    }
    if (this.#record === null) {
      // The first creation: its answer was lost, or the Lease is somebody else's.
      // An absent one is created by the next tick, counted from the first attempt.
      if (mine && this.#draft !== null) this.#settle(turn, record, this.#draft.sentMs);
      else if (record !== null) this.#lose(turn);
      return;
    }
    const unowned = record !== null && record.phase === 'held' && record.holder === '';
    if (!this.isValid(turn.nowMs) || !(record === null || mine || unowned)) {
      this.#lose(turn);
      return;
    }
    this.#recreate(turn, record);
  }

  /** The Lease was deleted, and perhaps put back by others, while the tenure lasts: nobody has been between. */
  #recreate(turn: Turn, found: LeaseRecord | null): void {
    const base = this.#record!;
    const transitions = Math.max(base.transitions, found?.transitions ?? 0, this.#transitions) + 1;
    const revision = Math.max(base.revision, found?.revision ?? 0, this.#draft?.draft.revision ?? 0) + 1;
    const draft: LeaseDraft = { ...draftOf(base), transitions, revision, handover: '', restored: false };
    this.#draft = { draft, sentMs: turn.nowMs };
    if (this.isLeaving) {
      this.#lose(turn);
    } else if (found === null) {
      turn.call({ kind: 'create', name: this.name, draft }, this);
    } else {
      turn.call({ kind: 'update', name: this.name, expected: found, draft }, this);
    }
  }

  #settle(turn: Turn, record: LeaseRecord, sentMs: number): void {
    const before = this.#record;
    const isStillborn = this.#isStillborn(turn.nowMs);
    this.#record = record;
    this.#draft = null;
    if (isStillborn || record.holder !== this.#self || record.phase !== 'held') {
      this.#lose(turn);
      return;
    }
    this.#renewedMs = Math.max(this.#renewedMs, this.countsFromMs(sentMs, turn.nowMs));
    for (const voter of this.#promisedMs.keys()) {
      if (!record.voters.includes(voter)) this.#promisedMs.delete(voter);
    }
    this.#tenant.onHeld(turn, before);
  }

  #lose(turn: Turn): void {
    this.#lost = true;
    this.#tenant.onLost(turn);
  }

  #nextDraft(nowMs: number): LeaseDraft {
    const wanted = this.#tenant.wanted(nowMs);
    const base = this.#record;
    const revision = (base?.revision ?? 0) + 1;
    const transitions = Math.max(base?.transitions ?? 0, this.#transitions);
    const held = { ...wanted, phase: 'held', holder: this.#self, handover: '', restored: false } as const;
    if (this.#handedTo !== null) {
      const { successor, handover } = this.#handedTo;
      const voters = [...new Set([successor, ...wanted.voters])].slice(0, Math.max(1, wanted.voters.length));
      return { ...held, holder: successor, voters, revision, transitions: transitions + 1, handover };
    }
    if (this.#releasing) return { ...held, phase: 'released', revision, transitions };
    return { ...held, revision, transitions };
  }
}
