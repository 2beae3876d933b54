import type { TokenSource } from '../config/snapshot.ts';
import type { RequestView } from '../http/request.ts';

/** A place where a token may be, prepared for matching. */
export type CompiledSource =
  | { readonly in: 'header'; readonly name: string; readonly scheme: string; readonly spaced: boolean }
  | { readonly in: 'query' | 'cookie'; readonly name: string };

export function compileSource(source: TokenSource): CompiledSource {
  if (source.in !== 'header') return source;
  const scheme = source.prefix.trimEnd().toLowerCase();
  // `Bearer` is a scheme and ends with a space; `token=` ends itself.
  const last = scheme.charCodeAt(scheme.length - 1) | 0x20;
  const spaced = scheme !== '' && last >= 0x61 && last <= 0x7a;
  return { in: 'header', name: source.name.toLowerCase(), scheme, spaced };
}

/**
 * The token of a request: the first place that has one decides, even when the token turns out to be no good.
 * A header with another scheme (such as `Basic`) and an empty value are places without a token.
 */
export function findToken(sources: readonly CompiledSource[], request: RequestView): string | undefined {
  for (const source of sources) {
    const token = tokenIn(source, request);
    if (token !== undefined && token !== '') return token;
  }
  return undefined;
}

function tokenIn(source: CompiledSource, request: RequestView): string | undefined {
  if (source.in === 'header') {
    const value = request.headers.get(source.name);
    return value === undefined ? undefined : afterScheme(value, source.scheme, source.spaced);
  }
  if (source.in === 'query') {
    return request.query === '' ? undefined : queryParameter(request.query, source.name);
  }
  const cookies = request.headers.get('cookie');
  return cookies === undefined ? undefined : cookie(cookies, source.name);
}

/** RFC 9110 §11.1: the scheme is case-insensitive and followed by one or more spaces. */
function afterScheme(value: string, scheme: string, spaced: boolean): string | undefined {
  const { length } = scheme;
  if (value.length <= length) return undefined;
  if (length > 0 && value.slice(0, length).toLowerCase() !== scheme) return undefined;
  if (spaced && value[length] !== ' ') return undefined;
  return value.slice(length).trim();
}

/** The first value of a query parameter, percent-decoded; what cannot be decoded stays as it is. */
export function queryParameter(query: string, name: string): string | undefined {
  for (let start = 0; start < query.length; ) {
    let end = query.indexOf('&', start);
    if (end < 0) end = query.length;
    let equals = query.indexOf('=', start);
    if (equals < 0 || equals > end) equals = end;
    if (decoded(query.slice(start, equals)) === name) return decoded(query.slice(equals + 1, end));
    start = end + 1;
  }
  return undefined;
}

function decoded(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The first cookie of a name in a `Cookie` header (RFC 6265 §5.4); surrounding double quotes are not part of it. */
export function cookie(header: string, name: string): string | undefined {
  for (let start = 0; start < header.length; ) {
    let end = header.indexOf(';', start);
    if (end < 0) end = header.length;
    const equals = header.indexOf('=', start);
    if (equals >= 0 && equals < end && header.slice(start, equals).trim() === name) {
      const value = header.slice(equals + 1, end).trim();
      const quoted = value.length >= 2 && value.startsWith('"') && value.endsWith('"');
      return quoted ? value.slice(1, -1) : value;
    }
    start = end + 1;
  }
  return undefined;
}
