import { withDefaults } from '../resources/defaults.ts';
import type { Context } from './context.ts';
import { metadataOf } from './metadata.ts';
import { selectorLabels } from './names.ts';
import { type ServedPort, servedPorts } from './served-ports.ts';
import { type DesiredObject, SERVICES } from './types.ts';

/** Of a Service for clients within the cluster. */
const APP_PROTOCOLS: Readonly<Record<string, string>> = { HTTP: 'http', HTTPS: 'https' };

/**
 * Where clients reach the gateway. What it says nothing of is other people's to set: node ports, IP families, a
 * session affinity.
 *
 * @returns nothing for a gateway without a port that can be served: the API server takes no Service without ports
 */
export function servicesOf(context: Context): DesiredObject[] {
  const { gateway, infrastructure } = context;
  const service = withDefaults('EdgeGateway.spec.infrastructure.service', infrastructure.service);
  const { type, loadBalancerClass, loadBalancerSourceRanges = [] } = service;
  const ports = servedPorts(context);
  if (ports.length === 0) return [];
  const object = {
    metadata: metadataOf(context, service.annotations),
    spec: {
      type,
      selector: selectorLabels(gateway.metadata),
      ports: ports.map((port) => portOf(port, type)),
      ...(type !== 'ClusterIP' && { externalTrafficPolicy: service.externalTrafficPolicy }),
      ...(loadBalancerClass !== undefined && { loadBalancerClass }),
      ...(loadBalancerSourceRanges.length > 0 && { loadBalancerSourceRanges }),
    },
  };
  return [{ type: SERVICES, object }];
}

function portOf({ port, protocol, spoken }: ServedPort, type: string): object {
  const name = protocol === 'UDP' ? `p-${port}-udp` : `p-${port}`;
  const [only, ...others] = spoken;
  const appProtocol = others.length === 0 && only !== undefined ? APP_PROTOCOLS[only] : undefined;
  return {
    name,
    port,
    protocol,
    targetPort: port,
    // Load balancers of some clouds probe a port that they are told to be HTTP with `GET /`, which is the user's own
    // path, and take the gateway out when a route answers it with an error.
    ...(type === 'ClusterIP' && appProtocol !== undefined && { appProtocol }),
  };
}
