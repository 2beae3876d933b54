import assert from 'node:assert/strict';
import type { Acquisition, ConnectionId, Demand } from '../counter.ts';
import { Attempt, type Part, type Step } from './acquisition.ts';
import type { Directory } from './directory.ts';
import { LeaseKeeper, type Tenant, type Wanted } from './keeper.ts';
import { type Incarnation, type LeaseRecord, memberLease } from './lease.ts';
import type { Announce, Decided, Settled, SlotId } from './messages.ts';
import { hash } from './placement.ts';
import type { Settings } from './settings.ts';
import { ShardSlots } from './slots.ts';
import { electorate } from './takeover.ts';
import type { Turn } from './turn.ts';

interface HeldSlot {
  readonly shard: number;
  readonly id: SlotId;
}

/**
 * The side that has connections. It counts nothing: it holds slots that owners have granted, for as long as its
 * session lasts. What it may not hold any longer it closes, in time.
 */
export class Member implements Tenant {
  readonly keeper: LeaseKeeper;
  readonly #self: Incarnation;
  readonly #settings: Settings;
  readonly #directory: Directory;
  readonly #replaces: Incarnation;
  readonly #shards: readonly ShardSlots[];
  readonly #attempts = new Map<ConnectionId, Attempt>();
  /** `shard id` of what is pending. */
  readonly #partBySlot = new Map<string, [Attempt, Part]>();
  readonly #connections = new Map<ConnectionId, readonly HeldSlot[]>();
  #isStopping = false;

