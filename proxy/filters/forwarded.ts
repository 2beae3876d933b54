/**
 * Who the client is, and what the backend is told of the way that a request took: `X-Forwarded-*` and `Forwarded`
 * (RFC 7239).
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import type { Settings } from '../config/snapshot.ts';
import type { HeaderView } from '../http/codec/headers.ts';

type Forwarding = Settings['forwardedHeaders'];

/** Where a request came in. */
export interface Hop {
  /** Of the socket, as by {@link canonicalAddress}. */
  readonly peerAddress: string;
  readonly scheme: 'http' | 'https';
  /** Host of the request as received, with its port if it has one. */
  readonly authority: string;
  /** The listener's. */
  readonly port: number;
}

/** What the gateway writes anew in every request. */
const REWRITTEN = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
];
/** What backends believe as well, and only a trusted proxy may say. */
const BELIEVED = [
  'x-forwarded-prefix',
  'x-forwarded-scheme',
  'x-forwarded-ssl',
  'x-forwarded-server',
  'x-real-ip',
];

const DROPPED_ALWAYS: ReadonlySet<string> = new Set(REWRITTEN);
const DROPPED_UNTRUSTED: ReadonlySet<string> = new Set([...REWRITTEN, ...BELIEVED]);

/** Names of the fields of the client's request that do not pass: `forwardedLines` has what replaces them. */
export function droppedForwardedFields(settings: Forwarding): ReadonlySet<string> {
  return settings.trustedHops === 0 ? DROPPED_UNTRUSTED : DROPPED_ALWAYS;
}

/**
 * An address in its shortest form, IPv4-mapped ones as IPv4, without zone; `null` when it is none.
 */
export function canonicalAddress(address: string): string | null {
  if (isIPv4(address)) return address;
  const zone = address.indexOf('%');
  const bare = zone === -1 ? address : address.slice(0, zone);
  if (!isIPv6(bare)) return null;
  const short = new SocketAddress({ address: bare, family: 'ipv6' }).address;
  return short.startsWith('::ffff:') && short.includes('.') ? short.slice(7) : short;
}

/**
 * The client's address: the socket's, or with `trustedHops` proxies in front, the entry that the outermost of them
 * wrote, counted from the right. Where there are fewer entries, or that one is no address, nothing is believed and
 * it is the socket's.
 * @param peerAddress of the socket, as by {@link canonicalAddress}
 */
export function clientAddressOf(peerAddress: string, headers: HeaderView, trustedHops: number): string {
  if (trustedHops === 0) return peerAddress;
  const chain = forwardedFor(headers);
  const entry = chain[chain.length - trustedHops];
  return (entry === undefined ? null : entryAddress(entry)) ?? peerAddress;
}

/**
 * The field lines that tell the backend of this hop, each with its CRLF. Entries that the client sent are kept only
 * where there is a trusted proxy in front, whose `X-Forwarded-Proto`, `-Host` and `-Port` then stand too.
 */
export function forwardedLines(settings: Forwarding, hop: Hop, headers: HeaderView): string {
  const trusted = settings.trustedHops > 0;
  let lines = '';
  if (settings.emit !== 'Forwarded') {
    const chain = trusted ? forwardedFor(headers) : [];
    chain.push(hop.peerAddress);
    const proto = (trusted ? safe(headers.get('x-forwarded-proto')) : null) ?? hop.scheme;
    const host = (trusted ? safe(headers.get('x-forwarded-host')) : null) ?? hop.authority;
    const port =
      (trusted ? safe(headers.get('x-forwarded-port')) : null) ?? portOf(hop, proto, trusted, headers);
    lines += `X-Forwarded-For: ${chain.join(', ')}\r\nX-Forwarded-Proto: ${proto}\r\n`;
    if (host !== '') lines += `X-Forwarded-Host: ${host}\r\n`;
    lines += `X-Forwarded-Port: ${port}\r\n`;
  }
  if (settings.emit !== 'XForwarded') {
    const elements = trusted ? forwardedElements(headers) : [];
    elements.push(`for=${node(hop.peerAddress)}${hostPair(hop.authority)};proto=${hop.scheme}`);
    lines += `Forwarded: ${elements.join(', ')}\r\n`;
  }
  return lines;
}

/** A proxy in front that tells the scheme but no port had the scheme's own. */
function portOf(hop: Hop, proto: string, trusted: boolean, headers: HeaderView): string {
  if (!trusted || !headers.has('x-forwarded-proto')) return String(hop.port);
  return proto === 'https' ? '443' : proto === 'http' ? '80' : String(hop.port);
}

