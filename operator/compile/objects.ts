import type { Diagnostic, Resource } from '../resources/index.ts';
import { validateResource } from '../resources/index.ts';
import { compare } from './hostnames.ts';
import type { Report } from './report.ts';

type Of<K extends Resource['kind']> = Extract<Resource, { kind: K }>;
export type GatewayResource = Of<'EdgeGateway'>;
export type PoolResource = Of<'BackendPool'>;
export type RuleListResource = Of<'FirewallRuleList'>;
export type SecretResource = Of<'Secret'>;
export type ConfigMapResource = Of<'ConfigMap'>;
export type ServiceResource = Of<'Service'>;
export type IngressResource = Of<'Ingress'>;
export type IngressClassResource = Of<'IngressClass'>;
export type ReferenceGrantResource = Of<'ReferenceGrant'>;

/** The valid objects of each kind by `namespace/name` (an IngressClass by name), in that order. */
export interface Objects {
  readonly gateways: ReadonlyMap<string, GatewayResource>;
  readonly pools: ReadonlyMap<string, PoolResource>;
  readonly ruleLists: ReadonlyMap<string, RuleListResource>;
  readonly secrets: ReadonlyMap<string, SecretResource>;
  readonly configMaps: ReadonlyMap<string, ConfigMapResource>;
  readonly services: ReadonlyMap<string, ServiceResource>;
  readonly ingresses: ReadonlyMap<string, IngressResource>;
  readonly ingressClasses: ReadonlyMap<string, IngressClassResource>;
  readonly referenceGrants: ReadonlyMap<string, ReferenceGrantResource>;
  /** What is there under a name that cannot be used, in words. */
  describeMissing(kind: Resource['kind'], id: string): string;
}

/**
 * Sorts the resources by kind and name. An object that is there twice counts once (the first in its file),
 * and an invalid one not at all; both are reported.
 */
export function indexObjects(resources: readonly Resource[], report: Report): Objects {
  const maps = {
    EdgeGateway: new Map<string, GatewayResource>(),
    BackendPool: new Map<string, PoolResource>(),
    FirewallRuleList: new Map<string, RuleListResource>(),
    Secret: new Map<string, SecretResource>(),
    ConfigMap: new Map<string, ConfigMapResource>(),
    Service: new Map<string, ServiceResource>(),
    Ingress: new Map<string, IngressResource>(),
    IngressClass: new Map<string, IngressClassResource>(),
    ReferenceGrant: new Map<string, ReferenceGrantResource>(),
  };
  const invalid = new Set<string>();
  const seen = new Map<string, Resource>();
  for (const resource of [...resources].sort(byKeyThenPlace)) {
    const key = resourceKey(resource);
    const first = seen.get(key);
    if (first !== undefined) {
      report.error(resource, ['metadata', 'name'], 'DuplicateObject', {
        message: 'this object is left out, since it is there already',
        found: `a second ${resource.kind} ${objectId(resource)}`,
        expected: `one; the first is at ${placeOf(first)}`,
      });
      continue;
    }
    seen.set(key, resource);
    const problems = problemsOf(resource);
    if (problems.length > 0) {
      report.add(problems);
      report.rejected(resource);
      invalid.add(key);
      continue;
    }
    (maps[resource.kind] as Map<string, Resource>).set(objectId(resource), resource);
  }
  return {
    gateways: maps.EdgeGateway,
    pools: maps.BackendPool,
    ruleLists: maps.FirewallRuleList,
    secrets: maps.Secret,
    configMaps: maps.ConfigMap,
    services: maps.Service,
    ingresses: maps.Ingress,
    ingressClasses: maps.IngressClass,
    referenceGrants: maps.ReferenceGrant,
    describeMissing: (kind, id) =>
      invalid.has(`${kind}/${id}`) ? `${kind} ${id}, which is invalid itself` : `no ${kind} ${id}`,
  };
}

/** Resources are replaced, never changed, so each is checked once, though all are compiled with each change. */
const checked = new WeakMap<Resource, readonly Diagnostic[]>();

function problemsOf(resource: Resource): readonly Diagnostic[] {
  let problems = checked.get(resource);
  if (problems === undefined) {
    problems = validateResource(resource);
    checked.set(resource, problems);
  }
  return problems;
}

/** `namespace/name`; the name alone where there is no namespace. */
export function objectId({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** `Kind/namespace/name` (or `Kind/name`): tells an object from all others, whatever it holds. */
export function resourceKey(resource: Resource): string {
  return `${resource.kind}/${objectId(resource)}`;
}

function byKeyThenPlace(left: Resource, right: Resource): number {
  return (
    compare(left.kind, right.kind) ||
    compare(left.namespace, right.namespace) ||
    compare(left.name, right.name) ||
    compare(left.source.file, right.source.file) ||
    left.source.locate([]).line - right.source.locate([]).line ||
    left.source.locate([]).column - right.source.locate([]).column
  );
}

function placeOf(resource: Resource): string {
  return `${resource.source.file}:${resource.source.locate([]).line}`;
}
