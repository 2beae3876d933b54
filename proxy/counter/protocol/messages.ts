import type { Demand } from '../counter.ts';
import type { HoldingsExport } from './holdings.ts';
import type { Incarnation, LeaseName, Token } from './lease.ts';

/** A slot's name within its member and shard: ascends, never reused. */
export type SlotId = number;

/** Holder to voter: "I hold these; promise me that you agree to nobody else's claim for a while." */
export interface Beat {
  readonly type: 'beat';
  /** By the sender's clock; comes back in the answer. */
  readonly sentMs: number;
  readonly leases: readonly { readonly name: LeaseName; readonly token: Token; readonly revision: number }[];
}

/** Voter to holder: "promised", by the names of the Leases. */
export interface Promised {
  readonly type: 'promised';
  readonly sentMs: number;
  readonly names: readonly LeaseName[];
}

/** Anybody to voter: "its holder has been silent; agree that the Lease, as of this revision, is claimed." */
export interface Claim {
  readonly type: 'claim';
  readonly name: LeaseName;
  readonly revision: number;
}

/** Voter to claimant; without agreement, `revision` is the highest that the voter knows. */
export interface Claimed {
  readonly type: 'claimed';
  readonly name: LeaseName;
  readonly revision: number;
  readonly agreed: boolean;
}

/**
 * Owner to member: "I own the shard." With `report`: "tell me what you hold there." Also from an owner to its
 * successor: "you own it by now."
 */
export interface Announce {
  readonly type: 'announce';
  readonly shard: number;
  readonly owner: Incarnation;
  readonly token: Token;
  readonly report: boolean;
}

/** What all messages of a member to an owner carry. */
export interface ToOwner {
  readonly shard: number;
  readonly token: Token;
  /** Ascends with every message of this member about this shard, over all owners. */
  readonly sequence: number;
  /** Slots up to this one are settled: neither an acquisition nor a release of them is under way. */
  readonly floor: SlotId;
}

export interface ReportedSlot {
  readonly id: SlotId;
  readonly keys: readonly string[];
  readonly firm: boolean;
}

/** Member to owner: everything it holds in the shard. */
export interface Report extends ToOwner {
  readonly type: 'report';
  readonly slots: readonly ReportedSlot[];
  /** An acquisition or a release of these is under way: they stay as the owner has them. */
  readonly unsettled: readonly SlotId[];
  /** Slots from here on were not named when the report was made. */
  readonly nextId: SlotId;
}

/** Member to owner. Sent again with the same id until there is an answer. */
export interface Reserve extends ToOwner {
  readonly type: 'reserve';
  readonly id: SlotId;
  readonly demands: readonly Demand[];
  /** Counts at once; otherwise only once confirmed, and others that find no room wait for that. */
  readonly firm: boolean;
  readonly sentMs: number;
}

/**
 * - `reserved`: counted.
 * - `rejected`: no room.
 * - `busy`: no room if the unconfirmed ones are confirmed.
 * - `over`: this id was decided before, and holds nothing.
 */
export type DecisionOutcome = 'reserved' | 'rejected' | 'busy' | 'over';

export interface Decided {
  readonly type: 'decided';
  readonly shard: number;
  readonly token: Token;
  readonly id: SlotId;
  readonly outcome: DecisionOutcome;
  /** Index of the first violated demand of the reservation, or -1. */
  readonly violated: number;
  readonly exceeded: readonly number[];
  /** From the reservation that is answered. */
  readonly sentMs: number;
  /** What is left of the owner's tenure: a later grant is worth nothing. */
  readonly validMs: number;
}

/** Member to owner; sent again until settled. Empty: "I am there." */
export interface Settle extends ToOwner {
  readonly type: 'settle';
  readonly confirmed: readonly SlotId[];
  readonly released: readonly SlotId[];
}

/** Owner to member. Also says that the member is known to the owner, and recorded with the Lease. */
export interface Settled {
  readonly type: 'settled';
  readonly shard: number;
  readonly token: Token;
  readonly confirmed: readonly SlotId[];
  readonly released: readonly SlotId[];
}

/** Owner to its successor: the whole count of a shard, sealed. */
export interface Handover {
  readonly type: 'handover';
  readonly shard: number;
  readonly id: string;
  readonly holdings: HoldingsExport;
}

export interface HandoverTaken {
  readonly type: 'handover-taken';
  readonly shard: number;
  readonly id: string;
  /** `false`: the successor is about to stop itself. */
  readonly taken: boolean;
}

/** Member to whoever used a token that is too low: the lower side catches up. */
export interface Outdated {
  readonly type: 'outdated';
  readonly shard: number;
  readonly token: Token;
}

export type Message =
  | Beat
  | Promised
  | Claim
  | Claimed
  | Announce
  | Report
  | Reserve
  | Decided
  | Settle
  | Settled
  | Handover
  | HandoverTaken
  | Outdated;

export interface Envelope {
  readonly from: Incarnation;
  readonly to: Incarnation;
  readonly message: Message;
}