  constructor(self: Incarnation, settings: Settings, directory: Directory, replaces: Incarnation) {
    this.#replaces = replaces;
    this.#self = self;
    this.#settings = settings;
    this.#directory = directory;
    this.keeper = new LeaseKeeper(memberLease(self), self, settings, this);
    this.#shards = Array.from({ length: settings.shards }, (_, shard) => new ShardSlots(shard, settings));
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get isIdle(): boolean {
    return this.#connections.size === 0 && this.#attempts.size === 0;
  }

  /** Nothing that an owner has to be told. */
  get isSettled(): boolean {
    return this.isIdle && this.#shards.every((slots) => slots.unsettledCount === 0);
  }

  shard(shard: number): ShardSlots {
    const slots = this.#shards[shard];
    assert(slots !== undefined, 'all members have the same number of shards');
    return slots;
  }

  /** From here on until the end of the session connections are closed one after the other. */
  doubtMs(): number {
    return this.keeper.validUntilMs() - this.#settings.closeWindowMs;
  }

  /** By then everything must be closed: others may forget it. */
  closeByMs(): number {
    return this.keeper.validUntilMs();
  }

  /** Before anything else in every turn: a process that was paused learns here that its time is over. */
  closeOverdue(turn: Turn): void {
    if (this.#connections.size === 0 || !this.isInDoubt(turn.nowMs)) return;
    const overdue: ConnectionId[] = [];
    const { closeWindowMs } = this.#settings;
    const doubtMs = this.doubtMs();
    const isOver = turn.nowMs >= this.closeByMs();
    for (const connection of this.#connections.keys()) {
      const share = hash(`${this.#self} ${connection}`) / 2 ** 32;
      if (isOver || turn.nowMs >= doubtMs + share * closeWindowMs) overdue.push(connection);
    }
    this.#close(turn, overdue);
  }

  /** The session is over for good: nothing may stay, and nobody needs to be told. */
  closeAll(turn: Turn): void {
    this.#close(turn, [...this.#connections.keys()]);
    for (const attempt of [...this.#attempts.values()]) this.#finish(turn, attempt, SESSION_OVER);
  }

  tick(turn: Turn): void {
    this.keeper.tick(turn);
    for (const attempt of [...this.#attempts.values()]) {
      if (turn.nowMs >= attempt.deadlineMs) this.#finish(turn, attempt, NO_ANSWER);
      else if (attempt.againMs > 0 && turn.nowMs >= attempt.againMs) this.#ask(turn, attempt);
    }
    for (const slots of this.#shards) slots.tick(turn);
  }

  stop(): void {
    this.#isStopping = true;
    this.keeper.hurry();
  }

  wanted(nowMs: number): Wanted {
    const live = this.#directory.live(nowMs);
    const voters = electorate(this.keeper.name, this.#self, live, this.#settings.maxVoters);
    return { voters, members: [], draining: this.#isStopping, replaces: this.#replaces };
  }

  onHeld(_turn: Turn, _before: LeaseRecord | null): void {}

  onLost(turn: Turn): void {
    this.closeAll(turn);
  }

  acquire(turn: Turn, connection: ConnectionId, demands: readonly Demand[]): void {
    if (this.#attempts.has(connection)) return;
    if (this.#connections.has(connection) || demands.length === 0) {
      turn.answer(connection, { outcome: 'admitted', exceeded: [] });
      return;
    }
    const { maxAttempts, maxDemands, shards, attemptTimeoutMs } = this.#settings;
    const tooMany = this.#attempts.size >= maxAttempts || demands.length > maxDemands;
    if (tooMany || !this.mayAdmit(turn.nowMs)) {
      turn.answer(connection, tooMany ? TOO_MANY : IN_DOUBT);
      return;
    }
    const attempt = new Attempt(connection, demands, shards, turn.nowMs + attemptTimeoutMs);
    this.#attempts.set(connection, attempt);
    for (const part of attempt.parts) this.#reserve(turn, attempt, part);
  }

  release(turn: Turn, connection: ConnectionId): void {
    const attempt = this.#attempts.get(connection);
    if (attempt !== undefined) this.#finish(turn, attempt, RELEASED);
    const held = this.#connections.get(connection);
    if (held === undefined) return;
    this.#connections.delete(connection);
    for (const { shard, id } of held) this.shard(shard).release(turn, id);
  }

  onAnnounce(turn: Turn, from: Incarnation, announce: Announce): void {
    this.shard(announce.shard).onAnnounce(turn, from, announce);
  }

  onSettled(settled: Settled): void {
    this.shard(settled.shard).onSettled(settled);
  }

  onDecided(turn: Turn, decided: Decided): void {
    const slots = this.shard(decided.shard);
    if (!slots.accepts(turn.nowMs, decided)) return;
    const found = this.#findPart(decided);
    assert(found !== undefined, 'a pending slot belongs to an attempt');
    const [attempt, part] = found;
    if (decided.outcome === 'reserved') {
      slots.hold(decided.id, attempt.connection, part.demands, attempt.isLast(part));
    }
    this.#take(turn, attempt, attempt.onDecided(part, decided));
  }

  /** Asked when an acquisition comes in, and again before it is answered. */
  mayAdmit(nowMs: number): boolean {
    return !this.isInDoubt(nowMs);
  }

  /** The session's end is near. */
  isInDoubt(nowMs: number): boolean {
    return !this.keeper.isValid(nowMs + this.#settings.closeWindowMs);
  }

  #take(turn: Turn, attempt: Attempt, step: Step): void {
    if (step === 'admit') {
      if (this.mayAdmit(turn.nowMs)) this.#admit(turn, attempt);
      else this.#finish(turn, attempt, IN_DOUBT);
    } else if (step === 'reject') {
      this.#finish(turn, attempt, attempt.rejected());
    } else if (step === 'in-order') {
      this.#giveBack(turn, attempt);
      attempt.inOrder = true;
      this.#ask(turn, attempt);
    } else if (step === 'again') {
      const waits = attempt.parts.some(({ state }) => state === 'busy');
      if (waits) attempt.againMs = turn.nowMs + this.#settings.retryMs / 4;
      else this.#ask(turn, attempt);
    }
  }

  #ask(turn: Turn, attempt: Attempt): void {
    attempt.againMs = 0;
    const parts = attempt.inOrder
      ? [attempt.nextInOrder()]
      : attempt.parts.filter(({ state }) => state === 'idle');
    for (const part of parts) if (part !== undefined) this.#reserve(turn, attempt, part);
  }

  #reserve(turn: Turn, attempt: Attempt, part: Part): void {
    part.state = 'asked';
    part.id = this.shard(part.shard).reserve(turn, part.demands, attempt.isLast(part));
    this.#partBySlot.set(`${part.shard} ${part.id}`, [attempt, part]);
  }

  #findPart(decided: Decided): [Attempt, Part] | undefined {
    const name = `${decided.shard} ${decided.id}`;
    const found = this.#partBySlot.get(name);
    this.#partBySlot.delete(name);
    return found;
  }

  #admit(turn: Turn, attempt: Attempt): void {
    this.#attempts.delete(attempt.connection);
    const held = attempt.parts.map(({ shard, id }) => ({ shard, id }));
    this.#connections.set(attempt.connection, held);
    for (const { shard, id } of held) this.shard(shard).confirm(turn, id);
    turn.answer(attempt.connection, attempt.admitted());
  }

  /** Ends an attempt without admission: what it holds or may hold is given back. */
  #finish(turn: Turn, attempt: Attempt, acquisition: Acquisition): void {
    this.#attempts.delete(attempt.connection);
    this.#giveBack(turn, attempt);
    turn.answer(attempt.connection, acquisition);
  }

  #giveBack(turn: Turn, attempt: Attempt): void {
    for (const part of attempt.parts) {
      if (part.state === 'reserved' || part.state === 'asked') {
        this.#partBySlot.delete(`${part.shard} ${part.id}`);
        this.shard(part.shard).release(turn, part.id);
      }
      part.state = 'idle';
    }
  }

  #close(turn: Turn, connections: readonly ConnectionId[]): void {
    turn.close(connections);
    for (const connection of connections) this.release(turn, connection);
  }
}

const NO_ANSWER: Acquisition = { outcome: 'unavailable', reason: 'no answer from the owner of the count' };
const IN_DOUBT: Acquisition = { outcome: 'unavailable', reason: 'out of touch with the other members' };
const TOO_MANY: Acquisition = { outcome: 'unavailable', reason: 'too many decisions are pending' };
const RELEASED: Acquisition = { outcome: 'unavailable', reason: 'released before it was decided' };
const SESSION_OVER: Acquisition = { outcome: 'unavailable', reason: 'the session of this member is over' };
