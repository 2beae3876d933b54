import type { RouteEntry, RouteMatch, VirtualHost } from '../../proxy/config/snapshot.ts';
import { ANY_HOST, bySpecificity, covers, effectiveHostnames } from './hostnames.ts';
import { byPrecedence } from './precedence.ts';
import type { RouteModel } from './route-model.ts';

/** A route as it is attached to one listener. */
export interface AttachedRoute {
  readonly model: RouteModel;
  /** Index into the snapshot's rules. */
  readonly rule: number;
}

/** A match that a host does without, since an earlier route for the same host name has the same one. */
export interface ShadowedMatch {
  readonly model: RouteModel;
  readonly match: RouteMatch;
  readonly by: RouteModel;
}

export interface VirtualHosts {
  readonly hosts: readonly VirtualHost[];
  readonly shadowed: readonly ShadowedMatch[];
}

interface Candidate {
  readonly entry: RouteEntry;
  readonly model: RouteModel;
  /** The host name, as the route asks for it, that brings the route here. */
  readonly asked: string;
}

/**
 * Groups the routes of one listener by the host names that they have in common with it, in order of
 * precedence: a route that asks for the host by a more specific name comes first, whatever its paths are
 * (`HTTPRouteSpec.hostnames`); then the matches decide.
 */
export function buildVirtualHosts(
  listenerHostnames: readonly string[],
  routes: readonly AttachedRoute[],
): VirtualHosts {
  const candidates = new Map<string, Candidate[]>();
  for (const { model, rule } of routes) {
    const asked = [...model.hostnames].sort(bySpecificity);
    for (const hostname of effectiveHostnames(model.hostnames, listenerHostnames)) {
      const by = asked.find((name) => covers(name, hostname)) ?? ANY_HOST;
      const host = candidates.get(hostname) ?? [];
      for (const match of model.matches) host.push({ entry: { match, rule }, model, asked: by });
      candidates.set(hostname, host);
    }
  }
  const hosts: VirtualHost[] = [];
  const shadowed: ShadowedMatch[] = [];
  for (const hostname of [...candidates.keys()].sort(bySpecificity)) {
    // The sort is stable, so what is equal stays in the order of the routes.
    const sorted = (candidates.get(hostname) ?? []).sort(
      (left, right) =>
        bySpecificity(left.asked, right.asked) || byPrecedence(left.entry.match, right.entry.match),
    );
    hosts.push({ hostname, routes: withoutRepeated(sorted, shadowed) });
  }
  return { hosts, shadowed };
}

/** Of equal matches the first stays. One that is shadowed by a more specific host name is no mistake. */
function withoutRepeated(candidates: readonly Candidate[], shadowed: ShadowedMatch[]): RouteEntry[] {
  const kept = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const { entry, model, asked } = candidate;
    const key = matchKey(entry.match);
    const first = kept.get(key);
    if (first === undefined) kept.set(key, candidate);
    else if (first.asked === asked) shadowed.push({ model, match: entry.match, by: first.model });
  }
  return [...kept.values()].map(({ entry }) => entry);
}

/** Equal for matches that accept the same requests, as far as that can be told from how they are written. */
function matchKey({ path, method, headers, queryParams }: RouteMatch): string {
  return JSON.stringify([path.type, path.value, method, headers, queryParams]);
}
