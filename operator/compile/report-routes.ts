import type { RouteMatch } from '../../proxy/config/snapshot.ts';
import { type FieldPath, objectName, type Resource } from '../resources/index.ts';
import type { GatewayRoute } from './gateway-routes.ts';
import { ANY_HOST, describeHostname, effectiveHostnames } from './hostnames.ts';
import type { UsableListener } from './listeners.ts';
import type { GatewayResource } from './objects.ts';
import type { Report } from './report.ts';
import type { RouteModel } from './route-model.ts';
import type { ShadowedMatch, VirtualHosts } from './virtual-hosts.ts';

/** A route, and where its author finds its match again. */
export interface PlacedRoute {
  readonly model: RouteModel;
  readonly resource: Resource;
  readonly path: FieldPath;
  /** What it is called within its object. */
  readonly name: string;
}

/** Reports the matches of routes that no request can ever reach, since earlier ones are the same. */
export function reportShadowed(
  routes: readonly PlacedRoute[],
  hostsByListener: ReadonlyMap<UsableListener, VirtualHosts>,
  report: Report,
): void {
  // A match counts as lost only where it was kept for no host of any listener.
  const kept = new Set<RouteMatch>();
  const shadowed = new Map<RouteMatch, ShadowedMatch>();
  for (const virtual of hostsByListener.values()) {
    for (const host of virtual.hosts) for (const { match } of host.routes) kept.add(match);
    for (const lost of virtual.shadowed) if (!shadowed.has(lost.match)) shadowed.set(lost.match, lost);
  }
  const placeOf = new Map(routes.map((route) => [route.model, route]));
  for (const [match, { model, by }] of shadowed) {
    const route = placeOf.get(model);
    if (kept.has(match) || route === undefined) continue;
    report.error(route.resource, route.path, 'DuplicateRoute', {
      message: 'this match is left out, since no request can reach it',
      found: `${describeMatch(model, match)} a second time, after ${describeEarlier(route, placeOf.get(by))}`,
      expected: 'each combination of host, path, method, headers and query parameters once',
    });
  }
}

function describeEarlier(route: PlacedRoute, by: PlacedRoute | undefined): string {
  if (by === undefined || by.model === route.model) return 'the same route';
  return by.resource === route.resource ? by.name : `${by.name} of ${objectName(by.resource)}`;
}

/** Reports the routes of an EdgeGateway that have no host in common with their listeners. */
export function reportHostnames(
  gateway: GatewayResource,
  routes: readonly GatewayRoute[],
  listeners: readonly UsableListener[],
  report: Report,
): void {
  for (const { model, index } of routes) {
    const attached = listeners.filter(({ listener }) => model.listeners.includes(listener.name));
    // Listeners that were left out are reported themselves.
    if (attached.length === 0) continue;
    if (attached.some(({ hostnames }) => effectiveHostnames(model.hostnames, hostnames).length > 0)) continue;
    report.warning(gateway, ['spec', 'routes', index, 'match', 'hosts'], 'NoMatchingListenerHostname', {
      message: 'no request can reach this route',
      found: model.hostnames.join(', '),
      expected: `a host that its listeners answer to (${describeServed(attached)})`,
    });
  }
}

/** The host names of listeners, none of which takes every host. */
export function describeServed(listeners: readonly UsableListener[]): string {
  return [...new Set(listeners.flatMap(({ hostnames }) => hostnames.map(describeHostname)))]
    .sort()
    .join(', ');
}

function describeMatch({ hostnames, ingress }: RouteModel, { path, method }: RouteMatch): string {
  const match = `${method === null ? '' : `${method} `}${path.type} ${path.value}`;
  // The match of an Ingress is written below its host.
  const [hostname = ANY_HOST] = hostnames;
  return ingress === null ? match : `${match} of ${describeHostname(hostname)}`;
}
