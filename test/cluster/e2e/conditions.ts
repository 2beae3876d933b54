import type { KubernetesObject } from '../api.ts';

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

interface Conditioned {
  readonly conditions?: readonly Condition[];
  readonly ancestors?: readonly { readonly conditions: readonly Condition[] }[];
  readonly listeners?: readonly { readonly name: string; readonly conditions: readonly Condition[] }[];
}

/** Every condition in an object's status, wherever it is, with the name of the listener that it is of. */
export function conditionsOf({ status }: KubernetesObject): (Condition & { readonly listener?: string })[] {
  const { conditions = [], ancestors = [], listeners = [] } = (status ?? {}) as Conditioned;
  return [
    ...conditions,
    ...ancestors.flatMap((ancestor) => ancestor.conditions),
    ...listeners.flatMap((listener) =>
      listener.conditions.map((condition) => ({ ...condition, listener: listener.name })),
    ),
  ];
}

/** `Type=Status Reason`, in alphabetical order; of a listener with its name before it. */
export function shortly(object: KubernetesObject): string[] {
  return conditionsOf(object)
    .map(({ type, status, reason, listener }) => {
      const place = listener === undefined ? '' : `${listener}: `;
      return `${place}${type}=${status} ${reason}`;
    })
    .sort();
}
