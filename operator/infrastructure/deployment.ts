import { withDefaults } from '../resources/defaults.ts';
import type { Context } from './context.ts';
import { metadataOf } from './metadata.ts';
import { selectorLabels } from './names.ts';
import { podTemplateOf } from './pod-template.ts';
import { DEPLOYMENTS, type DesiredObject } from './types.ts';

/** The pods. An update starts a new one before it stops an old one. */
export function deploymentOf(context: Context): DesiredObject {
  const { gateway, infrastructure } = context;
  const { replicas } = withDefaults('EdgeGateway.spec', gateway.spec);
  const object = {
    metadata: metadataOf(context),
    spec: {
      ...(infrastructure.autoscaling === undefined && { replicas }),
      selector: { matchLabels: selectorLabels(gateway.metadata) },
      strategy: {
        type: 'RollingUpdate',
        // A share is rounded up: it is at least one pod.
        rollingUpdate: { maxUnavailable: 0, maxSurge: '25%' },
      },
      template: podTemplateOf(context),
    },
  };
  return { type: DEPLOYMENTS, object };
}
