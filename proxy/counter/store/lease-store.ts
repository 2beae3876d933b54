import type { Incarnation, LeaseName, LeaseRecord } from '../protocol/lease.ts';
import type { LeaseCall, LeaseResult } from '../protocol/turn.ts';

/** Told of Leases: first of all there are, then of every change of one in its order; changes may be left out. */
export interface LeaseWatcher {
  seen(record: LeaseRecord): void;
  gone(name: LeaseName): void;
  /** All there were have been shown. */
  listed(): void;
  /** There is proof that the process is gone. */
  died(incarnation: Incarnation): void;
}

/** What a member leaves with its Lease, for others to find it. */
export interface MemberPlace {
  readonly incarnation: Incarnation;
  /** Where its links listen. */
  readonly address: string;
}

/** One incarnation's use of a store. */
export interface LeaseSession {
  /**
   * Makes a call. It is answered exactly once, never within this call, as `unknown` at the latest after the call
   * timeout of the settings.
   */
  call(call: LeaseCall, answer: (result: LeaseResult) => void): void;
  /** Nobody is told anything from here on. */
  close(): void;
}

/** Where Leases are: all members of a gateway use the same. */
export interface LeaseStore {
  /**
   * Who was in this process's place before and is certainly gone; empty for nobody. Resolves when the store has been
   * read once.
   */
  predecessor(): Promise<Incarnation>;
  /** @param watcher is told of everything anew, however often the store was opened before; not within this call */
  open(self: MemberPlace, watcher: LeaseWatcher): LeaseSession;
  /** Where a member's links listen, as far as is known. */
  addressOf(incarnation: Incarnation): string | undefined;
  close(): Promise<void>;
}
