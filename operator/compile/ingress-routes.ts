import type { Authentication, Filters, RouteMatch } from '../../proxy/config/snapshot.ts';
import type { PathPolicy } from '../../proxy/http/codec/path.ts';
import { type FieldPath, objectName } from '../resources/index.ts';
import { accessControl } from './access-control.ts';
import { ANY_HOST, covers, describeHostname, ingressHostname } from './hostnames.ts';
import {
  annotationPath,
  type IngressSettings,
  RULE_LISTS,
  readAnnotations,
  SSL_REDIRECT,
} from './ingress-annotations.ts';
import { IngressBackends, type ServicePools } from './ingress-backends.ts';
import { IngressListenerIndex } from './ingress-listeners.ts';
import { ANY_PATH, compilePath } from './ingress-paths.ts';
import { HTTPS_PORT, hostnamesOf } from './ingress-tls.ts';
import type { UsableListener } from './listeners.ts';
import { type GatewayResource, type IngressResource, type Objects, objectId } from './objects.ts';
import type { Pools } from './pools.ts';
import type { Report } from './report.ts';
import { describeServed, type PlacedRoute } from './report-routes.ts';
import type { RouteModel } from './route-model.ts';
import type { RuleLists } from './rule-lists.ts';

const NO_FILTERS: Filters = {
  requestHeaders: null,
  responseHeaders: null,
  redirect: null,
  rewrite: null,
  mirrors: [],
  cors: null,
};

export interface IngressRouteInput {
  readonly gateway: GatewayResource;
  /** The gateway's own, which holds unless an Ingress says otherwise. */
  readonly authentication: Authentication | null;
  /** The gateway's own. */
  readonly listeners: readonly UsableListener[];
  /** Those that certificates of Ingresses make, and their port. */
  readonly tlsListeners: readonly UsableListener[];
  readonly tlsPort: number;
  /** Those that the gateway serves, the oldest first. */
  readonly ingresses: readonly IngressResource[];
  readonly paths: PathPolicy;
  readonly pools: Pools;
  readonly servicePools: ServicePools;
  readonly ruleLists: RuleLists;
  readonly objects: Objects;
  readonly report: Report;
}

export interface IngressRoutes {
  readonly models: readonly RouteModel[];
  /** Those whose author should know when no request can reach them. */
  readonly placed: readonly PlacedRoute[];
}

/** What the routes of one Ingress are compiled with. */
interface Context extends IngressRouteInput {
  readonly ingress: IngressResource;
  readonly settings: IngressSettings;
  readonly backends: IngressBackends;
  readonly ruleListIds: readonly string[];
  /** The host names that are redirected to HTTPS. */
  readonly redirected: readonly string[];
  readonly index: IngressListenerIndex;
}

/**
 * The routes of the Ingresses that a gateway serves, in the order that decides between equal ones: first all rules, the
 * oldest first; then, for what no rule takes, each default backend for the hosts of its own Ingress; last the oldest
 * default backend for every other host.
 */
export function compileIngressRoutes(input: IngressRouteInput): IngressRoutes {
  const index = new IngressListenerIndex(input.listeners, input.tlsListeners);
  const contexts = input.ingresses.map((ingress) => contextOf(ingress, index, input));
  const placed = contexts.flatMap(compileRules);
  const models = placed.map(({ model }) => model);
  const withDefault = contexts.filter(({ ingress }) => ingress.body.spec.defaultBackend !== undefined);
  const [oldest] = withDefault;
  const fallbacks: PlacedRoute[] = [];
  for (const context of withDefault) {
    const { own, others } = compileDefault(context, context === oldest);
    models.push(...own);
    fallbacks.push(...others);
    if (oldest !== undefined && context !== oldest) reportSecondDefault(context, oldest.ingress);
  }
  return {
    models: [...models, ...fallbacks.map(({ model }) => model)],
    placed: [...placed, ...fallbacks],
  };
}

function contextOf(ingress: IngressResource, index: IngressListenerIndex, input: IngressRouteInput): Context {
  const { report } = input;
  const settings = readAnnotations(ingress, report);
  const redirected = settings.sslRedirect
    ? (ingress.body.spec.tls ?? []).flatMap((entry) => hostnamesOf(entry, ingress))
    : [];
  if (settings.sslRedirect && redirected.length === 0) {
    report.warning(ingress, annotationPath(SSL_REDIRECT), 'UnsupportedValue', {
      message: 'nothing is redirected',
      found: 'no hosts in spec.tls',
      expected: 'the hosts that have a certificate',
    });
  }
  return {
    ...input,
    ingress,
    settings,
    backends: new IngressBackends(ingress, settings, input),
    ruleListIds: ruleListsOf(ingress, settings, input),
    redirected,
    index,
  };
}

function ruleListsOf(
  ingress: IngressResource,
  settings: IngressSettings,
  { ruleLists, objects, report }: IngressRouteInput,
): string[] {
  return settings.ruleLists.flatMap((name) => {
    const id = `${ingress.namespace}/${name}`;
    if (ruleLists.byId.has(id)) return id;
    report.error(ingress, annotationPath(RULE_LISTS), 'RuleListNotFound', {
      message: 'its rules do not hold',
      found: objects.describeMissing('FirewallRuleList', id),
      expected: `a FirewallRuleList ${name} in the namespace ${ingress.namespace}`,
    });
    return [];
  });
}

