/** A status as it stands in the cluster, where others may have written into it. */

export interface LiveCondition {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export interface LiveAncestor {
  readonly ancestorRef?: object;
  readonly controllerName?: string;
  readonly conditions?: readonly LiveCondition[];
}

export interface LiveListener {
  readonly name?: string;
  readonly conditions?: readonly LiveCondition[];
}

export interface Live {
  readonly conditions?: readonly LiveCondition[];
  readonly listeners?: readonly LiveListener[];
  readonly ancestors?: readonly LiveAncestor[];
}

/** The entries of a list that may be missing. */
export function entriesOf<T>(list: readonly T[] | undefined): readonly T[] {
  return list ?? [];
}

export function sameAncestor(left: LiveAncestor, right: LiveAncestor): boolean {
  return (
    left.controllerName === right.controllerName && textOf(left.ancestorRef) === textOf(right.ancestorRef)
  );
}

function textOf(ref: object | undefined): string {
  return JSON.stringify(Object.entries(ref ?? {}).sort(([left], [right]) => (left < right ? -1 : 1)));
}
