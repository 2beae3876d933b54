import type { KubernetesObject } from '../kubernetes/index.ts';

/** One object as `sluice status` shows it. */
export interface ShownObject {
  /** `EdgeGateway default/chat`. */
  readonly object: string;
  /** What is good to know, in a few words. */
  readonly summary: string;
  /** What is not well, one line each; empty when all is. */
  readonly problems: readonly string[];
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

/** The parts of the statuses of our kinds that are shown. */
interface Status {
  readonly conditions?: readonly Condition[];
  readonly addresses?: readonly { readonly value: string }[];
  readonly listeners?: readonly {
    readonly name: string;
    readonly attachedRoutes?: number;
    readonly conditions?: readonly Condition[];
  }[];
  readonly snapshot?: { readonly podsReady?: number; readonly podsTotal?: number };
  readonly targets?: { readonly total?: number; readonly healthy?: number };
  readonly ancestors?: readonly {
    readonly ancestorRef?: { readonly kind?: string; readonly name?: string };
    readonly conditions?: readonly Condition[];
  }[];
  readonly enforcement?: { readonly state?: string; readonly message?: string };
  readonly totals?: { readonly connections?: number; readonly rejected?: number };
}

/** Of these, `True` is the bad news. */
const BAD_WHEN_TRUE = new Set(['Conflicted', 'PartiallyInvalid']);
/** Reasons of what was asked for, although a condition is false for it. */
const AS_ASKED_FOR = new Set(['DryRun', 'NotUsed', 'NoRoutes']);

export function summarize(object: KubernetesObject): ShownObject {
  const { kind, metadata } = object;
  const status = (object as { readonly status?: Status }).status;
  const name = `${kind} ${metadata.namespace}/${metadata.name}`;
  if (status === undefined) {
    return { object: name, summary: 'no status', problems: ['no operator has looked at it yet'] };
  }
  return {
    object: name,
    summary: summaryOf(kind, status),
    problems: [
      ...problemsOf('', status.conditions, metadata.generation),
      ...(status.listeners ?? []).flatMap((listener) =>
        problemsOf(`listener ${listener.name}: `, listener.conditions, metadata.generation),
      ),
      ...(status.ancestors ?? []).flatMap(({ ancestorRef, conditions }) =>
        problemsOf(`${ancestorRef?.kind} ${ancestorRef?.name}: `, conditions, metadata.generation),
      ),
    ],
  };
}

function summaryOf(kind: string, status: Status): string {
  const parts: string[] = [];
  if (kind === 'EdgeGateway') {
    const { podsReady = 0, podsTotal = 0 } = status.snapshot ?? {};
    parts.push(`${podsReady} of ${podsTotal} pods`);
    const addresses = (status.addresses ?? []).map(({ value }) => value);
    if (addresses.length > 0) parts.push(`at ${addresses.join(', ')}`);
    for (const { name, attachedRoutes = 0 } of status.listeners ?? []) {
      parts.push(`${name}: ${attachedRoutes} ${attachedRoutes === 1 ? 'route' : 'routes'}`);
    }
  }
  if (kind === 'BackendPool') {
    const { healthy = 0, total = 0 } = status.targets ?? {};
    parts.push(`${healthy} of ${total} targets healthy`);
  }
  if (kind === 'FirewallRuleList') {
    const { connections = 0, rejected = 0 } = status.totals ?? {};
    parts.push(status.enforcement?.state ?? 'Inactive', `${connections} connections`, `${rejected} rejected`);
  }
  return parts.join('  ');
}

function problemsOf(
  where: string,
  conditions: readonly Condition[] | undefined,
  generation: number | undefined,
): string[] {
  return (conditions ?? []).flatMap(({ type, status, reason = '', message = '', observedGeneration }) => {
    const isBad = status !== (BAD_WHEN_TRUE.has(type) ? 'False' : 'True');
    if (isBad && AS_ASKED_FOR.has(reason)) return [];
    if (isBad) return [`${where}${type}=${status} (${reason}): ${message}`];
    const isOld =
      generation !== undefined && observedGeneration !== undefined && observedGeneration < generation;
    return isOld ? [`${where}${type}: not judged yet since the last change`] : [];
  });
}
