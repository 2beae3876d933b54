import { STATUS_PORT } from '../../proxy/pod/places.ts';
import type { Context } from './context.ts';
import { metadataOf } from './metadata.ts';
import { selectorLabels } from './names.ts';
import { servedPorts } from './served-ports.ts';
import { type DesiredObject, NETWORK_POLICIES } from './types.ts';

/**
 * Who may connect to the pods: anybody to the listeners' ports, and to the status port the operator and whoever the
 * settings name. What the pods may connect to is left open, since targets may be anywhere.
 */
export function networkPoliciesOf(context: Context): DesiredObject[] {
  const { gateway, settings } = context;
  if (!settings.networkPolicy) return [];
  const ports = servedPorts(context).map(({ port, protocol }) => ({ port, protocol }));
  const object = {
    metadata: metadataOf(context),
    spec: {
      podSelector: { matchLabels: selectorLabels(gateway.metadata) },
      policyTypes: ['Ingress'],
      ingress: [
        // A rule without ports would be about all of them.
        ...(ports.length > 0 ? [{ ports }] : []),
        { from: statusClients(context), ports: [{ port: STATUS_PORT, protocol: 'TCP' }] },
      ],
    },
  };
  return [{ type: NETWORK_POLICIES, object }];
}

function statusClients({ settings }: Context): object[] {
  const { operatorNamespace, operatorPodLabels, statusClients = [{ namespaceSelector: {} }] } = settings;
  const operator = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': operatorNamespace } },
    podSelector: { matchLabels: operatorPodLabels },
  };
  return [operator, ...statusClients];
}
