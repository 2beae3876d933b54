import assert from 'node:assert/strict';
import type { Acquisition, ConnectionId, Demand } from './counter.ts';

/** One incarnation of a holder of connections: never reused, so that a successor inherits nothing. */
export type MemberId = number;

export interface Holding {
  readonly key: string;
  /** Connections that hold the key now. */
  readonly count: number;
}

/**
 * The count itself: for every key the set of (member, connection) that hold it. Pure state, no clock, no I/O.
 *
 * A connection takes all of its keys at once and gives them back at once, so the sets are kept the other way round:
 * per connection its keys, per key how many connections name it. That is a few dozen bytes a connection, in typed
 * arrays that the garbage collector does not walk.
 *
 * Connection ids of a member ascend. That tells a resent acquisition from a new one: an id that was already decided
 * and holds nothing is over, and is not decided again, since nobody would release what a second answer grants.
 */
export class LocalCounter {
  readonly #keys = new KeyTable();
  readonly #lists = new SlotLists();
  readonly #members = new Map<MemberId, Member>();
  readonly #slots: number[] = [];
  #connections = 0;

  /** Connections that hold at least one key. */
  get connectionCount(): number {
    return this.#connections;
  }

  /** Keys that at least one connection holds. */
  get keyCount(): number {
    return this.#keys.size;
  }

  addMember(member: MemberId): void {
    assert(!this.#members.has(member), 'a member joins once');
    this.#members.set(member, { held: new Map(), highest: 0, releasedEarly: new Set() });
  }

  /** Gives back all that a member holds; what it still sends afterwards changes nothing. */
  removeMember(memberId: MemberId): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return;
    this.#members.delete(memberId);
    for (const held of member.held.values()) this.#giveBack(held);
    this.#connections -= member.held.size;
  }

  acquire(memberId: MemberId, connection: ConnectionId, demands: readonly Demand[]): Acquisition {
    const member = this.#members.get(memberId);
    if (member === undefined) return MEMBER_UNKNOWN;
    const held = member.held.get(connection);
    if (held !== undefined) return { outcome: 'admitted', exceeded: this.#exceededAlready(demands) };
    if (connection <= member.highest) return CONNECTION_OVER;
    member.highest = connection;
    if (member.releasedEarly.size > 0 && wasReleased(member, connection)) return CONNECTION_OVER;
    return this.#decide(member, connection, demands);
  }

  /** Gives back everything the connection holds. A release that overtakes its acquisition still counts. */
  release(memberId: MemberId, connection: ConnectionId): void {
    const member = this.#members.get(memberId);
    if (member === undefined) return;
    const held = member.held.get(connection);
    if (held === undefined) {
      if (connection > member.highest) member.releasedEarly.add(connection);
      return;
    }
    member.held.delete(connection);
    this.#connections--;
    this.#giveBack(held);
  }

  /** Connections that hold a key. */
  count(key: string): number {
    const slot = this.#keys.find(key);
    return slot < 0 ? 0 : this.#keys.count(slot);
  }

  /** The keys with the most connections, most first; costs a pass over all keys. */
  top(limit: number): Holding[] {
    return mostHeld(this.#keys.holdings(), limit);
  }

  #decide(member: Member, connection: ConnectionId, demands: readonly Demand[]): Acquisition {
    const slots = this.#slots;
    slots.length = 0;
    let violated = -1;
    let exceeded = NONE;
    for (let index = 0; index < demands.length; index++) {
      const demand = demands[index]!;
      const slot = this.#keys.find(demand.key);
      slots.push(slot);
      if (slot < 0 ? demand.maxCount > 0 : this.#keys.count(slot) < demand.maxCount) continue;
      if (!demand.enforce) exceeded = [...exceeded, index];
      else if (violated < 0) violated = index;
    }
    if (violated >= 0) return { outcome: 'rejected', violated, exceeded };
    if (demands.length > 0) {
      member.held.set(connection, this.#take(demands, slots));
      this.#connections++;
    }
    return exceeded.length === 0 ? ADMITTED : { outcome: 'admitted', exceeded };
  }

  /** What a connection holds, as one number: the slot of its only key, or `~head` of a list of slots. */
  #take(demands: readonly Demand[], slots: readonly number[]): number {
    if (demands.length === 1) return this.#keys.increment(slots[0]!, demands[0]!.key);
    let head = -1;
    for (let index = 0; index < demands.length; index++) {
      const { key } = demands[index]!;
      // A key that an earlier demand of this acquisition created has a slot by now.
      const slot = slots[index]! >= 0 ? slots[index]! : this.#keys.find(key);
      if (slot >= 0 && this.#lists.includes(head, slot)) continue;
      head = this.#lists.add(this.#keys.increment(slot, key), head);
    }
    return ~head;
  }

  #giveBack(held: number): void {
    if (held >= 0) {
      this.#keys.decrement(held);
      return;
    }
    for (let cell = ~held; cell >= 0; cell = this.#lists.remove(cell)) {
      this.#keys.decrement(this.#lists.slot(cell));
    }
  }

  #exceededAlready(demands: readonly Demand[]): readonly number[] {
    const exceeded: number[] = [];
    demands.forEach((demand, index) => {
      if (!demand.enforce && this.count(demand.key) > demand.maxCount) exceeded.push(index);
    });
    return exceeded;
  }
}

/** The fullest first. */
export function mostHeld(holdings: Iterable<Holding>, limit: number): Holding[] {
  assert(limit > 0);
  const best: Holding[] = [];
  for (const holding of holdings) {
    if (best.length === limit && holding.count <= best[limit - 1]!.count) continue;
    let at = best.length;
    while (at > 0 && best[at - 1]!.count < holding.count) at--;
    best.splice(at, 0, holding);
    if (best.length > limit) best.pop();
  }
  return best;
}

interface Member {
  /** Connection to what it holds: see `#take`. */
  readonly held: Map<ConnectionId, number>;
  /** The highest connection id that was decided. */
  highest: ConnectionId;
  /** Released before their acquisition came. */
  readonly releasedEarly: Set<ConnectionId>;
}

/** Also forgets the releases of connections that can no longer be acquired. */
function wasReleased({ releasedEarly }: Member, connection: ConnectionId): boolean {
  const released = releasedEarly.has(connection);
  for (const early of releasedEarly) {
    if (early <= connection) releasedEarly.delete(early);
  }
  return released;
}

const NONE: readonly number[] = [];
const ADMITTED: Acquisition = { outcome: 'admitted', exceeded: NONE };
const MEMBER_UNKNOWN: Acquisition = { outcome: 'unavailable', reason: 'the member is not counted' };
const CONNECTION_OVER: Acquisition = { outcome: 'unavailable', reason: 'the connection is over' };

/** Keys by slot number, with their counts; a key that nobody holds is forgotten. */
class KeyTable {
  readonly #slotByKey = new Map<string, number>();
  readonly #keyBySlot: string[] = [];
  readonly #free: number[] = [];
  #counts = new Int32Array(64);

