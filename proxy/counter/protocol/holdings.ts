import assert from 'node:assert/strict';
import type { Demand } from '../counter.ts';
import { IdHeap } from './id-heap.ts';
import type { Incarnation } from './lease.ts';
import type { DecisionOutcome, Report, ReportedSlot, SlotId } from './messages.ts';

export interface Decision {
  readonly outcome: DecisionOutcome;
  readonly violated: number;
  readonly exceeded: readonly number[];
}

/** All that an owner counts, for its successor. */
export type HoldingsExport = readonly {
  readonly member: Incarnation;
  readonly slots: readonly ReportedSlot[];
  readonly finished: readonly SlotId[];
  readonly floor: SlotId;
  readonly sequence: number;
}[];

interface Slot {
  readonly keys: readonly string[];
  firm: boolean;
}

interface MemberHoldings {
  readonly slots: Map<SlotId, Slot>;
  /** Above the floor: decided, and holding nothing; a late reservation of these takes nothing. */
  readonly finished: Set<SlotId>;
  readonly leastFinished: IdHeap;
  /** Up to here a slot that is not held never will be. */
  floor: SlotId;
  /** The highest of the member's messages. */
  sequence: number;
}

const MAX_FINISHED = 1_000_000;
const NONE: readonly number[] = [];

/**
 * What an owner counts: for every key the set of (incarnation, slot). The sets are kept per member, so that a member
 * leaves as a block and its report replaces its part; a key has the sizes only.
 */
export class Holdings {
  readonly #members = new Map<Incarnation, MemberHoldings>();
  readonly #counts = new Map<string, number>();
  /** Of the counts, those that are not confirmed. */
  readonly #unconfirmed = new Map<string, number>();

