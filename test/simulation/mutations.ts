/**
 * The rules of the protocol, each with a way to break it and how soon the simulation notices. A rule that nobody would
 * miss is not needed, or not tested.
 */
import { Attempt } from '../../proxy/counter/protocol/acquisition.ts';
import { Holdings } from '../../proxy/counter/protocol/holdings.ts';
import { LeaseKeeper } from '../../proxy/counter/protocol/keeper.ts';
import { claimQuorum } from '../../proxy/counter/protocol/lease.ts';
import { Member } from '../../proxy/counter/protocol/member.ts';
import { ShardOwner } from '../../proxy/counter/protocol/owner.ts';
import type { Settings } from '../../proxy/counter/protocol/settings.ts';
import { ShardSlots } from '../../proxy/counter/protocol/slots.ts';
import { Takeover } from '../../proxy/counter/protocol/takeover.ts';
import { Voter } from '../../proxy/counter/protocol/voter.ts';
import { LeaseApi } from './lease-api.ts';
import type { Scenario } from './scenario.ts';

export interface Mutation {
  readonly name: string;
  /** The rule that is broken. */
  readonly rule: string;
  /** Where it shows soonest. */
  readonly scenario: Scenario;
  /** Caught by one of the seeds from 1 up to this. */
  readonly within: number;
  readonly patches: readonly Patch[];
  /** What the members believe instead of the truth. */
  readonly settings?: (settings: Settings) => Settings;
}

export interface Patch {
  readonly target: object;
  readonly method: string;
  readonly replacement: unknown;
}

type Constructor<T> = { readonly prototype: T };

/** Replaces a method of a class by one of the same shape. */
function patch<T extends object, K extends keyof T & string>(
  type: Constructor<T>,
  method: K,
  make: (original: T[K]) => T[K] extends (...args: infer A) => infer R ? (this: T, ...args: A) => R : never,
): Patch {
  return { target: type.prototype, method, replacement: make(type.prototype[method]) };
}

/** Breaks the rules of a mutation while `body` runs. */
export function withMutation<T>(mutation: Mutation, body: () => T): T {
  const undo = mutation.patches.map(({ target, method, replacement }) => {
    const original = Object.getOwnPropertyDescriptor(target, method)!;
    Object.defineProperty(target, method, { ...original, value: replacement });
    return () => Object.defineProperty(target, method, original);
  });
  try {
    return body();
  } finally {
    for (const restore of undo) restore();
  }
}

