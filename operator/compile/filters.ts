import type {
  Cors,
  Filters,
  HeaderModifier,
  Mirror,
  PathModifier,
  Redirect,
  Rewrite,
} from '../../proxy/config/snapshot.ts';
import type { EdgeGateway } from '../resources/index.ts';
import { withDefaults } from '../resources/index.ts';

type Route = NonNullable<EdgeGateway['spec']['routes']>[number];
export type WrittenFilter = NonNullable<Route['filters']>[number];
type WrittenModifier = NonNullable<WrittenFilter['requestHeaderModifier']>;
type WrittenRedirect = NonNullable<WrittenFilter['requestRedirect']>;
type WrittenRewrite = NonNullable<WrittenFilter['urlRewrite']>;
type WrittenMirror = NonNullable<WrittenFilter['requestMirror']>;
type WrittenCors = NonNullable<WrittenFilter['cors']>;
type WrittenPath = NonNullable<WrittenRewrite['path']>;

const FILTER = 'EdgeGateway.spec.routes[].filters[]';

/** The filters of a route; each kind but mirroring occurs once at most. `resolve` finds the pool of a mirror. */
export function compileFilters(
  written: readonly WrittenFilter[],
  resolve: (pool: string, filter: number) => string | null,
): Filters {
  let filters: Filters = {
    requestHeaders: null,
    responseHeaders: null,
    redirect: null,
    rewrite: null,
    mirrors: [],
    cors: null,
  };
  for (const [index, filter] of written.entries()) {
    const {
      requestHeaderModifier,
      responseHeaderModifier,
      requestRedirect,
      urlRewrite,
      requestMirror,
      cors,
    } = filter;
    if (requestHeaderModifier)
      filters = { ...filters, requestHeaders: compileModifier(requestHeaderModifier) };
    if (responseHeaderModifier)
      filters = { ...filters, responseHeaders: compileModifier(responseHeaderModifier) };
    if (requestRedirect) filters = { ...filters, redirect: compileRedirect(requestRedirect) };
    if (urlRewrite) filters = { ...filters, rewrite: compileRewrite(urlRewrite) };
    if (requestMirror) {
      const mirror = compileMirror(requestMirror, resolve(requestMirror.backend.pool, index));
      filters = { ...filters, mirrors: [...filters.mirrors, mirror] };
    }
    if (cors) filters = { ...filters, cors: compileCors(cors) };
  }
  return filters;
}

export function compileModifier({ set = [], add = [], remove = [] }: WrittenModifier): HeaderModifier {
  return {
    set: set.map(({ name, value }) => ({ name, value })),
    add: add.map(({ name, value }) => ({ name, value })),
    remove: [...new Set(remove.map((name) => name.toLowerCase()))].sort(),
  };
}

export function compileRewrite({ hostname, path }: WrittenRewrite): Rewrite {
  return { hostname: hostname ?? null, path: path === undefined ? null : compilePath(path) };
}

function compileRedirect(written: WrittenRedirect): Redirect {
  const { scheme, hostname, path, port, statusCode } = withDefaults(`${FILTER}.requestRedirect`, written);
  return {
    scheme: scheme ?? null,
    hostname: hostname ?? null,
    path: path === undefined ? null : compilePath(path),
    port: port ?? null,
    // The schema lets no other status through.
    statusCode: statusCode as Redirect['statusCode'],
  };
}

function compilePath({ type, replaceFullPath, replacePrefixMatch }: WrittenPath): PathModifier {
  return { type, value: (type === 'ReplaceFullPath' ? replaceFullPath : replacePrefixMatch) ?? '' };
}

function compileMirror({ percent, fraction }: WrittenMirror, pool: string | null): Mirror {
  if (percent !== undefined) return { pool, numerator: percent, denominator: 100 };
  if (fraction === undefined) return { pool, numerator: 100, denominator: 100 };
  const { numerator, denominator } = withDefaults(`${FILTER}.requestMirror.fraction`, fraction);
  return { pool, numerator, denominator };
}

function compileCors(written: WrittenCors): Cors {
  const cors = withDefaults(`${FILTER}.cors`, written);
  return {
    allowOrigins: sorted(cors.allowOrigins),
    allowCredentials: cors.allowCredentials,
    allowMethods: sorted(cors.allowMethods),
    allowHeaders: sorted(cors.allowHeaders),
    exposeHeaders: sorted(cors.exposeHeaders),
    maxAgeSeconds: cors.maxAge,
  };
}

function sorted(values: readonly string[] | undefined): string[] {
  return [...new Set(values)].sort();
}
