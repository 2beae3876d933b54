import assert from 'node:assert/strict';
import type { Directory } from './directory.ts';
import { Holdings } from './holdings.ts';
import { LeaseKeeper, type Tenant, type Wanted } from './keeper.ts';
import { type Incarnation, isNewer, type LeaseRecord, sameToken, shardLease, type Token } from './lease.ts';
import type { Handover, HandoverTaken, Report, Reserve, Settle, ToOwner } from './messages.ts';
import type { Settings } from './settings.ts';
import { electorate } from './takeover.ts';
import type { Turn } from './turn.ts';

/**
 * - `collecting`: learning what members hold; decides nothing.
 * - `active`: decides, while the tenure lasts.
 * - `sealed`: the count is on its way to a successor; decides nothing.
 */
export type OwnerPhase = 'collecting' | 'active' | 'sealed';

interface Sealing {
  readonly successor: Incarnation;
  readonly handover: Handover;
  readonly sinceMs: number;
  nextSendMs: number;
  taken: boolean;
}

/** The owner of one shard, from getting hold of its Lease to losing it. */
export class ShardOwner implements Tenant {
  readonly shard: number;
  readonly keeper: LeaseKeeper;
  readonly #self: Incarnation;
  readonly #settings: Settings;
  readonly #directory: Directory;
  readonly #sinceMs: number;
  #phase: OwnerPhase = 'collecting';
  #holdings = new Holdings();
  /** Members that have not reported yet, and when to ask again. */
  readonly #awaited = new Map<Incarnation, number>();
  /** Recorded with the Lease: they may hold slots. */
  #members: ReadonlySet<Incarnation> = new Set();
  /** To be recorded with the next write. */
  readonly #joining = new Set<Incarnation>();
  readonly #nextAuditMs = new Map<Incarnation, number>();
  #sealing: Sealing | null = null;

  private constructor(
    shard: number,
    self: Incarnation,
    settings: Settings,
    directory: Directory,
    record: LeaseRecord,
    renewedMs: number,
    nowMs: number,
  ) {
    this.shard = shard;
    this.#self = self;
    this.#settings = settings;
    this.#directory = directory;
    this.#sinceMs = nowMs;
    this.keeper = new LeaseKeeper(shardLease(shard), self, settings, this);
    this.keeper.adopt(record, renewedMs);
    this.#members = new Set(record.members);
  }

  /** Starts from what the members report. */
  static takeOver(
    turn: Turn,
    shard: number,
    self: Incarnation,
    settings: Settings,
    directory: Directory,
    record: LeaseRecord,
    renewedMs: number,
  ): ShardOwner {
    const owner = new ShardOwner(shard, self, settings, directory, record, renewedMs, turn.nowMs);
    owner.#collect(turn);
    return owner;
  }

  /** Starts from what the owner before has handed over with exactly this change of hands. */
  static succeed(
    turn: Turn,
    shard: number,
    self: Incarnation,
    settings: Settings,
    directory: Directory,
    record: LeaseRecord,
    renewedMs: number,
    handover: Handover,
  ): ShardOwner {
    assert(record.handover === handover.id);
    const owner = new ShardOwner(shard, self, settings, directory, record, renewedMs, turn.nowMs);
    owner.#holdings = Holdings.import(handover.holdings);
    owner.#activate(turn);
    return owner;
  }

  get phase(): OwnerPhase {
    return this.#phase;
  }

  get holdings(): Holdings {
    return this.#holdings;
  }

  canDecide(nowMs: number): boolean {
    return this.#phase === 'active' && this.keeper.isValid(nowMs);
  }

  /** Active, settled and in touch with the Lease API: a move would go through quickly. */
  mayMove(nowMs: number, atOnce: boolean): boolean {
    if (!this.canDecide(nowMs) || !this.keeper.isAttached(nowMs)) return false;
    return atOnce || nowMs - this.#sinceMs >= this.#settings.settleMs;
  }

