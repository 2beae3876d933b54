import { snapshotHash } from '../../proxy/config/encoding.ts';
import {
  type Authentication,
  type Certificate,
  type Listener,
  type Pool,
  type Port,
  type Rule,
  type RuleList,
  SNAPSHOT_FORMAT,
  type Snapshot,
} from '../../proxy/config/snapshot.ts';
import { accessControl } from './access-control.ts';
import { compileAuthentication } from './authentications.ts';
import type { Certificates } from './certificates.ts';
import { compileGatewayRoutes, type GatewayRoute } from './gateway-routes.ts';
import { ANY_HOST, bySpecificity, compare } from './hostnames.ts';
import type { ServicePools } from './ingress-backends.ts';
import { compileIngressRoutes } from './ingress-routes.ts';
import { compileIngressListeners, ingressPort } from './ingress-tls.ts';
import { compileListeners, type UsableListener } from './listeners.ts';
import { type GatewayResource, type IngressResource, type Objects, objectId } from './objects.ts';
import type { Pools } from './pools.ts';
import { type ClaimedListener, type PortClaims, transportOf } from './ports.ts';
import type { Report } from './report.ts';
import { type PlacedRoute, reportHostnames, reportShadowed } from './report-routes.ts';
import type { RuleLists } from './rule-lists.ts';
import { attachRoutes } from './rules.ts';
import { compileSettings } from './settings.ts';
import { buildVirtualHosts, type VirtualHosts } from './virtual-hosts.ts';

export interface GatewayInput {
  readonly gateway: GatewayResource;
  readonly claimed: readonly ClaimedListener[];
  readonly ports: PortClaims;
  /** Those that the gateway serves, the oldest first. */
  readonly ingresses: readonly IngressResource[];
  readonly objects: Objects;
  readonly certificates: Certificates;
  readonly pools: Pools;
  readonly servicePools: ServicePools;
  readonly ruleLists: RuleLists;
  readonly report: Report;
}

export interface CompiledGateway {
  readonly id: string;
  /** Its listeners and routes, and of everything else what these refer to. */
  readonly snapshot: Snapshot;
  /** The number of routes of each listener, by name. */
  readonly attachedRoutes: ReadonlyMap<string, number>;
}

export function compileGateway(input: GatewayInput): CompiledGateway {
  const { gateway, claimed, objects, certificates, pools, servicePools, ruleLists, report } = input;
  const id = objectId(gateway);
  const { spec } = gateway.body;
  const settings = compileSettings(gateway);

  const own = compileListeners(gateway, claimed, objects, certificates, report);
  const tlsListeners = compileIngressListeners({ ...input, own });
  const listeners = [...own, ...tlsListeners];
  const authentication = compileAuthentication(
    id,
    spec.authentication,
    gateway,
    ['spec', 'authentication'],
    objects,
    report,
  );

  // Where routes are equal, the gateway's own come first.
  const routes = compileGatewayRoutes({ gateway, authentication, listeners, pools, objects, report });
  const ofIngresses = compileIngressRoutes({
    ...input,
    authentication,
    listeners: own,
    tlsListeners,
    tlsPort: ingressPort(claimed),
    paths: settings.paths,
  });
  const models = [...routes.map(({ model }) => model), ...ofIngresses.models];
  const { rules, byListener } = attachRoutes(id, listeners, models, ruleLists);

  const hostsByListener = new Map<UsableListener, VirtualHosts>();
  for (const listener of listeners) {
    hostsByListener.set(listener, buildVirtualHosts(listener.hostnames, byListener.get(listener) ?? []));
  }
  reportHostnames(gateway, routes, listeners, report);
  reportShadowed(
    [...routes.map((route) => placeOf(gateway, route)), ...ofIngresses.placed],
    hostsByListener,
    report,
  );

  const compiled = listeners.map((usable) => ({
    usable,
    isOfIngress: !own.includes(usable),
    listener: {
      name: usable.listener.name,
      protocol: usable.listener.protocol,
      hostnames: usable.hostnames,
      tls: usable.tls,
      accessControl: accessControl(spec.accessControl),
      authentication: authentication?.id ?? null,
      hosts: hostsByListener.get(usable)?.hosts ?? [],
      streamRule: null,
    },
  }));
  const content: Omit<Snapshot, 'hash'> = {
    format: SNAPSHOT_FORMAT,
    gateway: { namespace: gateway.namespace, name: gateway.name },
    settings,
    ports: groupByPort(compiled),
    rules,
    pools: usedPools(rules, (pool) => pools.get(pool) ?? servicePools.get(pool)),
    certificates: usedCertificates(listeners, certificates),
    authentications: usedAuthentications(authentication, rules, routes),
    ruleLists: usedRuleLists(rules, ruleLists),
  };
  return {
    id,
    snapshot: { ...content, hash: snapshotHash(content) },
    attachedRoutes: new Map(
      own.map((listener) => [listener.listener.name, byListener.get(listener)?.length ?? 0]),
    ),
  };
}

