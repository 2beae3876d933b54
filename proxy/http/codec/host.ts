import { isIPv6 } from 'node:net';
import { HOST } from './characters.ts';

const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;

/**
 * Finds the end of the host in `host[:port]` (RFC 3986 §3.2.2, without user information, percent-encoding and
 * sub-delims, which no real host has; an empty host and an empty port are refused too).
 *
 * @returns where the host ends and the port's colon may stand; -1 when it is not valid
 */
export function hostEnd(text: string, start: number, end: number): number {
  let position = start;
  if (text.charCodeAt(start) === OPEN_BRACKET) {
    const close = text.indexOf(']', start);
    if (close < 0 || close >= end || !isIPv6Literal(text.slice(start + 1, close))) return -1;
    position = close + 1;
  } else {
    while (position < end && HOST[text.charCodeAt(position)] === 1) position++;
  }
  if (position === start) return -1;
  return position === end || isPort(text, position, end) ? position : -1;
}

/** The address without a zone: a zone means something on one machine only (RFC 6874). */
function isIPv6Literal(address: string): boolean {
  return isIPv6(address) && !address.includes('%');
}

/** `:` and 1 to 65535, without leading zeros. */
function isPort(text: string, start: number, end: number): boolean {
  if (text.charCodeAt(start) !== COLON || end - start < 2 || end - start > 6) return false;
  let port = 0;
  for (let i = start + 1; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9 || (digit === 0 && port === 0)) return false;
    port = port * 10 + digit;
  }
  return port <= 65_535;
}

/** Host of a valid authority for matching: lower case, without port and without the dot of a fully qualified name. */
export function hostOf(authority: string): string {
  let end = hostEnd(authority, 0, authority.length);
  if (end < 0) return '';
  if (end > 1 && authority.charCodeAt(end - 1) === 0x2e) end--;
  return authority.slice(0, end).toLowerCase();
}

/** Port of a valid authority; undefined when it names none. */
export function portOf(authority: string): number | undefined {
  const end = hostEnd(authority, 0, authority.length);
  return end < 0 || end === authority.length ? undefined : Number(authority.slice(end + 1));
}
