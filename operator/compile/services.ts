import { describeValue } from '../resources/index.ts';
import type { Environment } from './environment.ts';
import type { Objects } from './objects.ts';

/** A port of a Service as a target has it. */
export interface ServicePort {
  readonly port: number;
  readonly portName: string;
}

/** Why a Service cannot be a target. */
export interface UnusableService {
  readonly code: 'BackendNotFound' | 'UnsupportedProtocol' | 'UnsupportedValue';
  readonly found: string;
  readonly expected: string;
}

/**
 * The port of a Service, by its number or its name. Outside a cluster nothing but the number of a name is looked
 * up: which addresses the Service has is then said by who starts the proxy, and so is whether there are any.
 */
export function findServicePort(
  { namespace, name, port }: { namespace: string; name: string; port: number | string },
  environment: Environment,
  objects: Objects,
): ServicePort | UnusableService {
  if (environment === 'Standalone' && typeof port === 'number') return { port, portName: '' };
  const id = `${namespace}/${name}`;
  const service = objects.services.get(id);
  if (service === undefined) {
    const expected = `a Service ${name} in the namespace ${namespace}`;
    return {
      code: 'BackendNotFound',
      found: objects.describeMissing('Service', id),
      expected: environment === 'Cluster' ? expected : `${expected}, or the number of its port`,
    };
  }
  const { type, ports = [] } = service.body.spec ?? {};
  if (type === 'ExternalName') {
    return {
      code: 'UnsupportedValue',
      found: `Service ${id} of type ExternalName, which has no endpoints`,
      expected: 'a Service with endpoints, or a target with the fqdn of what is outside',
    };
  }
  const overTcp = ports.filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  const found = overTcp.find((each) => (typeof port === 'number' ? each.port : each.name) === port);
  if (found !== undefined) {
    return { port: found.port, portName: environment === 'Cluster' ? (found.name ?? '') : '' };
  }
  const listed = overTcp.map((each) => (each.name ? `${each.port} (${each.name})` : String(each.port)));
  return {
    code: 'BackendNotFound',
    found: `Service ${id} with ${listed.length === 0 ? 'no TCP port' : `the TCP ports ${listed.join(', ')}`}`,
    expected: typeof port === 'number' ? `the port ${port}` : `the port ${describeValue(port)}`,
  };
}
