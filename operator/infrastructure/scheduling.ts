import { withDefaults } from '../resources/defaults.ts';
import type { Context } from './context.ts';
import { selectorLabels } from './names.ts';

const SPREAD_OVER = [
  { topologyKey: 'kubernetes.io/hostname' },
  { topologyKey: 'topology.kubernetes.io/zone' },
];

/** Where the pods may be, and would better be. */
export function schedulingOf({ gateway, infrastructure }: Context): object {
  const { nodeSelector, priorityClassName, tolerations = [], affinity } = infrastructure;
  const { topologySpreadConstraints = SPREAD_OVER } = infrastructure;
  return {
    nodeSelector: { 'kubernetes.io/os': 'linux', ...nodeSelector },
    ...(priorityClassName !== undefined && { priorityClassName }),
    ...(tolerations.length > 0 && { tolerations }),
    ...(affinity !== undefined && { affinity }),
    ...(topologySpreadConstraints.length > 0 && {
      topologySpreadConstraints: topologySpreadConstraints.map((written) => ({
        ...withDefaults('EdgeGateway.spec.infrastructure.topologySpreadConstraints[]', written),
        labelSelector: { matchLabels: selectorLabels(gateway.metadata) },
        // So that in an update the old pods, which are to go, do not count.
        matchLabelKeys: ['pod-template-hash'],
      })),
    }),
  };
}
