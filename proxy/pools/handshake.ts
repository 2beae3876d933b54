import type { RequestView } from '../http/request.ts';
import { queryValue } from './affinity.ts';

/** A body that is longer is no handshake's answer: pass it on unread. */
export const MAX_HANDSHAKE_BYTES = 65_536;

/**
 * Whether a request without the query value is one whose answer gives the value out: the negotiation of ASP.NET Core
 * SignalR (`POST …/negotiate`), or the first request of Engine.IO by long polling (`EIO` without a session id).
 */
export function isHandshake(request: RequestView, parameter: string): boolean {
  if (request.method === 'POST') {
    return request.path.endsWith('/negotiate') && queryValue(request.query, parameter) === null;
  }
  if (request.method !== 'GET' || queryValue(request.query, 'EIO') === null) return false;
  return (
    queryValue(request.query, 'transport') === 'polling' && queryValue(request.query, parameter) === null
  );
}

/**
 * Values that later requests will carry in the parameter: SignalR's `connectionToken` (`connectionId` up to negotiate
 * version 0), or a member named as the parameter is (Engine.IO's `sid`, whose packet begins with a `0`).
 */
export function affinityValues(body: string, parameter: string): string[] {
  let answer: unknown;
  try {
    // Engine.IO's packets in one body are separated by U+001E; the first is the one that opens.
    answer = JSON.parse(body.startsWith('0{') ? body.slice(1).split('\u001e', 1)[0]! : body);
  } catch {
    return [];
  }
  if (typeof answer !== 'object' || answer === null) return [];
  const members = answer as Record<string, unknown>;
  const values = [members.connectionToken ?? members.connectionId, members[parameter]];
  return values.filter((value) => typeof value === 'string' && value !== '') as string[];
}