  get size(): number {
    return this.#slotByKey.size;
  }

  find(key: string): number {
    return this.#slotByKey.get(key) ?? -1;
  }

  count(slot: number): number {
    return this.#counts[slot]!;
  }

  /** @param slot of the key, or -1 when it has none yet */
  increment(slot: number, key: string): number {
    if (slot >= 0) {
      this.#counts[slot]!++;
      return slot;
    }
    const created = this.#free.pop() ?? this.#keyBySlot.length;
    if (created === this.#counts.length) this.#counts = doubled(this.#counts);
    this.#keyBySlot[created] = key;
    this.#slotByKey.set(key, created);
    this.#counts[created] = 1;
    return created;
  }

  decrement(slot: number): void {
    const count = this.#counts[slot]! - 1;
    assert(count >= 0, 'a key is given back as often as it was taken');
    this.#counts[slot] = count;
    if (count > 0) return;
    this.#slotByKey.delete(this.#keyBySlot[slot]!);
    this.#keyBySlot[slot] = '';
    this.#free.push(slot);
  }

  *holdings(): IterableIterator<Holding> {
    for (const [key, slot] of this.#slotByKey) yield { key, count: this.#counts[slot]! };
  }
}

/** Short lists of slots, as linked cells of two typed arrays. */
class SlotLists {
  #slots = new Int32Array(64);
  #next = new Int32Array(64);
  #size = 0;
  #firstFree = -1;

  slot(cell: number): number {
    return this.#slots[cell]!;
  }

  includes(head: number, slot: number): boolean {
    for (let cell = head; cell >= 0; cell = this.#next[cell]!) {
      if (this.#slots[cell] === slot) return true;
    }
    return false;
  }

  /** Puts a slot in front of the list; returns the new head. */
  add(slot: number, head: number): number {
    let cell = this.#firstFree;
    if (cell >= 0) {
      this.#firstFree = this.#next[cell]!;
    } else {
      cell = this.#size++;
      if (cell === this.#slots.length) {
        this.#slots = doubled(this.#slots);
        this.#next = doubled(this.#next);
      }
    }
    this.#slots[cell] = slot;
    this.#next[cell] = head;
    return cell;
  }

  /** Frees one cell; returns the one after it. Its slot can be read until the next `add`. */
  remove(cell: number): number {
    const next = this.#next[cell]!;
    this.#next[cell] = this.#firstFree;
    this.#firstFree = cell;
    return next;
  }
}

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
