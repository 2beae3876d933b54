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
  readonly code: 'BackendNotFound' | 'UnsupportedValue';
  readonly found: string;
  readonly expected: string;
}

/**
 * The port of a Service, by its number or its name. Outside a cluster nothing is looked up: which addresses
 * the Service has is then said by who starts the proxy, and so is whether there are any.
 */
export function findServicePort(
  { namespace, name, port }: { namespace: string; name: string; port: number | string },
  environment: Environment,
  objects: Objects,
): ServicePort | UnusableService {
  if (environment === 'Standalone') {
    return typeof port === 'number' ? { port, portName: '' } : { port: 0, portName: port };
  }
  const id = `${namespace}/${name}`;
  const service = objects.services.get(id);
  if (service === undefined) {
    return {
      code: 'BackendNotFound',
      found: objects.describeMissing('Service', id),
      expected: `a Service ${name} in the namespace ${namespace}`,
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
  if (found !== undefined) return { port: found.port, portName: found.name ?? '' };
  const listed = overTcp.map((each) => (each.name ? `${each.port} (${each.name})` : String(each.port)));
  return {
    code: 'BackendNotFound',
    found: `Service ${id} with ${listed.length === 0 ? 'no TCP port' : `the TCP ports ${listed.join(', ')}`}`,
    expected: typeof port === 'number' ? `the port ${port}` : `the port ${describeValue(port)}`,
  };
}
