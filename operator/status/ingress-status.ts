import type { IngressStatus } from './conditions.ts';
import type { ObservedGateway } from './observed.ts';

/** The addresses of the gateway that serves the Ingress; none where none does. */
export function ingressStatus(gateway: ObservedGateway | null): IngressStatus {
  const addresses = gateway?.addresses ?? [];
  if (addresses.length === 0) return { loadBalancer: {} };
  return {
    loadBalancer: {
      ingress: addresses.map(({ type, value }) =>
        type === 'IPAddress' ? { ip: value } : { hostname: value },
      ),
    },
  };
}
