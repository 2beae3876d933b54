import assert from 'node:assert/strict';
import type { ConnectionId, Demand } from '../counter.ts';
import { IdHeap } from './id-heap.ts';
import { type Incarnation, isNewer, sameToken, type Token } from './lease.ts';
import type { Announce, Decided, Report, ReportedSlot, Settled, SlotId, ToOwner } from './messages.ts';
import type { Settings } from './settings.ts';
import type { Turn } from './turn.ts';

interface Pending {
  readonly demands: readonly Demand[];
  readonly firm: boolean;
  nextSendMs: number;
}

interface Held {
  readonly connection: ConnectionId;
  readonly keys: readonly string[];
  firm: boolean;
}

/** Unacknowledged changes: slot to when it is sent again. */
type Outbox = Map<SlotId, number>;

/**
 * What one member holds in one shard, and its side of the talk with the owner: what has no answer is sent again, to
 * whoever owns the shard by then. A grant counts only from the owner with the highest token that was heard of.
 */
export class ShardSlots {
  readonly shard: number;
  readonly #settings: Settings;
  #owner: Incarnation | null = null;
  #token: Token | null = null;
  /** The owner has answered: it knows this member. */
  #isKnown = false;
  #nextHelloMs = 0;
  #sequence = 0;
  #nextId: SlotId = 1;
  /** In ascending order. */
  readonly #pending = new Map<SlotId, Pending>();
  readonly #held = new Map<SlotId, Held>();
  readonly #releasing: Outbox = new Map();
  /** What is being released, and some that was. */
  readonly #leastReleasing = new IdHeap();
  readonly #confirming: Outbox = new Map();

  constructor(shard: number, settings: Settings) {
    this.shard = shard;
    this.#settings = settings;
  }

  get heldCount(): number {
    return this.#held.size;
  }