/** The entries of `X-Forwarded-For`, or where there is no such field, the `for` of each element of `Forwarded`. */
function forwardedFor(headers: HeaderView): string[] {
  if (headers.has('x-forwarded-for')) {
    // A plain list, without quoted strings.
    const entries = headers.values('x-forwarded-for').join(',').split(',');
    const members = entries.map((entry) => entry.trim()).filter((entry) => entry !== '');
    return members.map((entry) => (isEntry(entry) ? entry : 'unknown'));
  }
  return splitElements(headers).map((element) => forOf(element) ?? 'unknown');
}

/** The elements of `Forwarded`, or where there is no such field, those that `X-Forwarded-For` amounts to. */
function forwardedElements(headers: HeaderView): string[] {
  if (headers.has('forwarded')) return splitElements(headers).filter(isElement);
  return forwardedFor(headers).map((entry) => `for=${node(entry)}`);
}

function splitElements(headers: HeaderView): string[] {
  return headers.has('forwarded') ? splitList(headers.values('forwarded').join(','), ',') : [];
}

/**
 * Splits at separators outside quoted strings; empty members are left out (RFC 9110 §5.6.1). From the right, where the
 * trusted proxies wrote: a quote that a client left open on the left cannot swallow their entries.
 */
function splitList(text: string, separator: string): string[] {
  const members: string[] = [];
  let end = text.length;
  let quoted = false;
  for (let i = text.length - 1; i >= -1; i--) {
    if (text[i] === '"' && !isEscaped(text, i)) quoted = !quoted;
    if (i >= 0 && (text[i] !== separator || quoted)) continue;
    const member = text.slice(i + 1, end).trim();
    if (member !== '') members.push(member);
    end = i;
  }
  return members.reverse();
}

/** Whether an odd number of backslashes stands before that character. */
function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 1;
}

/** Whether an element may be written before ours: an open quote would swallow what follows. */
function isElement(element: string): boolean {
  let quoted = false;
  for (let i = 0; i < element.length; i++) {
    if (quoted && element[i] === '\\') i++;
    else if (element[i] === '"') quoted = !quoted;
    if (i === element.length) return false;
  }
  return !quoted && safe(element) !== null;
}

/** The value of the `for` parameter of an element, unquoted. */
function forOf(element: string): string | null {
  for (const pair of splitList(element, ';')) {
    const equals = pair.indexOf('=');
    if (equals !== -1 && pair.slice(0, equals).trim().toLowerCase() === 'for') {
      const value = unquote(pair.slice(equals + 1).trim());
      return isEntry(value) ? value : null;
    }
  }
  return null;
}

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  return value.slice(1, -1).replaceAll(/\\(.)/g, '$1');
}

/** Address of a node: with a port or not, brackets around IPv6 or not; `null` for `unknown` and obfuscated names. */
function entryAddress(entry: string): string | null {
  if (entry.startsWith('[')) {
    const bracket = entry.indexOf(']');
    return bracket === -1 ? null : canonicalAddress(entry.slice(1, bracket));
  }
  const colon = entry.indexOf(':');
  const hasPort = colon !== -1 && colon === entry.lastIndexOf(':');
  return canonicalAddress(hasPort ? entry.slice(0, colon) : entry);
}

/** Characters of addresses, ports, `unknown` and obfuscated identifiers (RFC 7239 §6). */
function isEntry(entry: string): boolean {
  if (entry === '' || entry.length > 64) return false;
  for (let i = 0; i < entry.length; i++) {
    const code = entry.charCodeAt(i);
    const letterOrDigit = (code >= 0x30 && code <= 0x3a) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a);
    if (!letterOrDigit && !'.-_[]%'.includes(entry[i]!)) return false;
  }
  return true;
}

/** A node as RFC 7239 writes it: IPv6 in brackets, and in quotes since they and the colon are no token characters. */
function node(entry: string): string {
  const address = canonicalAddress(entry);
  if (address === null) return entry.includes(':') || entry.startsWith('[') ? `"${entry}"` : entry;
  return address.includes(':') ? `"[${address}]"` : address;
}

/** `;host=...`, quoted where it is no token: a port or brackets. Nothing where the request has no host. */
function hostPair(authority: string): string {
  if (authority === '' || safe(authority) === null) return '';
  return authority.includes(':') || authority.includes('[') ? `;host="${authority}"` : `;host=${authority}`;
}

/** A value that may be written as it is; `null` where it is missing or holds what could break a line or a quote. */
function safe(value: string | undefined): string | null {
  if (value === undefined || value === '') return null;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code >= 0x7f) return null;
  }
  return value;
}
