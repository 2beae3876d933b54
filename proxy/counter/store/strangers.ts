import type { Lease } from '../../../kubernetes/lease.ts';
import { type Incarnation, type LeaseName, memberLease, memberOf } from '../protocol/lease.ts';
import type { Decoded } from './lease-object.ts';

interface Stranger {
  readonly object: Lease;
  readonly isNewer: boolean;
  /** Its member counts by other settings now. */
  isHeld: boolean;
}

/**
 * Leases of members that count by other settings, or are of a later release. While one of them is there, who counts by
 * these does not join: two counts of the same keys would admit twice as many. What they leave behind is cleared away.
 */
export class Strangers {
  readonly #strangers = new Map<LeaseName, Stranger>();
  readonly #discard: (object: Lease) => void;

  constructor(discard: (object: Lease) => void) {
    this.#discard = discard;
  }

  get areThere(): boolean {
    for (const { isHeld } of this.#strangers.values()) if (isHeld) return true;
    return false;
  }

  see(name: LeaseName, object: Lease, decoded: Extract<Decoded, { kind: 'foreign' | 'newer' }>): void {
    const isNewer = decoded.kind === 'newer';
    const isHeld = isNewer || (memberOf(name) !== null && decoded.phase === 'held');
    this.#strangers.set(name, { object, isNewer, isHeld });
    this.#clear();
  }

  /** It is gone, or says something that we understand. */
  forget(name: LeaseName): void {
    if (this.#strangers.delete(name)) this.#clear();
  }

  /** The process is gone. */
  died(incarnation: Incarnation): void {
    const stranger = this.#strangers.get(memberLease(incarnation));
    if (stranger === undefined || stranger.isNewer) return;
    stranger.isHeld = false;
    this.#clear();
  }

  #clear(): void {
    if (this.areThere) return;
    for (const { object } of this.#strangers.values()) this.#discard(object);
  }
}
