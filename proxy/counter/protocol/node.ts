import assert from 'node:assert/strict';
import { Directory } from './directory.ts';
import type { LeaseKeeper } from './keeper.ts';
import {
  type Incarnation,
  type LeaseName,
  type LeaseRecord,
  memberLease,
  shardLease,
  shardOfLease,
  tokenOf,
} from './lease.ts';
import { Member } from './member.ts';
import type { Beat, Handover, Message } from './messages.ts';
import { ShardOwner } from './owner.ts';
import { ranked } from './placement.ts';
import { checkSettings, promiseMs, type Settings } from './settings.ts';
import { Takeover, type TakeoverOwner } from './takeover.ts';
import { Calls, type Effect, type Event, Turn } from './turn.ts';
import { Voter } from './voter.ts';

/** A set that was handed to this member, in case the Lease follows. */
interface Prepared {
  readonly handover: Handover;
  /** When it was first acknowledged: the Lease was not written before. */
  readonly takenMs: number;
}

/**
 * One member of the counter: all of its roles behind one door. An event and the local monotonic time go in, effects
 * come out; nothing else happens here.
 */
export class CounterNode implements TakeoverOwner {
  readonly self: Incarnation;
  readonly member: Member;
  readonly #settings: Settings;
  readonly #calls = new Calls();
  readonly #directory: Directory;
  readonly #voter: Voter;
  readonly #takeover: Takeover;
  readonly #owners = new Map<number, ShardOwner>();
  readonly #prepared = new Map<number, Prepared>();
  #nextTickMs = Number.NEGATIVE_INFINITY;
  #nextBeatMs = Number.NEGATIVE_INFINITY;
  #nextMoveMs = Number.NEGATIVE_INFINITY;
  #nextTidyMs = Number.NEGATIVE_INFINITY;
  #handovers = 0;
  #isStopping = false;
  #finished: 'ended' | 'stopped' | null = null;

