import type { PathModifier, Redirect, Rewrite } from '../config/snapshot.ts';
import { consistsOf, QUERY } from '../http/codec/characters.ts';
import type { RequestView } from '../http/request.ts';
import { trimSlashes } from '../routing/path-index.ts';

/** What a redirect or rewrite reads of a request. */
export type Location = Pick<RequestView, 'scheme' | 'host' | 'path' | 'query'>;

/**
 * The path after a modifier, without query.
 * @param matchedPrefix the prefix of the route's match; `null` for other kinds of match, where only the full path
 *   can be replaced
 */
export function modifyPath(modifier: PathModifier, path: string, matchedPrefix: string | null): string {
  if (modifier.type === 'ReplaceFullPath') return rooted(modifier.value);
  if (matchedPrefix === null) return path;
  const rest = path.slice(trimSlashes(matchedPrefix).length);
  const replacement = trimSlashes(modifier.value);
  // `rest` is empty or begins with a slash: prefixes match whole path elements.
  return rooted(replacement + rest);
}

function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

/** The path to ask the backend for, without query; it consists of what may stand in a request target. */
export function rewritePath(rewrite: Rewrite | null, path: string, matchedPrefix: string | null): string {
  if (rewrite === null || rewrite.path === null) return path;
  const rewritten = modifyPath(rewrite.path, path, matchedPrefix);
  // A rewrite is configuration, which may have been written in any script.
  return consistsOf(QUERY, rewritten) ? rewritten : percentEncode(rewritten);
}

/**
 * The `Location` of a redirect (Gateway API HTTPRequestRedirectFilter): absolute, the query kept, the port left out
 * where it is the scheme's own.
 * @param listenerPort the port of the redirect where neither port nor scheme is given
 */
export function redirectLocation(
  redirect: Redirect,
  request: Location,
  matchedPrefix: string | null,
  listenerPort: number,
): string {
  const scheme = redirect.scheme ?? request.scheme;
  const host = redirect.hostname ?? request.host;
  const wellKnown = scheme === 'https' ? 443 : 80;
  const port = redirect.port ?? (redirect.scheme === null ? listenerPort : wellKnown);
  const path = redirect.path === null ? request.path : modifyPath(redirect.path, request.path, matchedPrefix);
  const authority = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const query = request.query === '' ? '' : `?${request.query}`;
  return `${scheme}://${authority}${port === wellKnown ? '' : `:${port}`}${encode(rooted(path))}${encode(query)}`;
}

/** Percent-encodes what may not stand in a URI, as UTF-8; leaves what is encoded already. */
function encode(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f) return percentEncode(text);
  }
  return text;
}

/** What is encoded already stays; half of a surrogate pair, which no encoding has, becomes U+FFFD. */
function percentEncode(text: string): string {
  return encodeURI(text.toWellFormed()).replaceAll('%25', '%');
}
