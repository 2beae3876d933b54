import assert from 'node:assert/strict';
import type { Directory, Sighting } from './directory.ts';
import {
  claimQuorum,
  draftOf,
  holdQuorum,
  type Incarnation,
  type LeaseDraft,
  type LeaseName,
  type LeaseRecord,
  memberOf,
  shardOfLease,
} from './lease.ts';
import { ranked } from './placement.ts';
import { followerWaitMs, type Settings } from './settings.ts';
import type { Caller, LeaseCall, LeaseResult, Turn } from './turn.ts';

interface Claiming {
  readonly record: LeaseRecord;
  readonly agreed: Set<Incarnation>;
  nextAskMs: number;
}

export interface TakeoverOwner {
  /** Whether this member may take shards now. */
  mayTakeShards(nowMs: number): boolean;
  /** Whether the Lease is its own. */
  keeps(name: LeaseName): boolean;
  /** Whether it has itself promised not to agree: asking others is no use. */
  keepsPromise(name: LeaseName, nowMs: number): boolean;
  /** @param sentMs the Lease was not written before */
  onTaken(turn: Turn, record: LeaseRecord, sentMs: number): void;
  /** The owner before has put the shard into these hands. */
  onHandedOver(turn: Turn, record: LeaseRecord): void;
}

/**
 * What is done about Leases whose holders are silent: a shard is taken, a member's session is ended. First the wait,
 * then the agreement of enough voters, last the compare-and-swap on the very revision that was waited for and agreed
 * upon: once it is written, the tenure before it is over, and everybody who reads it may rely on that.
 *
 * A Lease that is absent is put back as it was first, and then treated like any other.
 */
export class Takeover implements Caller {
  readonly #self: Incarnation;
  readonly #settings: Settings;
  readonly #directory: Directory;
  readonly #owner: TakeoverOwner;
  /** Shards whose Lease was last asked for with these: the answer may have been lost. */
  readonly #swaps = new Map<LeaseName, { uid: string; revision: number; sentMs: number }>();
  readonly #claims = new Map<LeaseName, Claiming>();
  /** No call for this Lease before then. */
  readonly #notBeforeMs = new Map<LeaseName, number>();

  constructor(self: Incarnation, settings: Settings, directory: Directory, owner: TakeoverOwner) {
    this.#self = self;
    this.#settings = settings;
    this.#directory = directory;
    this.#owner = owner;
  }

