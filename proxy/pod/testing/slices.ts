import type { EndpointSlice } from '../slices.ts';

type Conditions = NonNullable<NonNullable<EndpointSlice['endpoints']>[number]['conditions']>;

/** A slice of a Service in namespace `chat`, as the endpoint controller writes it. */
export function endpointSlice(
  service: string,
  endpoints: Readonly<Record<string, Conditions>>,
  changes: {
    readonly name?: string;
    readonly namespace?: string;
    readonly addressType?: string;
    readonly ports?: EndpointSlice['ports'];
  } = {},
): EndpointSlice {
  const { name = `${service}-1`, namespace = 'chat', addressType = 'IPv4' } = changes;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name, labels: { 'kubernetes.io/service-name': service } },
    addressType,
    endpoints: Object.entries(endpoints).map(([address, conditions]) => ({
      addresses: [address],
      conditions,
    })),
    ports: changes.ports === undefined ? [{ name: '', port: 8080 }] : changes.ports,
  };
}
