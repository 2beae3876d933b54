/**
 * Counting of open connections by key, exactly.
 *
 * A count is a set of connection ids, never a bare number: acquiring or releasing twice is harmless, and all
 * that a dead member held leaves as a block. The interface is asynchronous because the owner of a key may be
 * another thread or another pod.
 */

/** Unique within its member's incarnation; never reused; new ones ascend. */
export type ConnectionId = number;

export interface Demand {
  /** Opaque; equal keys share a count. */
  readonly key: string;
  readonly maxCount: number;
  /** `false`: count and report, but do not refuse (a rule list in dry run). */
  readonly enforce: boolean;
  /**
   * What to do about an enforced demand when the count cannot be known: `Local` admits up to this member's share of
   * `maxCount`, `Open` admits. Absent: the answer is `unavailable`.
   */
  readonly fallback?: Fallback;
}

export type Fallback = 'Local' | 'Open';

export type Acquisition =
  /**
   * All demands are held. `exceeded` has the indexes of unenforced demands that are over their maximum.
   * `uncounted`: admitted without the count, by this fallback (`Open` where both had a part in it); it is counted as
   * soon as that is possible, and refuses newcomers from then on.
   */
  | { readonly outcome: 'admitted'; readonly exceeded: readonly number[]; readonly uncounted?: Fallback }
  /** Nothing is held. `violated` is the index of the first enforced demand that has no room. */
  | { readonly outcome: 'rejected'; readonly violated: number; readonly exceeded: readonly number[] }
  /** The count cannot be known now. Nothing stays held: the counter itself takes back what it may have taken. */
  | { readonly outcome: 'unavailable'; readonly reason: string };

export interface Counter {
  /**
   * Takes one slot of every key, or none. Repeating an acquisition with the same id changes nothing.
   * Never rejects its promise: what goes wrong is an `unavailable` outcome.
   * @param onRevoked called at most once, after an admission and before its release, when the slots are lost: the
   * connection is to be closed at once, with a code that makes clients reconnect
   */
  acquire(connection: ConnectionId, demands: readonly Demand[], onRevoked?: () => void): Promise<Acquisition>;
  /** Gives back everything the connection holds; harmless when it holds nothing. */
  release(connection: ConnectionId): void;
}