  /**
   * @param self never used by any process before
   * @param replaces the incarnation before in the same place, which is certainly gone; empty when there is none
   */
  constructor(self: Incarnation, settings: Settings, replaces: Incarnation = '') {
    checkSettings(settings);
    assert(self !== '' && !self.includes('/'));
    this.self = self;
    this.#settings = settings;
    this.#directory = new Directory(settings);
    this.#voter = new Voter(promiseMs(settings), settings.markerMs);
    this.member = new Member(self, settings, this.#directory, replaces);
    this.#takeover = new Takeover(self, settings, this.#directory, this);
  }

  get isFinished(): boolean {
    return this.#finished !== null;
  }

  owner(shard: number): ShardOwner | undefined {
    return this.#owners.get(shard);
  }

  /** When a `wake` is due at the latest. */
  wakeAtMs(): number {
    if (this.#finished !== null) return Number.POSITIVE_INFINITY;
    if (this.member.connectionCount === 0) return this.#nextTickMs;
    return Math.min(this.#nextTickMs, this.member.closeByMs());
  }

  handle(event: Event, nowMs: number): readonly Effect[] {
    const turn = new Turn(nowMs, this.#calls);
    if (this.#finished !== null) return turn.effects;
    this.member.closeOverdue(turn);
    this.#dispatch(turn, event);
    this.#dropLost(turn);
    if (nowMs >= this.#nextTickMs && this.#finished === null) {
      this.#nextTickMs = nowMs + this.#settings.retryMs / 2;
      this.#tick(turn);
      this.#dropLost(turn);
    }
    return this.#deliverToSelf(turn);
  }

  mayTakeShards(nowMs: number): boolean {
    return !this.#isStopping && this.member.keeper.isValid(nowMs);
  }

  keeps(name: LeaseName): boolean {
    if (name === this.member.keeper.name) return true;
    return this.#owners.has(shardOfLease(name));
  }

  keepsPromise(name: LeaseName, nowMs: number): boolean {
    return this.#voter.keepsPromise(name, nowMs);
  }

  onTaken(turn: Turn, record: LeaseRecord, sentMs: number): void {
    const shard = shardOfLease(record.name);
    const { self } = this;
    this.#own(turn, ShardOwner.takeOver(turn, shard, self, this.#settings, this.#directory, record, sentMs));
  }

  onHandedOver(turn: Turn, record: LeaseRecord): void {
    const shard = shardOfLease(record.name);
    const prepared = this.#prepared.get(shard);
    this.#prepared.delete(shard);
    if (prepared === undefined || prepared.handover.id !== record.handover) {
      this.onTaken(turn, record, Number.NEGATIVE_INFINITY);
      return;
    }
    const { handover, takenMs } = prepared;
    const { self } = this;
    this.#own(
      turn,
      ShardOwner.succeed(turn, shard, self, this.#settings, this.#directory, record, takenMs, handover),
    );
  }

  #own(turn: Turn, owner: ShardOwner): void {
    this.#owners.set(owner.shard, owner);
    // It may have agreed to a claim of this very Lease before it knew that it was the holder.
    owner.keeper.concede(this.#voter.agreedUpTo(owner.keeper.name));
    this.#nextBeatMs = turn.nowMs;
  }

  #dispatch(turn: Turn, event: Event): void {
    switch (event.type) {
      case 'wake':
        return;
      case 'message':
        this.#onMessage(turn, event.from, event.message);
        return;
      case 'lease-seen':
        this.#onSeen(turn, event.record);
        return;
      case 'lease-gone':
        this.#directory.seeGone(event.name, turn.nowMs);
        this.#keeperOf(event.name)?.lookAgain(turn);
        return;
      case 'leases-listed':
        this.#directory.onListed(turn.nowMs);
        return;
      case 'call-result': {
        const open = this.#calls.close(event.callId);
        open?.caller.onCallResult(turn, open.call, event.result);
        return;
      }
      case 'died':
        assert(event.incarnation !== this.self);
        this.#directory.seeDied(event.incarnation, turn.nowMs);
        return;
      case 'acquire':
        this.member.acquire(turn, event.connection, event.demands);
        return;
      case 'release':
        this.member.release(turn, event.connection);
        return;
      case 'stop':
        this.#isStopping = true;
        this.member.stop();
        this.#nextMoveMs = turn.nowMs;
    }
  }

  #onMessage(turn: Turn, from: Incarnation, message: Message): void {
    switch (message.type) {
      case 'beat':
        this.#onBeat(turn, from, message);
        return;
      case 'promised':
        for (const name of message.names) this.#keeperOf(name)?.onPromise(from, message.sentMs);
        return;
      case 'claim':
        turn.send(from, this.#onClaim(turn, message.name, message.revision));
        return;
      case 'claimed':
        this.#takeover.onClaimed(turn, from, message.name, message.revision, message.agreed);
        return;
      case 'announce':
        if (message.owner === this.self) this.#takeover.look(turn, shardLease(message.shard));
        this.member.onAnnounce(turn, from, message);
        return;
      case 'decided':
        this.member.onDecided(turn, message);
        return;
      case 'settled':
        this.member.onSettled(message);
        return;
      case 'report':
        this.#owners.get(message.shard)?.onReport(turn, from, message);
        return;
      case 'reserve':
        this.#owners.get(message.shard)?.onReserve(turn, from, message);
        return;
      case 'settle':
        this.#owners.get(message.shard)?.onSettle(turn, from, message);
        return;
      case 'outdated':
        this.#owners.get(message.shard)?.onOutdated(turn, message.token);
        return;
      case 'handover':
        this.#onHandover(turn, from, message);
        return;
      case 'handover-taken':
        this.#owners.get(message.shard)?.onHandoverTaken(turn, from, message);
    }
  }

  #onBeat(turn: Turn, from: Incarnation, { sentMs, leases }: Beat): void {
    const names: LeaseName[] = [];
    for (const { name, token, revision } of leases) {
      if (this.#voter.onBeat(name, token, revision, turn.nowMs)) names.push(name);
    }
    turn.send(from, { type: 'promised', sentMs, names });
  }

  #onClaim(turn: Turn, name: LeaseName, revision: number): Message {
    const keeper = this.#keeperOf(name);
    // A holder whose tenure lasts agrees to nothing against itself.
    if (keeper?.isValid(turn.nowMs)) return { type: 'claimed', name, revision: -1, agreed: false };
    const answer = this.#voter.onClaim(name, revision, turn.nowMs);
    if (answer.agreed) keeper?.concede(revision);
    return answer;
  }

  #onHandover(turn: Turn, from: Incarnation, handover: Handover): void {
    const { shard, id } = handover;
    if (this.#owners.has(shard)) return;
    const taken = this.mayTakeShards(turn.nowMs);
    const known = this.#prepared.get(shard);
    if (taken && known?.handover.id !== id) this.#prepared.set(shard, { handover, takenMs: turn.nowMs });
    turn.send(from, { type: 'handover-taken', shard, id, taken });
  }

  #onSeen(turn: Turn, record: LeaseRecord): void {
    if (!this.#directory.see(record, turn.nowMs)) return;
    const shard = shardOfLease(record.name);
    if (shard >= 0 && record.phase === 'held' && record.holder !== '') {
      this.member.shard(shard).learn(turn, record.holder, tokenOf(record));
    }
    const keeper = this.#keeperOf(record.name);
    if (keeper?.record == null || record.revision < keeper.record.revision) return;
    if (record.holder !== this.self || record.phase !== 'held' || record.uid !== keeper.record.uid) {
      keeper.lookAgain(turn);
    }
  }

  #tick(turn: Turn): void {
    this.member.tick(turn);
    for (const owner of this.#owners.values()) owner.tick(turn);
    this.#takeover.tick(turn);
    if (turn.nowMs >= this.#nextBeatMs) this.#beat(turn);
    if (turn.nowMs >= this.#nextMoveMs) this.#move(turn);
    if (turn.nowMs >= this.#nextTidyMs) {
      this.#nextTidyMs = turn.nowMs + this.#settings.markerMs / 4;
      this.#voter.forgetOld(turn.nowMs);
      this.#directory.forgetOld(turn.nowMs);
    }
    if (this.#isStopping) this.#stop(turn);
  }

  /** One message to each voter, for all Leases that it votes on. */
  #beat(turn: Turn): void {
    this.#nextBeatMs = turn.nowMs + this.#settings.renewIntervalMs;
    const byVoter = new Map<Incarnation, Beat['leases'][number][]>();
    for (const keeper of this.#keepers()) {
      const { record, name } = keeper;
      if (record === null) continue;
      for (const voter of keeper.voters()) {
        if (voter === this.self) continue;
        const leases = byVoter.get(voter) ?? [];
        leases.push({ name, token: tokenOf(record), revision: record.revision });
        byVoter.set(voter, leases);
      }
    }
    for (const [voter, leases] of byVoter) turn.send(voter, { type: 'beat', sentMs: turn.nowMs, leases });
  }

  /** Hands a shard to the member that it belongs to, one at a time. */
  #move(turn: Turn): void {
    this.#nextMoveMs = turn.nowMs + this.#settings.retryMs * 2;
    for (const owner of this.#owners.values()) if (owner.phase === 'sealed') return;
    for (const [shard, owner] of this.#owners) {
      if (!owner.mayMove(turn.nowMs, this.#isStopping)) continue;
      const successor = this.#successor(shard, turn.nowMs);
      if (successor === undefined) continue;
      owner.seal(turn, successor, `${this.self}.${++this.#handovers}`);
      return;
    }
  }

  #successor(shard: number, nowMs: number): Incarnation | undefined {
    const candidates = this.#directory.candidates(nowMs).filter((member) => {
      if (member === this.self) return !this.#isStopping;
      return this.#isStopping || this.#directory.ageMs(member, nowMs) >= this.#settings.settleMs;
    });
    const first = ranked(shardLease(shard), candidates)[0];
    return first === this.self ? undefined : first;
  }

  #stop(turn: Turn): void {
    if (!this.member.isSettled && this.member.keeper.isValid(turn.nowMs)) return;
    if (!this.member.isIdle) return;
    if (this.#owners.size > 0) {
      // Nobody is there to take them: they are free to take.
      if (this.#directory.candidates(turn.nowMs).some((member) => member !== this.self)) return;
      for (const owner of this.#owners.values()) owner.keeper.release();
    } else {
      this.member.keeper.release();
    }
  }

  #dropLost(turn: Turn): void {
    for (const [shard, owner] of this.#owners) {
      if (!owner.keeper.isLost) continue;
      this.#owners.delete(shard);
      // The next one need not wait.
      if (this.#isStopping) this.#nextMoveMs = turn.nowMs;
    }
    if (!this.member.keeper.isLost || this.#finished !== null) return;
    this.member.closeAll(turn);
    this.#finished = this.#isStopping ? 'stopped' : 'ended';
    turn.finish(this.#finished);
  }

  *#keepers(): Iterable<LeaseKeeper> {
    yield this.member.keeper;
    for (const owner of this.#owners.values()) yield owner.keeper;
  }

  #keeperOf(name: LeaseName): LeaseKeeper | undefined {
    if (name === memberLease(this.self)) return this.member.keeper;
    return this.#owners.get(shardOfLease(name))?.keeper;
  }

  /** An owner is a member like any other: what it tells itself takes the same way. */
  #deliverToSelf(turn: Turn): readonly Effect[] {
    const outward: Effect[] = [];
    for (let at = 0; at < turn.effects.length; at++) {
      const effect = turn.effects[at]!;
      if (effect.type !== 'send' || effect.to !== this.self) outward.push(effect);
      else if (this.#finished === null) this.#onMessage(turn, this.self, effect.message);
    }
    return outward;
  }
}
