/** Conditions as Kubernetes has them, and the statuses that they are parts of. */
import type { ObservedAddress } from './observed.ts';
import type { Reason } from './reasons.ts';

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly observedGeneration?: number;
  /** Why, for programs. */
  readonly reason: Reason;
  /** Why, for people; empty where there is nothing to say. */
  readonly message: string;
}

export interface ListenerStatus {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly conditions: readonly Condition[];
}

export interface GatewayStatus {
  readonly observedGeneration?: number;
  readonly conditions: readonly Condition[];
  readonly addresses?: readonly ObservedAddress[];
  readonly listeners?: readonly ListenerStatus[];
  readonly snapshot?: { readonly hash: string; readonly podsReady: number; readonly podsTotal: number };
}

export interface PoolStatus {
  readonly observedGeneration?: number;
  readonly conditions: readonly Condition[];
  readonly targets?: { readonly healthy: number; readonly total: number };
}

export interface AncestorRef {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly sectionName?: string;
}

export interface AncestorStatus {
  readonly ancestorRef: AncestorRef;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

export interface RuleListStatus {
  readonly observedGeneration?: number;
  readonly ancestors: readonly AncestorStatus[];
  readonly enforcement: {
    readonly state: 'Exact' | 'Degraded' | 'DryRun' | 'Inactive';
    readonly message: string;
  };
  readonly totals?: {
    readonly connections: number;
    readonly rejected: number;
    readonly disconnected: number;
  };
}

/** Of an Ingress, whose type is not ours: it has no conditions. */
export interface IngressStatus {
  readonly loadBalancer: {
    readonly ingress?: readonly ({ readonly ip: string } | { readonly hostname: string })[];
  };
}

/** What an object's status should be, without the times at which its conditions changed. */
export type ObjectStatus = GatewayStatus | PoolStatus | RuleListStatus | IngressStatus;

export function holds(type: string, reason: Reason, message = ''): Condition {
  return { type, status: 'True', reason, message };
}

export function holdsNot(type: string, reason: Reason, message: string): Condition {
  return { type, status: 'False', reason, message };
}

export function unknown(type: string, reason: Reason, message: string): Condition {
  return { type, status: 'Unknown', reason, message };
}

/** The same conditions, as found for a generation of their object. */
export function observedAt(generation: number | undefined, conditions: readonly Condition[]): Condition[] {
  if (generation === undefined) return [...conditions];
  return conditions.map(({ type, status, ...why }) => ({
    type,
    status,
    observedGeneration: generation,
    ...why,
  }));
}
