import type { Pool } from '../../proxy/config/snapshot.ts';
import type { FieldPath, IngressBackend } from '../resources/index.ts';
import { describeValue } from '../resources/index.ts';
import type { Environment } from './environment.ts';
import { annotationPath, BACKEND_POOL, type IngressSettings, isObjectName } from './ingress-annotations.ts';
import type { IngressResource, Objects } from './objects.ts';
import { resolvePool } from './pool-references.ts';
import { defaultPool, type Pools } from './pools.ts';
import type { Report } from './report.ts';
import { findServicePort, type UnusableService } from './services.ts';

type WrittenService = NonNullable<IngressBackend['service']>;

/** Application protocols that a Service's port may name and that are not spoken in plain HTTP/1.1. */
const OTHER_PROTOCOLS = ['https', 'kubernetes.io/wss', 'kubernetes.io/h2c', 'grpc', 'tls'];

/** What becomes of a backend that cannot be used. */
const DANGLING = 'requests for this backend are answered with 500';

/** The pools that stand for Services which are named as backends directly, with the settings that pools have by default. */
export class ServicePools {
  readonly #environment: Environment;
  readonly #objects: Objects;
  readonly #found = new Map<string, Pool | UnusableService>();

  constructor(environment: Environment, objects: Objects) {
    this.#environment = environment;
    this.#objects = objects;
  }

  /** The pool of a Service's port. */
  find(namespace: string, service: WrittenService): Pool | UnusableService {
    const port = service.port?.name ?? service.port?.number ?? 0;
    const id = `${namespace}/service:${service.name}:${port}`;
    let found = this.#found.get(id);
    if (found === undefined) {
      found = this.#compile(id, { namespace, name: service.name, port });
      this.#found.set(id, found);
    }
    return found;
  }

  /** One of those that were asked for before. */
  get(id: string): Pool | undefined {
    const found = this.#found.get(id);
    return found === undefined || 'code' in found ? undefined : found;
  }

  #compile(
    id: string,
    service: { namespace: string; name: string; port: number | string },
  ): Pool | UnusableService {
    const { namespace, name } = service;
    const found = findServicePort(service, this.#environment, this.#objects);
    if ('code' in found) return found;
    const ports = this.#objects.services.get(`${namespace}/${name}`)?.body.spec?.ports ?? [];
    const protocol = ports.find(({ port }) => port === found.port)?.appProtocol ?? 'http';
    if (OTHER_PROTOCOLS.includes(protocol.toLowerCase())) {
      return {
        code: 'UnsupportedProtocol',
        found: `Service ${namespace}/${name} with appProtocol ${protocol} on port ${found.port}`,
        expected: `HTTP/1.1 without TLS, or a BackendPool in place of the Service (annotation ${BACKEND_POOL})`,
      };
    }
    return defaultPool(id, [{ kind: 'service', namespace, name, ...found, weight: 1 }]);
  }
}

interface BackendContext {
  readonly pools: Pools;
  readonly servicePools: ServicePools;
  readonly objects: Objects;
  readonly report: Report;
}

/** Finds the pool of each backend of one Ingress: its id, or `null` where there is none that can be used. */
export class IngressBackends {
  readonly #ingress: IngressResource;
  readonly #context: BackendContext;
  /** The id of the pool that stands for all Services; undefined where each has its own. */
  readonly #instead: string | null | undefined;

  constructor(ingress: IngressResource, { backendPool }: IngressSettings, context: BackendContext) {
    this.#ingress = ingress;
    this.#context = context;
    if (backendPool !== null) this.#instead = this.#resolveAnnotation(backendPool);
  }

  resolve({ service, resource }: IngressBackend, path: FieldPath): string | null {
    if (resource !== undefined) return this.#resolveResource(resource, [...path, 'resource']);
    if (this.#instead !== undefined) return this.#instead;
    if (service === undefined) return null;
    const found = this.#context.servicePools.find(this.#ingress.namespace, service);
    if (!('code' in found)) return found.id;
    const { code, ...finding } = found;
    this.#context.report.error(this.#ingress, [...path, 'service'], code, { message: DANGLING, ...finding });
    return null;
  }

  #resolveAnnotation(name: string): string | null {
    const path = annotationPath(BACKEND_POOL);
    if (isObjectName(name)) return resolvePool(this.#ingress, path, name, DANGLING, this.#context);
    this.#context.report.error(this.#ingress, path, 'UnsupportedValue', {
      message: DANGLING,
      found: describeValue(name),
      expected: 'the name of a BackendPool',
    });
    return null;
  }

  #resolveResource(
    { apiGroup = '', kind, name }: NonNullable<IngressBackend['resource']>,
    path: FieldPath,
  ): string | null {
    if (apiGroup === 'sluice.dev' && kind === 'BackendPool') {
      return resolvePool(this.#ingress, [...path, 'name'], name, DANGLING, this.#context);
    }
    this.#context.report.error(this.#ingress, path, 'UnsupportedValue', {
      message: DANGLING,
      found: `the kind ${describeValue(kind)} of the API group ${describeValue(apiGroup)}`,
      expected: 'BackendPool of sluice.dev',
    });
    return null;
  }
}
