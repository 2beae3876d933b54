import type { RouteEntry, RouteMatch, VirtualHost } from '../../proxy/config/snapshot.ts';
import { bySpecificity, effectiveHostnames } from './hostnames.ts';
import { byPrecedence } from './precedence.ts';
import type { RouteModel } from './route-model.ts';

/** A route as it is attached to one listener. */
export interface AttachedRoute {
  readonly model: RouteModel;
  /** Index into the snapshot's rules. */
  readonly rule: number;
}

/** A match that can never be reached, since an earlier route of the same host has the same one. */
export interface ShadowedMatch {
  readonly model: RouteModel;
  readonly match: RouteMatch;
  readonly hostname: string;
  readonly by: RouteModel;
}

export interface VirtualHosts {
  readonly hosts: readonly VirtualHost[];
  readonly shadowed: readonly ShadowedMatch[];
}

interface Candidate {
  readonly entry: RouteEntry;
  readonly model: RouteModel;
}

/** Groups the routes of one listener by the host names that they have in common with it, in order of precedence. */
export function buildVirtualHosts(
  listenerHostnames: readonly string[],
  routes: readonly AttachedRoute[],
): VirtualHosts {
  const candidates = new Map<string, Candidate[]>();
  for (const { model, rule } of routes) {
    const hostnames = effectiveHostnames(model.hostnames, listenerHostnames);
    const entries = model.matches.map((match) => ({ entry: { match, rule }, model }));
    for (const hostname of hostnames) {
      const host = candidates.get(hostname);
      if (host === undefined) candidates.set(hostname, [...entries]);
      else host.push(...entries);
    }
  }
  const hosts: VirtualHost[] = [];
  const shadowed: ShadowedMatch[] = [];
  for (const hostname of [...candidates.keys()].sort(bySpecificity)) {
    const { kept, dropped } = withoutRepeated(candidates.get(hostname) ?? []);
    kept.sort((left, right) => byPrecedence(left.match, right.match));
    hosts.push({ hostname, routes: kept });
    for (const { model, match, by } of dropped) shadowed.push({ model, match, hostname, by });
  }
  return { hosts, shadowed };
}

/** Of equal matches the first stays. */
function withoutRepeated(candidates: readonly Candidate[]) {
  const kept: RouteEntry[] = [];
  const dropped: { model: RouteModel; match: RouteMatch; by: RouteModel }[] = [];
  const first = new Map<string, RouteModel>();
  for (const { entry, model } of candidates) {
    const key = matchKey(entry.match);
    const by = first.get(key);
    if (by === undefined) {
      first.set(key, model);
      kept.push(entry);
    } else {
      dropped.push({ model, match: entry.match, by });
    }
  }
  return { kept, dropped };
}

/** Equal for matches that accept the same requests, as far as that can be told from how they are written. */
function matchKey({ path, method, headers, queryParams }: RouteMatch): string {
  return JSON.stringify([path.type, path.value, method, headers, queryParams]);
}
