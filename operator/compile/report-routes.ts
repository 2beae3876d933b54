import type { RouteMatch } from '../../proxy/config/snapshot.ts';
import type { GatewayRoute } from './gateway-routes.ts';
import { effectiveHostnames } from './hostnames.ts';
import type { UsableListener } from './listeners.ts';
import type { GatewayResource } from './objects.ts';
import type { Report } from './report.ts';
import type { ShadowedMatch, VirtualHosts } from './virtual-hosts.ts';

/** Reports the routes of an EdgeGateway, and the matches of them, that no request can ever reach. */
export function reportRoutes(
  gateway: GatewayResource,
  routes: readonly GatewayRoute[],
  hostsByListener: ReadonlyMap<UsableListener, VirtualHosts>,
  report: Report,
): void {
  reportHostnames(gateway, routes, [...hostsByListener.keys()], report);

  // A match counts as lost only where it was kept for no host of any listener.
  const kept = new Set<RouteMatch>();
  const shadowed = new Map<RouteMatch, ShadowedMatch>();
  for (const virtual of hostsByListener.values()) {
    for (const host of virtual.hosts) for (const { match } of host.routes) kept.add(match);
    for (const lost of virtual.shadowed) if (!shadowed.has(lost.match)) shadowed.set(lost.match, lost);
  }
  const indexOf = new Map(routes.map(({ model, index }) => [model, index]));
  for (const [match, { model, by }] of shadowed) {
    const index = indexOf.get(model);
    if (kept.has(match) || index === undefined) continue;
    report.error(gateway, ['spec', 'routes', index, 'match'], 'DuplicateRoute', {
      message: 'this match is left out, since no request can reach it',
      found: `${describeMatch(match)} a second time, after ${by === model ? 'the same route' : `route ${by.sections[0]}`}`,
      expected: 'each combination of host, path, method, headers and query parameters once',
    });
  }
}

function reportHostnames(
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
    const served = [...new Set(attached.flatMap(({ hostnames }) => hostnames))].sort();
    report.warning(gateway, ['spec', 'routes', index, 'match', 'hosts'], 'NoMatchingListenerHostname', {
      message: 'no request can reach this route',
      found: model.hostnames.join(', '),
      expected: `a host that its listeners answer to (${served.join(', ')})`,
    });
  }
}

function describeMatch({ path, method }: RouteMatch): string {
  return `${method === null ? '' : `${method} `}${path.type} ${path.value}`;
}
