/** A process of a member, from start to end; never used again. */
export type Incarnation = string;

/** `member/<incarnation>` or `shard/<number>`. */
export type LeaseName = string;

/**
 * Fencing token. `transitions` ascends with every change of hands, also over the deletion of the Lease, since who
 * recreates it counts on from the highest it knows; the uid tells apart two that did not know of each other.
 */
export interface Token {
  readonly uid: string;
  readonly transitions: number;
}

/**
 * - `held`: by its holder.
 * - `released`: by its holder, which was through; a shard is free to take.
 * - `ended`: a member whose session others have ended. It is over.
 */
export type Phase = 'held' | 'released' | 'ended';

/** What a Lease says, apart from what the API server adds. */
export interface LeaseDraft {
  readonly phase: Phase;
  /** Empty: held by somebody whom the one that recreated the Lease did not know. */
  readonly holder: Incarnation;
  readonly transitions: number;
  /** One more with every write, also over a deletion. */
  readonly revision: number;
  /** Whose promises carry the holder when the API server is away. Always with the holder. */
  readonly voters: readonly Incarnation[];
  /** Of a shard: those who may hold slots. Of a member: none. */
  readonly members: readonly Incarnation[];
  /** Of a shard: the handed-over set from which the holder may start; empty when there is none. */
  readonly handover: string;
  /** Of a member: it is about to stop, and takes no shards. */
  readonly draining: boolean;
  /** Of a member: the incarnation before it in its place, which is certainly gone; empty when there is none. */
  readonly replaces: Incarnation;
  /** Put back after a deletion by somebody else than the holder: a claim needs more than the usual agreement. */
  readonly restored: boolean;
}

export interface LeaseRecord extends LeaseDraft {
  readonly name: LeaseName;
  readonly uid: string;
  /** For the compare-and-swap; opaque. */
  readonly resourceVersion: string;
}

export function memberLease(incarnation: Incarnation): LeaseName {
  return `member/${incarnation}`;
}

export function shardLease(shard: number): LeaseName {
  return `shard/${shard}`;
}

/** The member that a Lease stands for, or `null` when it is a shard's. */
export function memberOf(name: LeaseName): Incarnation | null {
  return name.startsWith('member/') ? name.slice('member/'.length) : null;
}

/** The shard that a Lease stands for, or -1 when it is a member's. */
export function shardOfLease(name: LeaseName): number {
  return name.startsWith('shard/') ? Number(name.slice('shard/'.length)) : -1;
}

export function tokenOf(record: LeaseRecord): Token {
  return { uid: record.uid, transitions: record.transitions };
}

export function sameToken(one: Token | null, other: Token | null): boolean {
  if (one === null || other === null) return one === other;
  return one.transitions === other.transitions && one.uid === other.uid;
}

export function isNewer(one: Token, other: Token | null): boolean {
  return other === null || one.transitions > other.transitions;
}

/** Voters whose promise carries a holder. Together with {@link claimQuorum} more than there are: they overlap. */
export function holdQuorum(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** Voters that must have agreed before a Lease may be claimed. */
export function claimQuorum(voters: number): number {
  return voters - holdQuorum(voters) + 1;
}

/** What a Lease says, without what the API server added: the base of the next draft. */
export function draftOf(record: LeaseRecord): LeaseDraft {
  const { name: _name, uid: _uid, resourceVersion: _resourceVersion, ...draft } = record;
  return draft;
}