const noAudit = (settings: Settings): Settings => ({ ...settings, auditIntervalMs: 10 * 3_600_000 });

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'renewal-counted-from-answer',
    rule: "a holder's deadline counts from before it sent the renewal",
    scenario: 'everything-fast',
    within: 50,
    patches: [patch(LeaseKeeper, 'countsFromMs', () => (_sentMs, answeredMs) => answeredMs)],
  },
  {
    name: 'promise-counted-from-answer',
    rule: 'promises of voters count from before the beat was sent',
    scenario: 'everything-fast',
    within: 50,
    patches: [
      patch(
        LeaseKeeper,
        'onPromise',
        (original) =>
          function (voter, sentMs) {
            original.call(this, voter, sentMs + 2_000);
          },
      ),
    ],
  },
  {
    name: 'short-wait',
    rule: 'a follower waits a full duration from when it saw the last change',
    scenario: 'network',
    within: 100,
    patches: [patch(Takeover, 'silenceMs', () => () => 1_000)],
  },
  {
    name: 'clock-rates-ignored',
    rule: 'waits are longer than durations by the ratio of clock rates',
    scenario: 'everything-fast',
    within: 150,
    patches: [],
    settings: (settings) => ({ ...settings, maxClockRatio: 1 }),
  },
  {
    name: 'no-agreement',
    rule: 'a claim needs the agreement of enough voters',
    scenario: 'network',
    within: 50,
    patches: [patch(Takeover, 'hasAgreement', () => () => true)],
  },
  {
    name: 'agreement-of-too-few',
    rule: 'the voters that carry a holder and those that agree to a claim overlap',
    scenario: 'everything-fast',
    within: 50,
    patches: [
      patch(
        Takeover,
        'hasAgreement',
        () => (record, agreed) =>
          record.voters.filter((voter) => agreed.has(voter)).length >=
          Math.max(1, claimQuorum(record.voters.length) - 1),
      ),
    ],
  },
  {
    name: 'carried-by-too-few',
    rule: 'a holder without the Lease API needs the promises of a majority',
    scenario: 'everything-fast',
    within: 20,
    patches: [
      patch(
        LeaseKeeper,
        'quorumSentMs',
        (original) =>
          function (voters) {
            return original.call(this, voters.slice(0, 1));
          },
      ),
    ],
  },
  {
    name: 'promise-broken',
    rule: 'a voter that has promised agrees to no claim',
    scenario: 'everything-fast',
    within: 20,
    patches: [
      patch(Voter, 'onClaim', () => (name, revision) => ({ type: 'claimed', name, revision, agreed: true })),
    ],
  },
  {
    name: 'agreement-does-not-bind',
    rule: 'a voter that has agreed to a claim promises nothing to the old holder',
    scenario: 'everything-fast',
    within: 150,
    patches: [patch(Voter, 'isBarred', () => () => false)],
  },
  {
    name: 'holder-votes-twice',
    rule: 'a holder that agreed to a claim against itself counts on itself no more',
    scenario: 'everything-fast',
    within: 300,
    patches: [patch(LeaseKeeper, 'concede', () => () => {})],
  },
  {
    name: 'voters-of-the-draft-ignored',
    rule: 'while the outcome of a write is unknown, the voters before and after it must both carry',
    scenario: 'everything-fast',
    within: 300,
    patches: [
      patch(
        LeaseKeeper,
        'electorates',
        () =>
          function () {
            return [this.record!.voters];
          },
      ),
    ],
  },
  {
    name: 'detached-for-ever',
    rule: 'nobody goes on without the Lease API for longer than maxDetachedMs',
    scenario: 'everything-fast',
    within: 50,
    patches: [patch(LeaseKeeper, 'detachedUntilMs', () => () => Number.POSITIVE_INFINITY)],
  },
  {
    name: 'blind-write',
    rule: 'Leases are written by compare-and-swap',
    scenario: 'everything-fast',
    within: 20,
    patches: [patch(LeaseApi, 'matches', () => () => true)],
  },
  {
    name: 'decides-without-tenure',
    rule: 'an owner checks its deadline at each decision',
    scenario: 'everything-fast',
    within: 20,
    patches: [
      patch(
        ShardOwner,
        'canDecide',
        () =>
          function () {
            return this.phase === 'active';
          },
      ),
    ],
  },
  {
    name: 'starts-without-reports',
    rule: 'a new owner admits nobody before it knows what all members hold',
    scenario: 'processes',
    within: 20,
    patches: [patch(ShardOwner, 'isComplete', () => () => true)],
  },
  {
    name: 'starts-without-one-report',
    rule: 'a member that cannot be reached is charged until its session has ended',
    scenario: 'processes',
    within: 50,
    patches: [patch(ShardOwner, 'isComplete', () => (awaited) => awaited.size <= 1)],
  },
  {
    name: 'unrecorded-members',
    rule: 'a member is recorded with the Lease before it is granted anything',
    scenario: 'processes',
    within: 20,
    patches: [patch(ShardOwner, 'isRecorded', () => () => true)],
  },
  {
    name: 'keeps-connections',
    rule: 'a member whose session ends has closed its connections',
    scenario: 'everything-fast',
    within: 20,
    patches: [
      patch(Member, 'closeOverdue', () => () => {}),
      patch(Member, 'closeByMs', () => () => Number.POSITIVE_INFINITY),
    ],
  },
  {
    name: 'closes-late',
    rule: 'a member in doubt has closed its connections before others may forget them',
    scenario: 'everything-fast',
    within: 150,
    patches: [
      patch(
        Member,
        'closeByMs',
        (original) =>
          function () {
            return original.call(this) + 4_000;
          },
      ),
      patch(
        Member,
        'isInDoubt',
        (original) =>
          function (nowMs) {
            return original.call(this, nowMs - 4_000);
          },
      ),
    ],
  },
  {
    name: 'unknown-not-counted',
    rule: 'an acquisition of unknown outcome stays counted until disproved',
    scenario: 'everything-fast',
    within: 50,
    patches: [patch(ShardSlots, 'unsettled', () => () => [])],
  },
  {
    name: 'outdated-reports',
    rule: 'a report that was overtaken is not applied',
    scenario: 'everything-fast',
    within: 200,
    patches: [patch(Holdings, 'isOutdated', () => () => false)],
  },
  {
    name: 'late-reservations',
    rule: 'acquisitions are idempotent: one that was given up takes nothing when it comes late',
    scenario: 'everything-fast',
    within: 20,
    patches: [patch(Holdings, 'isSpent', () => () => false)],
    settings: noAudit,
  },
  {
    name: 'releases-once',
    rule: 'a release is sent until it is acknowledged, or a report puts it right',
    scenario: 'everything-fast',
    within: 20,
    patches: [
      patch(
        ShardSlots,
        'release',
        (original) =>
          function (turn, id) {
            original.call(this, turn, id);
            const token = { uid: '', transitions: 0 };
            const { isFromOwner } = this;
            this.isFromOwner = () => true;
            this.onSettled({ type: 'settled', shard: this.shard, token, confirmed: [], released: [id] });
            this.isFromOwner = isFromOwner;
          },
      ),
    ],
    settings: noAudit,
  },
  {
    name: 'trace-on-the-first-key',
    rule: 'admission to several rules is all or nothing',
    scenario: 'calm',
    within: 20,
    patches: [
      patch(
        Attempt,
        'rejected',
        (original) =>
          function () {
            const answer = original.call(this);
            for (const part of this.parts) part.state = 'idle';
            return answer;
          },
      ),
    ],
  },
  {
    name: 'decides-when-sealed',
    rule: 'a planned stop seals the count before it hands it over',
    scenario: 'rolling',
    within: 50,
    patches: [
      patch(ShardOwner, 'isSealed', () => () => false),
      patch(
        ShardOwner,
        'canDecide',
        () =>
          function (nowMs) {
            return this.phase !== 'collecting' && this.keeper.isValid(nowMs);
          },
      ),
    ],
  },
  {
    name: 'decides-when-leaving',
    rule: 'an owner that has begun to give its Lease away decides nothing',
    scenario: 'everything-fast',
    within: 1000,
    patches: [
      patch(
        LeaseKeeper,
        'isValid',
        () =>
          function (nowMs) {
            return (
              !this.isLost &&
              this.record !== null &&
              nowMs < Math.max(this.renewalEndsMs(), this.promisesEndMs())
            );
          },
      ),
    ],
  },
  {
    name: 'count-lost-on-the-way',
    rule: 'a successor starts from the count that was handed over',
    scenario: 'rolling',
    within: 20,
    patches: [{ target: Holdings, method: 'import', replacement: () => new Holdings() }],
  },
];
