import { type Incarnation, type LeaseRecord, memberOf } from '../protocol/lease.ts';
import { staticShare } from '../protocol/local-shares.ts';

/** With more members a share of a small `maxCount` is nothing, and agreeing on it costs a link for each pair. */
const MAX_MEMBERS = 64;

/**
 * Among whom a key's `maxCount` is divided while the count is unavailable (`failurePolicy: Local`).
 *
 * A member uses its share only when it has been shown its own Lease, thus all that were made before, and each other that
 * it knows of has said that it knows this one. So of any two that admit, each divides by a list that has the other, and since a longer list never makes a share larger, what all of
 * them admit stays within `maxCount`. A member leaves the list when its process is certainly gone, not when its session
 * has ended: it may still hold what it admitted by its share.
 */
export class Roster {
  readonly #self: Incarnation;
  /** Whether the member has said that it knows this one. */
  readonly #members = new Map<Incarnation, boolean>();
  readonly #gone = new Set<Incarnation>();
  #isSelfSeen = false;

  constructor(self: Incarnation) {
    this.#self = self;
  }

  /** This one and the others: what peers are told. */
  everybody(): Incarnation[] {
    return [this.#self, ...this.#members.keys()];
  }

  /** Whom to ask: those that have not said yet that they know this one. */
  unsure(): Incarnation[] {
    if (this.#members.size >= MAX_MEMBERS) return [];
    return [...this.#members].filter(([, knowsSelf]) => !knowsSelf).map(([member]) => member);
  }

  see(record: LeaseRecord): void {
    const member = memberOf(record.name);
    if (member === null) return;
    if (record.replaces !== '') this.remove(record.replaces);
    if (record.phase === 'released') this.remove(member);
    // Of two that joined, the later one has been shown the earlier one by then.
    if (member === this.#self) this.#isSelfSeen = true;
    if (member === this.#self || this.#gone.has(member) || this.#members.has(member)) return;
    this.#members.set(member, false);
  }

  /** Its process is gone. */
  remove(member: Incarnation): void {
    this.#gone.add(member);
    this.#members.delete(member);
  }

  /** A member has said whom it knows. */
  hear(from: Incarnation, members: readonly Incarnation[]): void {
    if (this.#members.has(from) && members.includes(this.#self)) this.#members.set(from, true);
  }

  /** Shares can be used. */
  get isAgreed(): boolean {
    if (!this.#isSelfSeen || this.#members.size >= MAX_MEMBERS) return false;
    for (const knowsSelf of this.#members.values()) if (!knowsSelf) return false;
    return true;
  }

  /** How many of a key this member may have open by itself. */
  share(key: string, maxCount: number): number {
    return this.isAgreed ? staticShare(key, maxCount, this.everybody(), this.#self) : 0;
  }
}