  reserve(incarnation: Incarnation, id: SlotId, demands: readonly Demand[], firm: boolean): Decision {
    const member = this.#member(incarnation);
    if (member.slots.has(id)) return { outcome: 'reserved', violated: -1, exceeded: this.#exceeded(demands) };
    if (this.isSpent(id, member.floor, member.finished))
      return { outcome: 'over', violated: -1, exceeded: NONE };
    let violated = -1;
    let busy = false;
    const exceeded: number[] = [];
    demands.forEach(({ key, maxCount, enforce }, index) => {
      const count = this.count(key);
      if (count < maxCount) return;
      if (!enforce) exceeded.push(index);
      else if (count - (this.#unconfirmed.get(key) ?? 0) < maxCount) busy = true;
      else if (violated < 0) violated = index;
    });
    if (violated >= 0 || busy) {
      this.#finish(member, id);
      return { outcome: violated >= 0 ? 'rejected' : 'busy', violated, exceeded };
    }
    this.#take(member, id, [...new Set(demands.map(({ key }) => key))], firm);
    return { outcome: 'reserved', violated: -1, exceeded };
  }

  /** Given back or refused before: a reservation that comes late takes nothing. */
  isSpent(id: SlotId, floor: SlotId, finished: ReadonlySet<SlotId>): boolean {
    return id <= floor || finished.has(id);
  }

  /** Something that the member sent later has come already. */
  isOutdated(sequence: number, highest: number): boolean {
    return sequence <= highest;
  }

  confirm(incarnation: Incarnation, id: SlotId): void {
    const slot = this.#members.get(incarnation)?.slots.get(id);
    if (slot === undefined || slot.firm) return;
    slot.firm = true;
    for (const key of slot.keys) add(this.#unconfirmed, key, -1);
  }

  /** Harmless when nothing is held; an acquisition of this id that comes later takes nothing. */
  release(incarnation: Incarnation, id: SlotId): void {
    const member = this.#member(incarnation);
    if (!this.#giveBack(member, id) && id <= member.floor) return;
    this.#finish(member, id);
  }

  /** Notes a message's place in the order of the member's messages, and what it says is settled. */
  note(incarnation: Incarnation, sequence: number, floor: SlotId): void {
    const member = this.#member(incarnation);
    if (sequence > member.sequence) member.sequence = sequence;
    if (floor <= member.floor) return;
    member.floor = floor;
    const { finished, leastFinished } = member;
    for (; leastFinished.least <= floor; leastFinished.removeLeast()) finished.delete(leastFinished.least);
  }

  /** Puts a member's holdings right. Returns how many slots differed; -1 when the report is outdated. */
  applyReport(incarnation: Incarnation, report: Report): number {
    const member = this.#member(incarnation);
    if (this.isOutdated(report.sequence, member.sequence)) return -1;
    this.note(incarnation, report.sequence, report.floor);
    const unsettled = new Set(report.unsettled);
    const held = new Map(report.slots.map((slot) => [slot.id, slot]));
    let differences = 0;
    for (const id of [...member.slots.keys()]) {
      if (id >= report.nextId || unsettled.has(id) || held.has(id)) continue;
      this.#giveBack(member, id);
      differences++;
    }
    for (const { id, keys, firm } of held.values()) {
      if (member.slots.has(id)) {
        if (firm) this.confirm(incarnation, id);
        continue;
      }
      assert(!member.finished.has(id), 'what was refused or given back is not held');
      this.#take(member, id, keys, firm);
      differences++;
    }
    return differences;
  }

  /** Gives back all that a member holds. */
  drop(incarnation: Incarnation): void {
    const member = this.#members.get(incarnation);
    if (member === undefined) return;
    for (const id of [...member.slots.keys()]) this.#giveBack(member, id);
    this.#members.delete(incarnation);
  }

  count(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  /** Slots that a member holds. */
  slotCount(incarnation: Incarnation): number {
    return this.#members.get(incarnation)?.slots.size ?? 0;
  }

  /** Keys that somebody holds, with their counts. */
  counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  members(): Iterable<Incarnation> {
    return this.#members.keys();
  }

  export(): HoldingsExport {
    return [...this.#members].map(([member, { slots, finished, floor, sequence }]) => ({
      member,
      slots: [...slots].map(([id, { keys, firm }]) => ({ id, keys, firm })),
      finished: [...finished],
      floor,
      sequence,
    }));
  }

  static import(exported: HoldingsExport): Holdings {
    const holdings = new Holdings();
    for (const { member: incarnation, slots, finished, floor, sequence } of exported) {
      const member = holdings.#member(incarnation);
      for (const { id, keys, firm } of slots) holdings.#take(member, id, keys, firm);
      for (const id of finished) holdings.#finish(member, id);
      member.floor = floor;
      member.sequence = sequence;
    }
    return holdings;
  }

  #member(incarnation: Incarnation): MemberHoldings {
    let member = this.#members.get(incarnation);
    if (member === undefined) {
      member = {
        slots: new Map(),
        finished: new Set(),
        leastFinished: new IdHeap(),
        floor: 0,
        sequence: 0,
      };
      this.#members.set(incarnation, member);
    }
    return member;
  }

  #finish(member: MemberHoldings, id: SlotId): void {
    if (id > member.floor && !member.finished.has(id)) {
      member.finished.add(id);
      member.leastFinished.add(id);
    }
    assert(member.finished.size <= MAX_FINISHED, 'members settle what they finish');
  }

  #take(member: MemberHoldings, id: SlotId, keys: readonly string[], firm: boolean): void {
    member.slots.set(id, { keys, firm });
    for (const key of keys) {
      add(this.#counts, key, 1);
      if (!firm) add(this.#unconfirmed, key, 1);
    }
  }

  #giveBack(member: MemberHoldings, id: SlotId): boolean {
    const slot = member.slots.get(id);
    if (slot === undefined) return false;
    member.slots.delete(id);
    for (const key of slot.keys) {
      add(this.#counts, key, -1);
      if (!slot.firm) add(this.#unconfirmed, key, -1);
    }
    return true;
  }

  #exceeded(demands: readonly Demand[]): number[] {
    const exceeded: number[] = [];
    demands.forEach(({ key, maxCount, enforce }, index) => {
      if (!enforce && this.count(key) > maxCount) exceeded.push(index);
    });
    return exceeded;
  }
}

function add(counts: Map<string, number>, key: string, by: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + by;
  assert(count >= 0, 'a key is given back as often as it was taken');
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
