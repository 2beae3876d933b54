import { CONTROLLER_NAME } from '../infrastructure/names.ts';
import type { FieldPath } from '../resources/index.ts';
import { describeValue } from '../resources/index.ts';
import { byAge, createdMs } from './ages.ts';
import type { Environment } from './environment.ts';
import type { IngressClassResource, IngressResource, Objects } from './objects.ts';
import type { Report } from './report.ts';

const DEFAULT_CLASS = 'ingressclass.kubernetes.io/is-default-class';
const LEGACY_CLASS = 'kubernetes.io/ingress.class';

/** The Ingresses of our classes. */
export interface Ingresses {
  /** For each, by id: the id of the gateway that serves it; `null` where there is none. */
  readonly gateways: ReadonlyMap<string, string | null>;
  /** Those that a gateway serves, the oldest first. */
  servedBy(gateway: string): readonly IngressResource[];
}

/** Finds out which Ingresses are ours, and which gateway serves each. About those of others nothing is said. */
export function assignIngresses(objects: Objects, environment: Environment, report: Report): Ingresses {
  const classes = compileClasses(objects, report);
  const byDefault = defaultClass(objects);
  const gateways = new Map<string, string | null>();
  const served = new Map<string, IngressResource[]>();
  const unserved = new Map<string, string>();
  for (const [id, ingress] of objects.ingresses) {
    const { name, path } = classOf(ingress, byDefault);
    const gateway = name === null ? undefined : classes.get(name);
    if (name === null || gateway === undefined) {
      // In a cluster it belongs to somebody else; in files nobody else would serve it.
      if (environment === 'Standalone') reportNoClass(ingress, name, path, objects, report);
      continue;
    }
    const isThere = gateway !== null && objects.gateways.has(gateway);
    gateways.set(id, isThere ? gateway : null);
    if (!isThere) {
      report.error(ingress, path, 'IngressNotServed', {
        message: 'this Ingress is not served',
        found: `IngressClass ${name}, which leads to no EdgeGateway`,
        expected: 'a class whose parameters name one that is there',
      });
      if (gateway !== null) unserved.set(name, gateway);
      continue;
    }
    const others = served.get(gateway);
    if (others === undefined) served.set(gateway, [ingress]);
    else others.push(ingress);
  }
  for (const [name, gateway] of unserved) reportNoGateway(name, gateway, objects, report);
  for (const ingresses of served.values()) ingresses.sort(byAge);
  return { gateways, servedBy: (gateway) => served.get(gateway) ?? [] };
}

/** The classes of our controller by name, with the id of the gateway that each names; it may not be there. */
function compileClasses(objects: Objects, report: Report): Map<string, string | null> {
  const classes = new Map<string, string | null>();
  for (const [name, resource] of objects.ingressClasses) {
    if (resource.body.spec?.controller !== CONTROLLER_NAME) continue;
    classes.set(name, gatewayOf(resource, report));
  }
  return classes;
}

function gatewayOf(resource: IngressClassResource, report: Report): string | null {
  const { parameters } = resource.body.spec ?? {};
  const invalid = (field: FieldPath, found: string, expected: string): null => {
    report.error(resource, ['spec', 'parameters', ...field], 'InvalidParameters', {
      message: 'Ingresses of this class are not served',
      found,
      expected,
    });
    return null;
  };
  if (parameters === undefined) {
    return invalid([], 'none', 'apiGroup, kind, scope, namespace and name of an EdgeGateway');
  }
  const { apiGroup = '', kind, scope = 'Cluster', namespace = '', name } = parameters;
  if (kind !== 'EdgeGateway') return invalid(['kind'], describeValue(kind), 'EdgeGateway');
  if (apiGroup !== 'sluice.dev') return invalid(['apiGroup'], describeValue(apiGroup), 'sluice.dev');
  if (scope !== 'Namespace') {
    return invalid(['scope'], scope, 'Namespace, with the namespace of the EdgeGateway');
  }
  return `${namespace}/${name}`;
}

/** Only of a class that some Ingress has: a class is there from the installation on, often long before a gateway. */
function reportNoGateway(name: string, gateway: string, objects: Objects, report: Report): void {
  const resource = objects.ingressClasses.get(name);
  if (resource === undefined) return;
  report.error(resource, ['spec', 'parameters', 'name'], 'InvalidParameters', {
    message: 'Ingresses of this class are not served',
    found: objects.describeMissing('EdgeGateway', gateway),
    expected: 'an EdgeGateway that is there',
  });
}

/**
 * The class of Ingresses that name none. Of several classes that want to be it the newest is taken, as the API server
 * does when it fills in the class.
 */
function defaultClass(objects: Objects): string | null {
  const marked = [...objects.ingressClasses.values()].filter(
    ({ body }) => body.metadata.annotations?.[DEFAULT_CLASS] === 'true',
  );
  // By name among those of the same age, as they come.
  const [newest] = marked.sort((left, right) => createdMs(right) - createdMs(left));
  return newest?.name ?? null;
}

interface ClassName {
  readonly name: string | null;
  /** Where it is written, or would be. */
  readonly path: FieldPath;
}

function classOf({ body }: IngressResource, byDefault: string | null): ClassName {
  const { ingressClassName } = body.spec;
  const path = ['spec', 'ingressClassName'];
  if (ingressClassName !== undefined) return { name: ingressClassName, path };
  const legacy = body.metadata.annotations?.[LEGACY_CLASS];
  if (legacy) return { name: legacy, path: ['metadata', 'annotations', LEGACY_CLASS] };
  return { name: byDefault, path };
}

function reportNoClass(
  ingress: IngressResource,
  name: string | null,
  path: FieldPath,
  objects: Objects,
  report: Report,
): void {
  // The class of another controller.
  if (name !== null && objects.ingressClasses.has(name)) return;
  report.warning(ingress, path, 'IngressNotServed', {
    message: 'this Ingress is not served',
    found:
      name === null
        ? 'no class, and no IngressClass that is the default'
        : objects.describeMissing('IngressClass', name),
    expected: `an IngressClass with the controller ${CONTROLLER_NAME}`,
  });
}
