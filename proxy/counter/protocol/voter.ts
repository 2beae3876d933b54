import { type LeaseName, sameToken, type Token } from './lease.ts';
import type { Claimed } from './messages.ts';

interface Vote {
  /** Whom it promised to agree to no claim against, and until when. */
  promised: Token | null;
  promisedUntilMs: number;
  /** Highest revision and transitions that a holder showed. */
  revision: number;
  transitions: number;
  /** Agreed to a claim of the Lease as of this revision: no promise for that revision or an older one, ever. */
  claimedRevision: number;
  changedMs: number;
}

/**
 * What a member says about the Leases of others. A promise keeps every claim away while it lasts; an agreement keeps
 * the old holder away for good, unless the holder shows a newer revision: then no compare-and-swap on the claimed
 * revision can succeed any more.
 */
export class Voter {
  readonly #votes = new Map<LeaseName, Vote>();
  readonly #promiseMs: number;
  readonly #forgetAfterMs: number;

  /** @param forgetAfterMs longer than any promise, and than any call of the Lease API is under way */
  constructor(promiseMs: number, forgetAfterMs: number) {
    this.#promiseMs = promiseMs;
    this.#forgetAfterMs = forgetAfterMs;
  }

  /** A holder asks. Returns whether it is promised. */
  onBeat(name: LeaseName, token: Token, revision: number, nowMs: number): boolean {
    const vote = this.#vote(name);
    if (this.isBarred(revision, vote.claimedRevision) || token.transitions < vote.transitions) return false;
    // A higher token is proof: it was committed only when the tenure before it was over.
    const succeeds = token.transitions > vote.transitions;
    if (!succeeds && !sameToken(vote.promised, token) && this.#isPromised(vote, nowMs)) return false;
    vote.promised = token;
    vote.promisedUntilMs = nowMs + this.#promiseMs;
    vote.revision = Math.max(vote.revision, revision);
    vote.transitions = token.transitions;
    vote.changedMs = nowMs;
    return true;
  }

  /** Who has agreed to a claim promises nothing to the old holder. */
  isBarred(revision: number, claimedRevision: number): boolean {
    return revision <= claimedRevision;
  }

  /** Somebody wants to claim the Lease as of a revision. */
  onClaim(name: LeaseName, revision: number, nowMs: number): Claimed {
    const vote = this.#vote(name);
    const agreed = !this.#isPromised(vote, nowMs) && revision >= vote.revision;
    if (agreed) {
      vote.claimedRevision = Math.max(vote.claimedRevision, revision);
      vote.changedMs = nowMs;
    }
    return { type: 'claimed', name, revision: agreed ? revision : vote.revision, agreed };
  }

  /** The highest revision up to which it has agreed to claims, or -1. */
  agreedUpTo(name: LeaseName): number {
    return this.#votes.get(name)?.claimedRevision ?? -1;
  }

  /** Whether a claim would be refused here now, so that asking others is no use either. */
  keepsPromise(name: LeaseName, nowMs: number): boolean {
    const vote = this.#votes.get(name);
    return vote !== undefined && this.#isPromised(vote, nowMs);
  }

  forgetOld(nowMs: number): void {
    for (const [name, vote] of this.#votes) {
      if (nowMs - vote.changedMs > this.#forgetAfterMs) this.#votes.delete(name);
    }
  }

  #isPromised(vote: Vote, nowMs: number): boolean {
    return vote.promised !== null && nowMs < vote.promisedUntilMs;
  }

  #vote(name: LeaseName): Vote {
    let vote = this.#votes.get(name);
    if (vote === undefined) {
      vote = {
        promised: null,
        promisedUntilMs: 0,
        revision: -1,
        transitions: -1,
        claimedRevision: -1,
        changedMs: 0,
      };
      this.#votes.set(name, vote);
    }
    return vote;
  }
}
