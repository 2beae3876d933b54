import { withDefaults } from '../resources/defaults.ts';
import type { Context } from './context.ts';
import { metadataOf } from './metadata.ts';
import { canonicalQuantity } from './quantity.ts';
import { DEPLOYMENTS, type DesiredObject, HORIZONTAL_POD_AUTOSCALERS } from './types.ts';

/** What the pods export, summed over its labels: see docs/concepts/infrastructure.md. */
const CONNECTIONS_METRIC = 'sluice_connections';

/** Only for a gateway that asks for it; without it, the gateway says how many pods there are. */
export function autoscalersOf(context: Context): DesiredObject[] {
  const written = context.infrastructure.autoscaling;
  if (written === undefined) return [];
  const autoscaling = withDefaults('EdgeGateway.spec.infrastructure.autoscaling', written);
  const { minReplicas, maxReplicas, targetConnectionsPerPod, targetCPUUtilizationPercentage } = autoscaling;
  const cpu = {
    type: 'Resource',
    resource: {
      name: 'cpu',
      target: { type: 'Utilization', averageUtilization: targetCPUUtilizationPercentage },
    },
  };
  const connections =
    targetConnectionsPerPod === undefined ? [] : [connectionsMetric(targetConnectionsPerPod)];
  const object = {
    metadata: metadataOf(context),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: DEPLOYMENTS.kind, name: context.objectName },
      minReplicas,
      maxReplicas,
      // The one that asks for the most pods wins.
      metrics: [...connections, cpu],
    },
  };
  return [{ type: HORIZONTAL_POD_AUTOSCALERS, object }];
}

function connectionsMetric(perPod: number): object {
  return {
    type: 'Pods',
    pods: {
      metric: { name: CONNECTIONS_METRIC },
      target: { type: 'AverageValue', averageValue: canonicalQuantity(perPod) },
    },
  };
}