function compileRules(context: Context): PlacedRoute[] {
  const { ingress, backends, paths: policy, report } = context;
  const placed: PlacedRoute[] = [];
  let number = 0;
  for (const [index, { host, http }] of (ingress.body.spec.rules ?? []).entries()) {
    const hostname = ingressHostname(host);
    reportUnreachable(hostname, ['spec', 'rules', index, 'host'], context);
    for (const [place, written] of (http?.paths ?? []).entries()) {
      const at = ['spec', 'rules', index, 'http', 'paths', place];
      const id = `Ingress/${objectId(ingress)}/${number++}`;
      const pool = backends.resolve(written.backend, [...at, 'backend']);
      const path = compilePath(written, [...at, 'path'], ingress, policy, report);
      if (path === null) continue;
      const name = `spec.rules[${index}].http.paths[${place}]`;
      for (const model of compileRoute(id, hostname, path, pool, context)) {
        placed.push({ model, resource: ingress, path: at, name });
      }
    }
  }
  return placed;
}

/** The default backend: for the hosts of its Ingress, and, if it is to be, for all others. */
function compileDefault(
  context: Context,
  isForOthers: boolean,
): { own: RouteModel[]; others: PlacedRoute[] } {
  const { ingress, backends } = context;
  const { rules = [], defaultBackend = {} } = ingress.body.spec;
  const path = ['spec', 'defaultBackend'];
  const pool = backends.resolve(defaultBackend, path);
  const id = `Ingress/${objectId(ingress)}/default`;
  const hostnames = new Set(rules.map(({ host }) => ingressHostname(host)));
  hostnames.delete(ANY_HOST);
  const own = [...hostnames].flatMap((hostname) => compileRoute(id, hostname, ANY_PATH, pool, context));
  const others = isForOthers ? compileRoute(id, ANY_HOST, ANY_PATH, pool, context) : [];
  return {
    own,
    others: others.map((model) => ({ model, resource: ingress, path, name: 'spec.defaultBackend' })),
  };
}

/** A route to a pool, but for where it is redirected to HTTPS. */
function compileRoute(
  id: string,
  hostname: string,
  path: RouteMatch['path'],
  pool: string | null,
  context: Context,
): RouteModel[] {
  const { gateway, ingress, index, redirected, settings, authentication, ruleListIds, tlsPort } = context;
  const listeners = index.find(hostname);
  const isRedirected = redirected.some((name) => covers(name, hostname));
  const matches: RouteMatch[] = [{ path, method: null, headers: [], queryParams: [] }];
  const route = (
    to: readonly UsableListener[],
    action: Pick<RouteModel['action'], 'authentication' | 'filters' | 'backends'>,
  ): RouteModel => ({
    id,
    hostnames: hostname === ANY_HOST ? [] : [hostname],
    listeners: to.map(({ listener }) => listener.name),
    matches,
    action: {
      accessControl: accessControl(gateway.body.spec.accessControl),
      timeouts: { requestMs: 0, backendRequestMs: 0 },
      retry: null,
      ...action,
    },
    sections: [],
    ingress: objectId(ingress),
    ruleLists: ruleListIds,
  });
  const served = listeners.filter(({ listener }) => !isRedirected || listener.protocol === 'HTTPS');
  const moved = listeners.filter((listener) => !served.includes(listener));
  const routes = [
    route(served, {
      authentication: settings.authentication ? (authentication?.id ?? null) : null,
      filters: NO_FILTERS,
      backends: [{ pool, weight: 1, requestHeaders: null, responseHeaders: null, rewrite: null }],
    }),
  ];
  // No token is asked for, as it would pass in the clear.
  if (moved.length > 0) {
    routes.push(route(moved, { authentication: null, filters: redirectToHttps(tlsPort), backends: [] }));
  }
  return routes;
}

function redirectToHttps(port: number): Filters {
  return {
    ...NO_FILTERS,
    redirect: {
      scheme: 'https',
      hostname: null,
      path: null,
      port: port === HTTPS_PORT ? null : port,
      statusCode: 308,
    },
  };
}

function reportUnreachable(
  hostname: string,
  path: FieldPath,
  { ingress, gateway, index, listeners, report }: Context,
): void {
  // A gateway none of whose listeners is served says so itself.
  if (listeners.length === 0 || index.find(hostname).length > 0) return;
  report.warning(ingress, path, 'NoMatchingListenerHostname', {
    message: 'no request can reach this rule',
    found: describeHostname(hostname),
    expected: `a host that ${objectName(gateway)} answers to (${describeServed(listeners)})`,
  });
}

function reportSecondDefault({ ingress, report }: Context, oldest: IngressResource): void {
  const hasHosts = (ingress.body.spec.rules ?? []).some(({ host }) => ingressHostname(host) !== ANY_HOST);
  const message = hasHosts
    ? 'this default backend holds for the hosts of this Ingress only'
    : 'this default backend is left out';
  report[hasHosts ? 'warning' : 'error'](ingress, ['spec', 'defaultBackend'], 'DuplicateRoute', {
    message,
    found: `a second one for every host, after that of ${objectName(oldest)}`,
    expected: 'one default backend for each gateway',
  });
}
