import { contextOf, type InfrastructureInput } from './context.ts';
import { deploymentOf } from './deployment.ts';
import { autoscalersOf } from './horizontal-pod-autoscaler.ts';
import { networkPoliciesOf } from './network-policy.ts';
import { podDisruptionBudgetOf } from './pod-disruption-budget.ts';
import { rolesOf } from './roles.ts';
import { servicesOf } from './service.ts';
import { serviceAccountOf } from './service-account.ts';
import type { DesiredObject } from './types.ts';

export type { InfrastructureInput } from './context.ts';
export type { InfrastructureSettings } from './settings.ts';
export { type DesiredObject, OWNED_TYPES } from './types.ts';

/**
 * The objects that a gateway needs in the cluster, in the order in which they are to be made. Each has just the fields
 * that the operator wants to own, in the form in which the API server stores them: applying them again changes nothing.
 *
 * Those in the gateway's namespace are owned by the gateway, and go with it. Those in other namespaces have only its
 * labels: whoever applies these objects removes what bears the labels and is no longer among them.
 */
export function infrastructureOf(input: InfrastructureInput): readonly DesiredObject[] {
  const context = contextOf(input);
  return [
    serviceAccountOf(context),
    ...rolesOf(context),
    ...networkPoliciesOf(context),
    ...servicesOf(context),
    deploymentOf(context),
    podDisruptionBudgetOf(context),
    ...autoscalersOf(context),
  ];
}
