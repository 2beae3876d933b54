/**
 * Cross-origin resource sharing (Gateway API HTTPCORSFilter; the Fetch standard, CORS protocol).
 *
 * The gateway's policy stands alone: what a backend says in `Access-Control-*` is left out, since a browser refuses
 * a response that has two answers.
 */
import type { Cors, Header } from '../config/snapshot.ts';
import type { RequestView } from '../http/request.ts';
import { type HeaderEdit, headerEdit } from './header-edit.ts';

export interface CorsPolicy {
  /** The header fields of the 204 that answers a preflight, whatever the origin. */
  preflight(request: RequestView): readonly Header[];
  /** What to do with the header of the response to an actual request. */
  responseEdit(request: RequestView): HeaderEdit;
}

/** Whether a request asks for permission only. It carries no credentials: it is answered before authentication. */
export function isPreflight(request: RequestView): boolean {
  return (
    request.method === 'OPTIONS' &&
    request.headers.has('origin') &&
    request.headers.has('access-control-request-method')
  );
}

/** What is the gateway's alone to say. Lower case. */
export const CORS_RESPONSE_FIELDS: ReadonlySet<string> = new Set([
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-expose-headers',
  'access-control-max-age',
]);

export function compileCors(cors: Cors): CorsPolicy {
  return new Policy(cors);
}

class Policy implements CorsPolicy {
  readonly #cors: Cors;
  readonly #origins: readonly ((origin: string) => boolean)[];
  readonly #anyOrigin: boolean;
  /** For an origin that is not allowed, and for a request without one. */
  readonly #refused: HeaderEdit;
  readonly #vary: readonly Header[];

  constructor(cors: Cors) {
    this.#cors = cors;
    this.#anyOrigin = cors.allowOrigins.includes('*');
    this.#origins = cors.allowOrigins.map(originTest);
    // A cache must keep answers to different origins apart, unless all get the same one.
    const varies = !this.#anyOrigin || cors.allowCredentials;
    this.#vary = varies ? [{ name: 'Vary', value: 'Origin' }] : [];
    this.#refused = headerEdit(CORS_RESPONSE_FIELDS, this.#vary);
  }

  responseEdit(request: RequestView): HeaderEdit {
    const origin = request.headers.get('origin');
    if (origin === undefined || !this.#allows(origin)) return this.#refused;
    return headerEdit(CORS_RESPONSE_FIELDS, [...this.#common(origin), ...this.#vary]);
  }

  preflight(request: RequestView): readonly Header[] {
    const origin = request.headers.get('origin') ?? '';
    const vary: Header[] = [
      ...this.#vary,
      { name: 'Vary', value: 'Access-Control-Request-Method, Access-Control-Request-Headers' },
    ];
    if (!this.#allows(origin)) return vary;
    const { allowMethods, allowHeaders, maxAgeSeconds } = this.#cors;
    const headers = this.#common(origin);
    const methods = this.#list(allowMethods, request.headers.get('access-control-request-method'));
    if (methods !== null) headers.push({ name: 'Access-Control-Allow-Methods', value: methods });
    const names = this.#list(allowHeaders, request.headers.get('access-control-request-headers'));
    if (names !== null) headers.push({ name: 'Access-Control-Allow-Headers', value: names });
    headers.push({ name: 'Access-Control-Max-Age', value: String(maxAgeSeconds) });
    return [...headers, ...vary];
  }

  #common(origin: string): Header[] {
    const { allowCredentials, exposeHeaders } = this.#cors;
    const any = this.#anyOrigin && !allowCredentials;
    const headers: Header[] = [{ name: 'Access-Control-Allow-Origin', value: any ? '*' : origin }];
    if (allowCredentials) headers.push({ name: 'Access-Control-Allow-Credentials', value: 'true' });
    // With credentials a browser takes `*` for a header of that name: it would expose nothing.
    const exposed = allowCredentials ? exposeHeaders.filter((name) => name !== '*') : exposeHeaders;
    if (exposed.length > 0) {
      headers.push({ name: 'Access-Control-Expose-Headers', value: exposed.join(', ') });
    }
    return headers;
  }

  /** What is allowed of methods or header names; where that is everything, what the client asked for. */
  #list(allowed: readonly string[], asked: string | undefined): string | null {
    if (allowed.length === 0) return null;
    if (!allowed.includes('*')) return allowed.join(', ');
    // Not `*` itself: it does not cover `Authorization`, and means nothing with credentials.
    return asked === undefined || asked === '' ? null : asked;
  }

  #allows(origin: string): boolean {
    if (origin === '') return false;
    if (this.#anyOrigin) return true;
    for (const test of this.#origins) if (test(origin)) return true;
    return false;
  }
}

/** `scheme://host[:port]`, the host with wildcards, each standing for any number of characters, dots included. */
function originTest(allowed: string): (origin: string) => boolean {
  const expected = splitOrigin(allowed);
  if (expected === null) return () => false;
  const parts = expected.host.split('*');
  return (origin) => {
    const found = splitOrigin(origin);
    if (found === null || found.scheme !== expected.scheme || found.port !== expected.port) return false;
    return matchesParts(found.host, parts);
  };
}

function splitOrigin(origin: string): { scheme: string; host: string; port: string } | null {
  const lower = origin.toLowerCase();
  const colon = lower.indexOf('://');
  if (colon <= 0) return null;
  const scheme = lower.slice(0, colon);
  const authority = lower.slice(colon + 3);
  const bracket = authority.indexOf(']');
  const portColon = authority.indexOf(':', bracket + 1);
  const host = portColon === -1 ? authority : authority.slice(0, portColon);
  const port = portColon === -1 ? '' : authority.slice(portColon + 1);
  if (host === '' || host.includes('/') || port.includes('/')) return null;
  return { scheme, host, port: port || (scheme === 'https' ? '443' : scheme === 'http' ? '80' : '') };
}

/** Whether a host consists of the parts in order with anything between them; a wildcard is at least one character. */
function matchesParts(host: string, parts: readonly string[]): boolean {
  if (parts.length === 1) return host === parts[0];
  const first = parts[0]!;
  const last = parts[parts.length - 1]!;
  if (!host.startsWith(first) || !host.endsWith(last)) return false;
  const end = host.length - last.length;
  let at = first.length;
  for (let i = 1; i < parts.length - 1; i++) {
    const found = host.indexOf(parts[i]!, at + 1);
    if (found === -1 || found + parts[i]!.length > end) return false;
    at = found + parts[i]!.length;
  }
  return at < end;
}
