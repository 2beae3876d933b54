import type {
  Cors,
  Filters,
  Header,
  HeaderModifier,
  Mirror,
  PathModifier,
  Redirect,
  Rewrite,
} from '../../proxy/config/snapshot.ts';
import { isEditable } from '../../proxy/http/codec/edit.ts';
import type { EdgeGateway, FieldPath } from '../resources/index.ts';
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

/** Told of a field that no filter may change; the path leads to the entry from the list of filters. */
export type OnUneditable = (path: FieldPath, name: string) => void;

/** The filters of a route; each kind but mirroring occurs once at most. `resolve` finds the pool of a mirror. */
export function compileFilters(
  written: readonly WrittenFilter[],
  resolve: (pool: string, filter: number) => string | null,
  onUneditable: OnUneditable,
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
      filters = {
        ...filters,
        requestHeaders: compileModifier(
          requestHeaderModifier,
          [index, 'requestHeaderModifier'],
          onUneditable,
        ),
      };
    if (responseHeaderModifier)
      filters = {
        ...filters,
        responseHeaders: compileModifier(
          responseHeaderModifier,
          [index, 'responseHeaderModifier'],
          onUneditable,
        ),
      };
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

/** What no filter may change is left out: the gateway sets the host and what frames messages itself. */
export function compileModifier(
  { set = [], add = [], remove = [] }: WrittenModifier,
  path: FieldPath,
  onUneditable: OnUneditable,
): HeaderModifier {
  const editable = (name: string, list: 'set' | 'add' | 'remove', index: number): boolean => {
    if (isEditable(name.toLowerCase())) return true;
    onUneditable([...path, list, index], name);
    return false;
  };
  const headers = (list: 'set' | 'add', written: readonly Header[]): Header[] =>
    written
      .filter(({ name }, index) => editable(name, list, index))
      .map(({ name, value }) => ({ name, value }));
  const removed = remove.filter((name, index) => editable(name, 'remove', index));
  return {
    set: headers('set', set),
    add: headers('add', add),
    remove: [...new Set(removed.map((name) => name.toLowerCase()))].sort(),
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