function placeOf(gateway: GatewayResource, { model, index }: GatewayRoute): PlacedRoute {
  const path = ['spec', 'routes', index, 'match'];
  return { model, resource: gateway, path, name: `route ${model.sections[0]}` };
}

interface CompiledListener {
  readonly usable: UsableListener;
  readonly listener: Listener;
  readonly isOfIngress: boolean;
}

function groupByPort(compiled: readonly CompiledListener[]): Port[] {
  const ports = new Map<string, { port: number; transport: Port['transport']; listeners: Listener[] }>();
  for (const { usable, listener } of [...compiled].sort(byMostSpecificHostname)) {
    const { port } = usable.listener;
    const transport = transportOf(usable.listener);
    const entry = ports.get(`${port} ${transport}`) ?? { port, transport, listeners: [] };
    entry.listeners.push(listener);
    ports.set(`${port} ${transport}`, entry);
  }
  return [...ports.values()].sort(
    (left, right) => left.port - right.port || compare(left.transport, right.transport),
  );
}

/** Those of Ingresses last: a client that asks for no host gets the gateway's own certificate. */
function byMostSpecificHostname(left: CompiledListener, right: CompiledListener): number {
  return (
    Number(left.isOfIngress) - Number(right.isOfIngress) ||
    bySpecificity(mostSpecific(left.listener), mostSpecific(right.listener)) ||
    compare(left.listener.name, right.listener.name)
  );
}

function mostSpecific({ hostnames }: Listener): string {
  return [...hostnames].sort(bySpecificity)[0] ?? ANY_HOST;
}

function usedPools(rules: readonly Rule[], poolOf: (id: string) => Pool | undefined): Pool[] {
  const used = new Map<string, Pool>();
  for (const { backends, filters } of rules) {
    for (const { pool: id } of [...backends, ...filters.mirrors]) {
      const pool = id === null ? undefined : poolOf(id);
      if (pool !== undefined) used.set(pool.id, pool);
    }
  }
  return sortedById(used.values());
}

function usedCertificates(listeners: readonly UsableListener[], certificates: Certificates): Certificate[] {
  const used = new Map<string, Certificate>();
  for (const id of listeners.flatMap(({ tls }) => tls?.certificates ?? [])) {
    const certificate = certificates.get(id);
    if (certificate) used.set(id, certificate);
  }
  return sortedById(used.values());
}

function usedAuthentications(
  ofGateway: Authentication | null,
  rules: readonly Rule[],
  routes: readonly { readonly authentication: Authentication | null }[],
): Authentication[] {
  const ids = new Set(rules.map(({ authentication }) => authentication));
  const used = new Map<string, Authentication>();
  if (ofGateway !== null) used.set(ofGateway.id, ofGateway);
  for (const { authentication } of routes) {
    if (authentication !== null && ids.has(authentication.id)) used.set(authentication.id, authentication);
  }
  return sortedById(used.values());
}

function usedRuleLists(rules: readonly Rule[], { byId }: RuleLists): RuleList[] {
  const used = new Map<string, RuleList>();
  for (const id of rules.flatMap(({ ruleLists }) => ruleLists)) {
    const list = byId.get(id);
    if (list !== undefined) used.set(id, list);
  }
  return sortedById(used.values());
}

function sortedById<T extends { readonly id: string }>(values: Iterable<T>): T[] {
  return [...values].sort((left, right) => compare(left.id, right.id));
}
