import { createHmac } from 'node:crypto';
import type { Affinity, HashKey } from '../config/snapshot.ts';
import type { RequestView } from '../http/request.ts';

type CookieAffinity = Extract<Affinity, { by: 'cookie' }>;

/**
 * The value of the affinity cookie that stands for an endpoint. It does not show the address to whoever lacks the key,
 * and is the same in every worker, pod and restart that has the key.
 */
export function endpointTag(key: Uint8Array, poolId: string, endpointId: string): string {
  return createHmac('sha256', key)
    .update(`${poolId}\n${endpointId}`)
    .digest('base64url')
    .slice(0, TAG_LENGTH);
}

/** 96 bits. */
const TAG_LENGTH = 16;

/** RFC 6265 §4.1. */
export function setCookieValue(affinity: CookieAffinity, tag: string, request: RequestView): string {
  const maxAge = affinity.ttlSeconds > 0 ? `; Max-Age=${affinity.ttlSeconds}` : '';
  const secure = (affinity.secure ?? request.scheme === 'https') ? '; Secure' : '';
  return `${affinity.name}=${tag}; Path=${affinity.path}${maxAge}; SameSite=${affinity.sameSite}${secure}; HttpOnly`;
}

/** What a consistent hash goes by; `null` where the request has no such thing. */
export function hashKeyOf(key: HashKey, request: RequestView): string | null {
  switch (key.from) {
    case 'header':
      return request.headers.get(key.name.toLowerCase()) ?? null;
    case 'cookie':
      return cookieOf(request, key.name);
    case 'query':
      return queryValue(request.query, key.name);
    case 'sourceIP':
      return request.clientAddress;
  }
}

/** Value of the first cookie of that name, without white space and quotes; `null` when there is none. */
export function cookieOf(request: RequestView, name: string): string | null {
  const header = request.headers.get('cookie');
  if (header === undefined) return null;
  let at = 0;
  while (at < header.length) {
    let end = header.indexOf(';', at);
    if (end === -1) end = header.length;
    while (at < end && (header[at] === ' ' || header[at] === '\t')) at++;
    if (header.startsWith(name, at) && header[at + name.length] === '=') {
      const value = header.slice(at + name.length + 1, end).trim();
      return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
    }
    at = end + 1;
  }
  return null;
}

/** Decoded value of the first query parameter of that name; `null` when there is none or it is empty. */
export function queryValue(query: string, name: string): string | null {
  let at = 0;
  while (at < query.length) {
    let end = query.indexOf('&', at);
    if (end === -1) end = query.length;
    if (query.startsWith(name, at) && query[at + name.length] === '=') {
      const value = query.slice(at + name.length + 1, end);
      return value === '' ? null : decode(value);
    }
    at = end + 1;
  }
  return null;
}

/** Some clients escape a token and others do not; `+` stays, since tokens in base64 have it. */
function decode(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