  tick(turn: Turn): void {
    this.keeper.tick(turn);
    if (this.keeper.isLost) return;
    this.#dropOver(turn);
    if (this.#phase === 'collecting') this.#ask(turn);
    else if (this.#phase === 'active') this.#audit(turn);
    else this.#sendHandover(turn);
  }

  wanted(nowMs: number): Wanted {
    const members = new Set([...this.#members, ...this.#joining]);
    for (const member of members) if (this.#directory.isOver(member)) members.delete(member);
    const { name } = this.keeper;
    const voters = electorate(name, this.#self, this.#directory.live(nowMs), this.#settings.maxVoters);
    return { members: [...members], voters, draining: false, replaces: '' };
  }

  onHeld(turn: Turn, before: LeaseRecord | null): void {
    const { record, token } = this.keeper;
    assert(record !== null && before !== null);
    this.#members = new Set(record.members);
    for (const member of this.#joining) if (this.#members.has(member)) this.#joining.delete(member);
    if (this.#joining.size > 0) this.keeper.hurry();
    if (before.uid === token.uid && before.transitions === token.transitions) return;
    if (this.#phase === 'collecting') this.#collect(turn);
    else this.#announce(turn);
  }

  onLost(turn: Turn): void {
    const { record } = this.keeper;
    // The successor sees the Lease in its watch as well; this is quicker.
    if (this.#sealing?.taken && record?.holder === this.#sealing.successor) {
      const token = { uid: record.uid, transitions: record.transitions };
      const owner = this.#sealing.successor;
      turn.send(owner, { type: 'announce', shard: this.shard, owner, token, report: false });
    }
  }

  onReport(turn: Turn, from: Incarnation, report: Report): void {
    if (!this.#hears(turn, from, report)) return;
    if (this.#holdings.applyReport(from, report) < 0) return;
    this.#nextAuditMs.set(from, turn.nowMs + this.#settings.auditIntervalMs);
    if (this.#awaited.delete(from)) this.#activateIfComplete(turn);
  }

  onReserve(turn: Turn, from: Incarnation, reserve: Reserve): void {
    if (!this.#hears(turn, from, reserve) || !this.canDecide(turn.nowMs)) return;
    const { shard, id, demands, firm, sentMs } = reserve;
    this.#holdings.note(from, reserve.sequence, reserve.floor);
    const decision = this.#holdings.reserve(from, id, demands, firm);
    const validMs = this.keeper.validUntilMs() - turn.nowMs;
    turn.send(from, { type: 'decided', shard, token: this.keeper.token, id, ...decision, sentMs, validMs });
  }

  onSettle(turn: Turn, from: Incarnation, settle: Settle): void {
    if (!this.#hears(turn, from, settle)) return;
    const { shard, confirmed, released } = settle;
    this.#holdings.note(from, settle.sequence, settle.floor);
    for (const id of confirmed) this.#holdings.confirm(from, id);
    for (const id of released) this.#holdings.release(from, id);
    turn.send(from, { type: 'settled', shard, token: this.keeper.token, confirmed, released });
  }

  /** A member knows a higher token than this owner has: catch up, or find out that the Lease is gone. */
  onOutdated(turn: Turn, token: Token): void {
    if (sameToken(token, this.keeper.token) || isNewer(this.keeper.token, token)) return;
    this.keeper.raiseTransitions(token.transitions + 1);
    this.keeper.tick(turn);
  }

  /** Decides nothing from here on, unless the successor does not take the count. */
  seal(turn: Turn, successor: Incarnation, id: string): void {
    assert(this.canDecide(turn.nowMs) && successor !== this.#self);
    this.#phase = 'sealed';
    const handover: Handover = { type: 'handover', shard: this.shard, id, holdings: this.#holdings.export() };
    this.#sealing = { successor, handover, sinceMs: turn.nowMs, nextSendMs: turn.nowMs, taken: false };
    this.#sendHandover(turn);
  }

  onHandoverTaken(turn: Turn, from: Incarnation, taken: HandoverTaken): void {
    const sealing = this.#sealing;
    if (sealing === null || sealing.taken || sealing.successor !== from || sealing.handover.id !== taken.id)
      return;
    if (!taken.taken) this.#unseal(turn);
    if (!taken.taken || !this.keeper.isAttached(turn.nowMs)) return;
    sealing.taken = true;
    this.keeper.handOver(from, taken.id);
    this.keeper.tick(turn);
  }

  /** Is the message meant for this owner, as it is now, by a member that may hold slots? */
  #hears(turn: Turn, from: Incarnation, message: ToOwner): boolean {
    if (this.isSealed() || this.#directory.isOver(from)) return false;
    const { token } = this.keeper;
    if (!sameToken(message.token, token)) {
      if (isNewer(message.token, token)) this.onOutdated(turn, message.token);
      else this.#tell(turn, from);
      return false;
    }
    if (this.isRecorded(from)) return true;
    if (!this.#joining.has(from)) {
      this.#joining.add(from);
      this.#directory.expectMember(from, turn.nowMs);
      this.keeper.hurry();
      this.keeper.tick(turn);
    }
    return false;
  }

  /** What is decided or given back after the count was handed over would be lost. */
  isSealed(): boolean {
    return this.#phase === 'sealed';
  }

  /** A successor that knows no more than the Lease must learn of everybody who may hold a slot. */
  isRecorded(member: Incarnation): boolean {
    return this.#members.has(member);
  }

  #collect(turn: Turn): void {
    this.#phase = 'collecting';
    this.#holdings = new Holdings();
    this.#awaited.clear();
    for (const member of this.#members) this.#awaited.set(member, turn.nowMs);
    this.#dropOver(turn);
    this.#ask(turn);
  }

  #ask(turn: Turn): void {
    for (const [member, atMs] of this.#awaited) {
      if (turn.nowMs < atMs) continue;
      this.#awaited.set(member, turn.nowMs + this.#settings.retryMs);
      this.#tell(turn, member);
    }
    this.#activateIfComplete(turn);
  }

  #activateIfComplete(turn: Turn): void {
    if (this.#phase === 'collecting' && this.isComplete(this.#awaited)) this.#activate(turn);
  }

  /** Everybody who may hold a slot has said what it holds, or is over. */
  isComplete(awaited: ReadonlyMap<Incarnation, number>): boolean {
    return awaited.size === 0;
  }

  #activate(turn: Turn): void {
    this.#phase = 'active';
    for (const member of this.#members) this.#nextAuditMs.set(member, this.#auditAtMs(member, turn.nowMs));
    this.#announce(turn);
  }

  /** Audits are spread, so that not all members report at once. */
  #auditAtMs(member: Incarnation, nowMs: number): number {
    const { auditIntervalMs } = this.#settings;
    return nowMs + auditIntervalMs / 2 + ((member.length * 7919) % 100) * (auditIntervalMs / 200);
  }

  #audit(turn: Turn): void {
    for (const member of this.#members) {
      if (turn.nowMs < (this.#nextAuditMs.get(member) ?? 0)) continue;
      this.#nextAuditMs.set(member, turn.nowMs + 2 * this.#settings.retryMs);
      this.#tell(turn, member, true);
    }
  }

  #announce(turn: Turn): void {
    for (const member of this.#members) this.#tell(turn, member);
  }

  #tell(turn: Turn, member: Incarnation, report = this.#awaited.has(member)): void {
    const { shard } = this;
    turn.send(member, { type: 'announce', shard, owner: this.#self, token: this.keeper.token, report });
  }

  #sendHandover(turn: Turn): void {
    const sealing = this.#sealing;
    if (sealing === null || sealing.taken) return;
    // Nobody whose attempt meets a sealed owner is to time out for it.
    const isTooLong = turn.nowMs - sealing.sinceMs > this.#settings.attemptTimeoutMs / 3;
    if (isTooLong || this.#directory.isOver(sealing.successor)) {
      this.#unseal(turn);
    } else if (turn.nowMs >= sealing.nextSendMs) {
      sealing.nextSendMs = turn.nowMs + this.#settings.retryMs / 2;
      turn.send(sealing.successor, sealing.handover);
    }
  }

  #unseal(turn: Turn): void {
    this.#sealing = null;
    this.#phase = 'active';
    this.#announce(turn);
  }

  /** Those who are over hold nothing any more. */
  #dropOver(turn: Turn): void {
    if (this.#phase === 'sealed') return;
    const known = [this.#members, this.#holdings.members(), this.#joining, this.#awaited.keys()];
    for (const member of new Set(known.flatMap((members) => [...members]))) {
      if (!this.mayForget(member)) {
        this.#directory.expectMember(member, turn.nowMs);
        continue;
      }
      this.#holdings.drop(member);
      this.#joining.delete(member);
      this.#awaited.delete(member);
    }
  }

  mayForget(member: Incarnation): boolean {
    return this.#directory.isOver(member);
  }
}