  /** Whether the shard's owner has answered this member. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  get unsettledCount(): number {
    return this.#pending.size + this.#releasing.size;
  }

  /** Somebody owns the shard under this token. Returns false when that is outdated. */
  learn(turn: Turn, owner: Incarnation, token: Token): boolean {
    if (sameToken(token, this.#token)) return true;
    if (!isNewer(token, this.#token)) return false;
    this.#owner = owner;
    this.#token = token;
    this.#isKnown = false;
    this.#nextHelloMs = 0;
    for (const pending of this.#pending.values()) pending.nextSendMs = 0;
    for (const outbox of [this.#releasing, this.#confirming])
      for (const id of outbox.keys()) outbox.set(id, 0);
    this.tick(turn);
    return true;
  }

  onAnnounce(turn: Turn, from: Incarnation, announce: Announce): void {
    if (!this.learn(turn, announce.owner, announce.token)) {
      turn.send(from, { type: 'outdated', shard: this.shard, token: this.#token! });
    } else if (announce.report) {
      turn.send(from, this.#report());
    }
  }

  reserve(turn: Turn, demands: readonly Demand[], firm: boolean): SlotId {
    const id = this.#nextId++;
    const pending: Pending = { demands, firm, nextSendMs: 0 };
    this.#pending.set(id, pending);
    if (this.#owner !== null) this.#ask(turn, this.#owner, id, pending);
    return id;
  }

  /** Whether the decision settles a pending reservation; then it is pending no more. */
  accepts(nowMs: number, decided: Decided): boolean {
    if (!this.#pending.has(decided.id) || !this.isFromOwner(decided.token)) return false;
    if (!this.isInTime(nowMs, decided.sentMs, decided.validMs)) return false;
    this.#pending.delete(decided.id);
    return true;
  }

  /** Fencing: who has seen a newer owner takes no grant of an older one. */
  isFromOwner(token: Token): boolean {
    return sameToken(token, this.#token);
  }

  /** The owner's tenure may be over, counted from before it was asked. */
  isInTime(nowMs: number, sentMs: number, validMs: number): boolean {
    return nowMs < sentMs + validMs / this.#settings.maxClockRatio;
  }

  hold(id: SlotId, connection: ConnectionId, demands: readonly Demand[], firm: boolean): void {
    assert(!this.#held.has(id) && !this.#pending.has(id));
    this.#held.set(id, { connection, keys: [...new Set(demands.map(({ key }) => key))], firm });
  }

  confirm(turn: Turn, id: SlotId): void {
    const held = this.#held.get(id);
    assert(held !== undefined);
    if (held.firm) return;
    held.firm = true;
    this.#tell(turn, this.#confirming, id);
  }

  /** Held or pending: whatever the owner has counted for it, it shall count no more. */
  release(turn: Turn, id: SlotId): void {
    this.#held.delete(id);
    this.#pending.delete(id);
    this.#confirming.delete(id);
    this.#leastReleasing.add(id);
    this.#tell(turn, this.#releasing, id);
  }

  onSettled(settled: Settled): void {
    if (!this.isFromOwner(settled.token)) return;
    this.#isKnown = true;
    for (const id of settled.released) this.#releasing.delete(id);
    for (const id of settled.confirmed) this.#confirming.delete(id);
  }

  tick(turn: Turn): void {
    this.#sendPending(turn);
    this.#sendOutbox(turn);
  }

  #sendPending(turn: Turn): void {
    if (this.#owner === null || this.#pending.size === 0) return;
    for (const [id, pending] of this.#pending)
      if (turn.nowMs >= pending.nextSendMs) this.#ask(turn, this.#owner, id, pending);
  }

  #ask(turn: Turn, owner: Incarnation, id: SlotId, pending: Pending): void {
    pending.nextSendMs = turn.nowMs + this.#settings.retryMs;
    const { demands, firm } = pending;
    turn.send(owner, { type: 'reserve', ...this.#head(), id, demands, firm, sentMs: turn.nowMs });
  }

  /** Says one thing at once, without a look at all that may have to be said again. */
  #tell(turn: Turn, outbox: Outbox, id: SlotId): void {
    outbox.set(id, this.#owner === null ? 0 : turn.nowMs + this.#settings.retryMs);
    if (this.#owner === null) return;
    const confirmed = outbox === this.#confirming ? [id] : [];
    const released = outbox === this.#releasing ? [id] : [];
    turn.send(this.#owner, { type: 'settle', ...this.#head(), confirmed, released });
  }

  #sendOutbox(turn: Turn): void {
    if (this.#owner === null) return;
    const released = due(this.#releasing, turn.nowMs, this.#settings.retryMs);
    const confirmed = due(this.#confirming, turn.nowMs, this.#settings.retryMs);
    const hello = !this.#isKnown && turn.nowMs >= this.#nextHelloMs;
    if (released.length === 0 && confirmed.length === 0 && !hello) return;
    this.#nextHelloMs = turn.nowMs + 2 * this.#settings.retryMs;
    turn.send(this.#owner, { type: 'settle', ...this.#head(), confirmed, released });
  }

  #report(): Report {
    const slots: ReportedSlot[] = [];
    for (const [id, { keys, firm }] of this.#held) slots.push({ id, keys, firm });
    return { type: 'report', ...this.#head(), slots, unsettled: this.unsettled(), nextId: this.#nextId };
  }

  /** The owner may or may not have counted these: it keeps them as they are. */
  unsettled(): SlotId[] {
    return [...this.#pending.keys(), ...this.#releasing.keys()];
  }

  #head(): ToOwner {
    assert(this.#token !== null);
    const heap = this.#leastReleasing;
    while (Number.isFinite(heap.least) && !this.#releasing.has(heap.least)) heap.removeLeast();
    const leastPending = this.#pending.keys().next().value ?? this.#nextId;
    const floor = Math.min(leastPending, heap.least, this.#nextId) - 1;
    return { shard: this.shard, token: this.#token, sequence: ++this.#sequence, floor };
  }
}

function due(outbox: Outbox, nowMs: number, retryMs: number): SlotId[] {
  const ids: SlotId[] = [];
  for (const [id, atMs] of outbox) {
    if (nowMs < atMs) continue;
    outbox.set(id, nowMs + retryMs);
    ids.push(id);
  }
  return ids;
}