  tick(turn: Turn): void {
    if (!this.#directory.isListed) return;
    for (const [name, sighting] of this.#directory.sightings()) {
      if (this.#owner.keeps(name)) this.#forget(name);
      else this.#consider(turn, name, sighting);
    }
  }

  onClaimed(turn: Turn, from: Incarnation, name: LeaseName, revision: number, agreed: boolean): void {
    const claiming = this.#claims.get(name);
    if (claiming === undefined || this.#isOutdated(claiming)) return;
    if (agreed && revision === claiming.record.revision) {
      claiming.agreed.add(from);
      this.#swapIfAgreed(turn, claiming);
    } else if (!agreed && revision > claiming.record.revision) {
      // Either this member is behind, and the compare-and-swap will say so; or the Lease was put back by somebody who
      // did not know how far it was, nor perhaps who its voters were.
      this.#raise(turn, claiming.record, revision + 1);
    }
  }

  /** Somebody says that the Lease has been put into these hands. */
  look(turn: Turn, name: LeaseName): void {
    if (!this.#owner.keeps(name) && !turn.isCalling(name)) turn.call({ kind: 'get', name }, this);
  }

  onCallResult(turn: Turn, call: LeaseCall, result: LeaseResult): void {
    const { name } = call;
    this.#notBeforeMs.set(name, turn.nowMs + this.#settings.retryMs);
    if (result.outcome !== 'done') {
      if (call.kind !== 'get') turn.call({ kind: 'get', name }, this);
      return;
    }
    const { record } = result;
    if (call.kind === 'remove' || record === null) this.#directory.seeGone(name, turn.nowMs);
    else this.#directory.see(record, turn.nowMs);
    if (record === null || record.holder !== this.#self || record.phase !== 'held') return;
    if (this.#owner.keeps(name)) return;
    const swap = this.#swaps.get(name);
    if (swap !== undefined && swap.uid === record.uid && swap.revision === record.revision) {
      this.#forget(name);
      this.#owner.onTaken(turn, record, swap.sentMs);
    } else if (record.handover !== '') {
      this.#forget(name);
      this.#owner.onHandedOver(turn, record);
    }
  }

  #consider(turn: Turn, name: LeaseName, sighting: Sighting): void {
    if (turn.isCalling(name) || turn.nowMs < (this.#notBeforeMs.get(name) ?? 0)) return;
    const { record } = sighting;
    const shard = shardOfLease(name);
    if (record !== null && record.holder === this.#self && record.handover !== '') {
      turn.call({ kind: 'get', name }, this);
      return;
    }
    const dueMs = sighting.sinceMs + this.#patienceMs(record, shard >= 0);
    if (turn.nowMs < dueMs) {
      this.#claims.delete(name);
      return;
    }
    if (shard >= 0 && !this.#owner.mayTakeShards(turn.nowMs)) return;
    if (turn.nowMs < dueMs + this.#rankDelayMs(name, turn.nowMs)) return;
    if (record === null) this.#putBack(turn, name, sighting.last);
    else if (record.phase === 'held' && !this.isForfeited(record)) this.#claim(turn, record, sighting);
    else if (record.phase === 'held' || shard >= 0) this.#swap(turn, record);
    else turn.call({ kind: 'remove', name, expected: record }, this);
  }

  /** How long a Lease must have been seen as it is before something is done about it. */
  #patienceMs(record: LeaseRecord | null, isShard: boolean): number {
    if (record === null) return 2 * this.#settings.renewIntervalMs;
    if (record.phase !== 'held') return isShard ? 0 : this.#settings.markerMs;
    return this.isForfeited(record) ? 0 : this.silenceMs();
  }

  /** The holder's process is certainly gone: nothing is to be waited for. */
  isForfeited(record: LeaseRecord): boolean {
    const isKnown = !record.restored || memberOf(record.name) !== null;
    return isKnown && record.holder !== '' && this.#directory.hasDied(record.holder);
  }

  /** How long a Lease must have been seen unchanged before it is claimed. */
  silenceMs(): number {
    return followerWaitMs(this.#settings);
  }

  #claim(turn: Turn, record: LeaseRecord, sighting: Sighting): void {
    const { name } = record;
    if (turn.nowMs - sighting.sinceMs >= this.#settings.maxDetachedMs * this.#settings.maxClockRatio) {
      this.#swap(turn, record);
      return;
    }
    if (this.#owner.keepsPromise(name, turn.nowMs)) return;
    let claiming = this.#claims.get(name);
    if (claiming === undefined || this.#isOutdated(claiming)) {
      claiming = { record, agreed: new Set(), nextAskMs: 0 };
      this.#claims.set(name, claiming);
    }
    if (turn.nowMs < claiming.nextAskMs) return;
    claiming.nextAskMs = turn.nowMs + 2 * this.#settings.retryMs;
    for (const voter of record.voters) {
      if (this.#directory.isBeyondPromises(voter, turn.nowMs)) claiming.agreed.add(voter);
      if (!claiming.agreed.has(voter)) turn.send(voter, { type: 'claim', name, revision: record.revision });
    }
    this.#swapIfAgreed(turn, claiming);
  }

  #swapIfAgreed(turn: Turn, claiming: Claiming): void {
    if (!this.hasAgreement(claiming.record, claiming.agreed)) return;
    if (!turn.isCalling(claiming.record.name)) this.#swap(turn, claiming.record);
  }

  /** Enough voters keep the old holder away for good. */
  hasAgreement(record: LeaseRecord, agreed: ReadonlySet<Incarnation>): boolean {
    const { voters, restored, holder } = record;
    // What was put back may be out of date: who held a shard, and who voted. A member's name is in its Lease's name.
    if (restored && memberOf(record.name) !== null) return agreed.has(holder);
    const count = voters.filter((voter) => agreed.has(voter)).length;
    return count >= (restored ? voters.length : claimQuorum(voters.length));
  }

  #swap(turn: Turn, record: LeaseRecord): void {
    const revision = record.revision + 1;
    const taken = { ...draftOf(record), revision, handover: '', restored: false };
    const member = memberOf(record.name);
    if (member === null) {
      const voters = this.#electorate(record.name, turn.nowMs);
      const transitions = record.transitions + 1;
      const draft: LeaseDraft = { ...taken, phase: 'held', holder: this.#self, transitions, voters };
      this.#swaps.set(record.name, { uid: record.uid, revision, sentMs: turn.nowMs });
      turn.call({ kind: 'update', name: record.name, expected: record, draft }, this);
    } else {
      const draft: LeaseDraft = { ...taken, phase: 'ended', transitions: record.transitions + 1 };
      turn.call({ kind: 'update', name: record.name, expected: record, draft }, this);
    }
  }

  /** The voters of a Lease that this member takes: itself and the next in rank. */
  #electorate(name: LeaseName, nowMs: number): Incarnation[] {
    return electorate(name, this.#self, this.#directory.live(nowMs), this.#settings.maxVoters);
  }

  /** Whatever this member remembers; others may know better, and all who may hold or vote are to agree. */
  #putBack(turn: Turn, name: LeaseName, last: LeaseRecord | null): void {
    const member = memberOf(name);
    const live = this.#directory.live(turn.nowMs);
    const known = last === null ? [] : [...last.voters, ...last.members];
    const everybody = [...new Set([...known, ...live, this.#self, ...(member === null ? [] : [member])])];
    const draft: LeaseDraft = {
      phase: 'held',
      holder: member ?? last?.holder ?? '',
      transitions: (last?.transitions ?? 0) + 1,
      revision: (last?.revision ?? 0) + 1,
      voters: everybody,
      members: member === null ? everybody : [],
      handover: '',
      draining: last?.draining ?? false,
      replaces: last?.replaces ?? '',
      restored: true,
    };
    turn.call({ kind: 'create', name, draft }, this);
  }

  #raise(turn: Turn, record: LeaseRecord, revision: number): void {
    if (turn.isCalling(record.name)) return;
    this.#claims.delete(record.name);
    const voters = [...new Set([...record.voters, ...this.#directory.live(turn.nowMs)])];
    const draft: LeaseDraft = { ...draftOf(record), revision, voters, restored: true };
    turn.call({ kind: 'update', name: record.name, expected: record, draft }, this);
  }

  #isOutdated(claiming: Claiming): boolean {
    const current = this.#directory.sighting(claiming.record.name)?.record;
    return current?.resourceVersion !== claiming.record.resourceVersion;
  }

  #forget(name: LeaseName): void {
    this.#claims.delete(name);
    this.#notBeforeMs.delete(name);
    this.#swaps.delete(name);
  }

  /** The first in rank acts first, so that others need not. */
  #rankDelayMs(name: LeaseName, nowMs: number): number {
    const candidates = new Set(this.#directory.candidates(nowMs));
    candidates.add(this.#self);
    return ranked(name, candidates).indexOf(this.#self) * this.#settings.rankStepMs;
  }
}

/** The holder and the next in rank among those that are there. */
export function electorate(
  name: LeaseName,
  holder: Incarnation,
  live: readonly Incarnation[],
  maxVoters: number,
): Incarnation[] {
  const others = ranked(name, new Set(live)).filter((member) => member !== holder);
  const voters = [holder, ...others.slice(0, maxVoters - 1)];
  assert(holdQuorum(voters.length) + claimQuorum(voters.length) > voters.length);
  return voters;
}
