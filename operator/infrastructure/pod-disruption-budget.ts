import type { Context } from './context.ts';
import { metadataOf } from './metadata.ts';
import { selectorLabels } from './names.ts';
import { type DesiredObject, POD_DISRUPTION_BUDGETS } from './types.ts';

/** How many pods may be made to leave at once: never so few that a node could not be drained. */
export function podDisruptionBudgetOf(context: Context): DesiredObject {
  const object = {
    metadata: metadataOf(context),
    spec: {
      selector: { matchLabels: selectorLabels(context.gateway.metadata) },
      // Rounded up: at least one.
      maxUnavailable: '25%',
      // One that serves nobody may always go.
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    },
  };
  return { type: POD_DISRUPTION_BUDGETS, object };
}
