import { type Dispatcher, request } from 'undici';
import { jwksRing } from './key-ring.ts';

export interface FetchLimits {
  /** For the whole fetch, redirects included. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly maxRedirects: number;
}

export interface FetchedKeys {
  /** A JWK Set with nothing in it but what verifying takes. */
  readonly json: string;
  readonly keyCount: number;
  /** From `Cache-Control` and `Age`; `null` when the server says nothing. 0 when it forbids storing. */
  readonly freshForMs: number | null;
}

/** Why keys could not be had, in words for the log and the admin page. */
export class JwksFetchError extends Error {}

/**
 * Fetches a JWK Set (RFC 7517 §5).
 * @throws JwksFetchError for whatever goes wrong
 */
export async function fetchJwks(
  uri: string,
  limits: FetchLimits,
  dispatcher: Dispatcher,
): Promise<FetchedKeys> {
  const signal = AbortSignal.timeout(limits.timeoutMs);
  try {
    const response = await get(new URL(uri), limits, dispatcher, signal);
    const body = await readBody(response.body, limits.maxBytes);
    return { ...publicKeys(body), freshForMs: freshness(response.headers) };
  } catch (error) {
    if (error instanceof JwksFetchError) throw error;
    if (signal.aborted) throw new JwksFetchError(`no answer within ${limits.timeoutMs} ms`);
    throw new JwksFetchError(reasonOf(error), { cause: error });
  }
}

async function get(
  uri: URL,
  limits: FetchLimits,
  dispatcher: Dispatcher,
  signal: AbortSignal,
): Promise<Dispatcher.ResponseData> {
  let target = uri;
  for (let redirects = 0; ; redirects++) {
    const headers = { accept: 'application/jwk-set+json, application/json' };
    const response = await request(target, { dispatcher, signal, headers });
    if (response.statusCode === 200) return response;
    // The body must be dealt with or the connection stays busy; nobody is interested in it.
    response.body.on('error', ignore).destroy();
    const location = response.headers.location;
    if (!REDIRECTS.has(response.statusCode) || typeof location !== 'string') {
      throw new JwksFetchError(`found status ${response.statusCode}, expected 200`);
    }
    if (redirects >= limits.maxRedirects) throw new JwksFetchError('too many redirects');
    target = redirected(target, location);
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function ignore(): void {}

/** Never from https to http: the keys would be anybody's. */
function redirected(from: URL, location: string): URL {
  const target = URL.canParse(location, from) ? new URL(location, from) : undefined;
  if (target === undefined || (target.protocol !== 'https:' && target.protocol !== from.protocol)) {
    throw new JwksFetchError(
      'redirected to somewhere that is not allowed (an invalid URI, or from https to http)',
    );
  }
  return target;
}

async function readBody(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw new JwksFetchError(`the answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function publicKeys(body: string): { json: string; keyCount: number } {
  const ring = jwksRing(body, false);
  if (ring === undefined) throw new JwksFetchError('the answer is no JWK Set (a JSON object with "keys")');
  if (ring.size === 0) throw new JwksFetchError('the JWK Set has no key that verifies signatures');
  return { json: ring.toJson(), keyCount: ring.size };
}

/** RFC 9111 §4.2, as far as a JWK Set needs it. */
function freshness(headers: Dispatcher.ResponseData['headers']): number | null {
  const directives = text(headers['cache-control']).toLowerCase();
  if (/\bno-(?:store|cache)\b/.test(directives)) return 0;
  const maxAge = /\bmax-age\s*=\s*"?(\d{1,10})/.exec(directives)?.[1];
  if (maxAge === undefined) return null;
  const age = /^\d{1,10}$/.test(text(headers.age)) ? Number(text(headers.age)) : 0;
  return Math.max(0, Number(maxAge) - age) * 1000;
}

function text(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join(', ') : (value ?? '');
}

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return [code, message].filter((part) => typeof part === 'string' && part !== '').join(': ');
}
