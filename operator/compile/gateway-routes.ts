import type { Authentication, Backend, Rule } from '../../proxy/config/snapshot.ts';
import type { EdgeGateway, FieldPath } from '../resources/index.ts';
import { describeValue, withDefaults } from '../resources/index.ts';
import { accessControl, bothAllow } from './access-control.ts';
import { compileAuthentication } from './authentications.ts';
import { compileFilters, compileModifier, compileRewrite, type OnUneditable } from './filters.ts';
import type { UsableListener } from './listeners.ts';
import { compileMatches } from './matches.ts';
import { type GatewayResource, type Objects, objectId } from './objects.ts';
import { resolvePool } from './pool-references.ts';
import type { Pools } from './pools.ts';
import type { Report } from './report.ts';
import type { RouteModel } from './route-model.ts';
import { milliseconds } from './settings.ts';

type WrittenRoute = NonNullable<EdgeGateway['spec']['routes']>[number];
type WrittenBackend = NonNullable<WrittenRoute['backends']>[number];

const ROUTE = 'EdgeGateway.spec.routes[]';

/** What the routes of a gateway are compiled with. */
export interface GatewayContext {
  readonly gateway: GatewayResource;
  /** The gateway's own, which holds where a route says nothing. */
  readonly authentication: Authentication | null;
  readonly listeners: readonly UsableListener[];
  readonly pools: Pools;
  readonly objects: Objects;
  readonly report: Report;
}

/** A route of an EdgeGateway, and the authentication that it brings along. */
export interface GatewayRoute {
  readonly model: RouteModel;
  /** Place in `spec.routes`. */
  readonly index: number;
  readonly authentication: Authentication | null;
}

/** The routes of an EdgeGateway, in the order written, which decides between equal matches. */
export function compileGatewayRoutes(context: GatewayContext): GatewayRoute[] {
  const routes: GatewayRoute[] = [];
  for (const [index, route] of (context.gateway.body.spec.routes ?? []).entries()) {
    const compiled = compileRoute(route, index, context);
    if (compiled !== null) routes.push(compiled);
  }
  return routes;
}

function compileRoute(route: WrittenRoute, index: number, context: GatewayContext): GatewayRoute | null {
  const { gateway, objects, report, listeners } = context;
  const path = ['spec', 'routes', index];
  const matches = compileMatches(route.match ?? {}, (field, pattern, reason) =>
    report.error(gateway, [...path, 'match', ...field], 'UnsupportedValue', {
      message: 'this condition, and what depends on it, is left out',
      found: `the regular expression ${describeValue(pattern)}`,
      expected: `one that can be used (${reason})`,
    }),
  );
  const wanted = route.listeners?.length ? new Set(route.listeners) : null;
  const attached = listeners.filter(
    ({ listener, inherits }) => wanted === null || wanted.has(inherits ?? listener.name),
  );
  const authentication =
    route.authentication === undefined
      ? context.authentication
      : compileAuthentication(
          `${objectId(gateway)}/${route.name}`,
          route.authentication,
          gateway,
          [...path, 'authentication'],
          objects,
          report,
        );
  const action = compileAction(route, path, authentication, context);
  // Only now, so that everything wrong with the route is reported at once.
  if (matches.length === 0) return null;
  return {
    model: {
      id: `EdgeGateway/${objectId(gateway)}/${route.name}`,
      hostnames: [...new Set(route.match?.hosts)].sort(),
      listeners: attached.map(({ listener }) => listener.name),
      matches,
      action,
      sections: [route.name],
      ingress: null,
      ruleLists: [],
    },
    index,
    authentication,
  };
}

function compileAction(
  route: WrittenRoute,
  path: FieldPath,
  authentication: Authentication | null,
  context: GatewayContext,
): RouteModel['action'] {
  const { gateway } = context;
  const filters = compileFilters(
    route.filters ?? [],
    (pool, filter) =>
      resolvePool(
        gateway,
        [...path, 'filters', filter, 'requestMirror', 'backend', 'pool'],
        pool,
        'nothing is mirrored',
        context,
      ),
    reportUneditable([...path, 'filters'], context),
  );
  const timeouts = withDefaults(`${ROUTE}.timeouts`, route.timeouts);
  return {
    accessControl: bothAllow(
      accessControl(gateway.body.spec.accessControl),
      accessControl(route.accessControl),
    ),
    authentication: authentication?.id ?? null,
    filters,
    backends: compileBackends(route, path, context),
    timeouts: {
      requestMs: milliseconds(timeouts.requestSeconds),
      backendRequestMs: milliseconds(timeouts.backendRequestSeconds),
    },
    retry: compileRetry(route),
  };
}

function compileRetry(route: WrittenRoute): Rule['retry'] {
  if (route.retry === undefined) return null;
  const { attempts, codes, backoffMilliseconds } = withDefaults(`${ROUTE}.retry`, route.retry);
  if (attempts === 0) return null;
  return {
    attempts,
    codes: [...new Set(codes)].sort((left, right) => left - right),
    backoffMs: backoffMilliseconds,
  };
}

/** Backends in the order written. One whose weight is 0 gets nothing and stays, as it may be all there is. */
function compileBackends(route: WrittenRoute, path: FieldPath, context: GatewayContext): Backend[] {
  if (route.backend !== undefined) {
    return [compileBackend(route.backend, [...path, 'backend'], context)];
  }
  return (route.backends ?? []).map((backend, index) =>
    compileBackend(backend, [...path, 'backends', index], context),
  );
}

function compileBackend(written: WrittenBackend, path: FieldPath, context: GatewayContext): Backend {
  const { pool: name, weight, filters = [] } = withDefaults(`${ROUTE}.backends[]`, written);
  const pool = resolvePool(
    context.gateway,
    [...path, 'pool'],
    name,
    'requests for this backend are answered with 500',
    context,
  );
  let backend: Omit<Backend, 'pool' | 'weight'> = {
    requestHeaders: null,
    responseHeaders: null,
    rewrite: null,
  };
  const onUneditable = reportUneditable([...path, 'filters'], context);
  for (const [index, { requestHeaderModifier, responseHeaderModifier, urlRewrite }] of filters.entries()) {
    if (requestHeaderModifier)
      backend = {
        ...backend,
        requestHeaders: compileModifier(
          requestHeaderModifier,
          [index, 'requestHeaderModifier'],
          onUneditable,
        ),
      };
    if (responseHeaderModifier)
      backend = {
        ...backend,
        responseHeaders: compileModifier(
          responseHeaderModifier,
          [index, 'responseHeaderModifier'],
          onUneditable,
        ),
      };
    if (urlRewrite) backend = { ...backend, rewrite: compileRewrite(urlRewrite) };
  }
  return { pool, weight, ...backend };
}

function reportUneditable(filters: FieldPath, { gateway, report }: GatewayContext): OnUneditable {
  return (path, name) =>
    report.error(gateway, [...filters, ...path], 'UnsupportedValue', {
      message: 'this change is left out',
      found: `the header field ${describeValue(name)}`,
      expected:
        'one that a filter may change: a URLRewrite changes the host, and framing is up to the gateway',
    });
}
