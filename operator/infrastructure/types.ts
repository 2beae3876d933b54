/** The types of the objects that a gateway consists of. */
import type { AppliedObject, ResourceType } from '../../kubernetes/index.ts';

/** What is to be there. */
export interface DesiredObject {
  readonly type: ResourceType;
  readonly object: AppliedObject;
}

export const SERVICE_ACCOUNTS = namespaced('', 'v1', 'ServiceAccount', 'serviceaccounts');
export const ROLES = namespaced('rbac.authorization.k8s.io', 'v1', 'Role', 'roles');
export const ROLE_BINDINGS = namespaced('rbac.authorization.k8s.io', 'v1', 'RoleBinding', 'rolebindings');
export const NETWORK_POLICIES = namespaced('networking.k8s.io', 'v1', 'NetworkPolicy', 'networkpolicies');
export const SERVICES = namespaced('', 'v1', 'Service', 'services');
export const DEPLOYMENTS = namespaced('apps', 'v1', 'Deployment', 'deployments');
export const POD_DISRUPTION_BUDGETS = namespaced(
  'policy',
  'v1',
  'PodDisruptionBudget',
  'poddisruptionbudgets',
);
export const HORIZONTAL_POD_AUTOSCALERS = namespaced(
  'autoscaling',
  'v2',
  'HorizontalPodAutoscaler',
  'horizontalpodautoscalers',
);

/** Every type that a gateway may have objects of: for watching and for removing what is no longer wanted. */
export const OWNED_TYPES: readonly ResourceType[] = [
  SERVICE_ACCOUNTS,
  ROLES,
  ROLE_BINDINGS,
  NETWORK_POLICIES,
  SERVICES,
  DEPLOYMENTS,
  POD_DISRUPTION_BUDGETS,
  HORIZONTAL_POD_AUTOSCALERS,
];

function namespaced(group: string, version: string, kind: string, plural: string): ResourceType {
  return { group, version, kind, plural, namespaced: true };
}
