import type { Diagnostic } from '../resources/index.ts';
import { type Condition, holds, holdsNot } from './conditions.ts';
import { describeProblems } from './messages.ts';
import type { Reason } from './reasons.ts';
import { type Aspect, foremost, isDecisive, verdictOf } from './verdicts.ts';

/** Something without a status of its own, so that what is wrong with it is told by who refers to it. */
export interface Reference {
  /** Such as `Secret default/chat-tls`. */
  readonly object: string;
  /** The reason of a condition when it is of no use. */
  readonly reason: Reason;
}

/** What is wrong with one object, or a part of it, by the condition that it bears on. */
export class Problems {
  readonly #object: string;
  readonly #own: readonly Diagnostic[];
  readonly #referred: readonly { readonly diagnostic: Diagnostic; readonly reason: Reason }[];

  constructor(
    object: string,
    own: readonly Diagnostic[],
    references: readonly Reference[],
    all: ReadonlyMap<string, readonly Diagnostic[]>,
  ) {
    this.#object = object;
    this.#own = own;
    const reasons = new Map(references.map((reference) => [reference.object, reference.reason]));
    this.#referred = [...reasons].flatMap(([other, reason]) =>
      (all.get(other) ?? []).map((diagnostic) => ({ diagnostic, reason })),
    );
  }

  /** Everything that bears on a condition: what decides it and what is only worth mentioning. */
  about(aspect: Aspect): Diagnostic[] {
    const own = this.#own.filter(({ code }) => verdictOf(code).condition === aspect);
    return aspect === 'ResolvedRefs' ? [...own, ...this.#referred.map(({ diagnostic }) => diagnostic)] : own;
  }

  /** Why a condition does not hold; `undefined` when nothing speaks against it. */
  reason(aspect: Aspect): Reason | undefined {
    const own = foremost(
      this.#own.filter((each) => verdictOf(each.code).condition === aspect && isDecisive(each)),
    );
    if (own !== undefined) return verdictOf(own.code).reason;
    if (aspect !== 'ResolvedRefs') return undefined;
    return this.#referred.find(({ diagnostic }) => diagnostic.severity === 'error')?.reason;
  }

  describe(aspect: Aspect): string {
    return describeProblems(this.about(aspect), this.#object);
  }

  /** A condition that is true when all is well; then its reason is its own name. */
  judge(aspect: 'Accepted' | 'ResolvedRefs' | 'Enforced'): Condition {
    const reason = this.reason(aspect);
    const message = this.describe(aspect);
    return reason === undefined ? holds(aspect, aspect, message) : holdsNot(aspect, reason, message);
  }

  /** A condition that is there only when it is true, as in the Gateway API. */
  partlyInvalid(): Condition[] {
    const reason = this.reason('PartiallyInvalid');
    return reason === undefined ? [] : [holds('PartiallyInvalid', reason, this.describe('PartiallyInvalid'))];
  }
}
