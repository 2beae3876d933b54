import assert from 'node:assert/strict';
import { STATUS_CODES } from 'node:http';
import { consistsOf, equalsIgnoringCase, QUERY, TOKEN } from './characters.ts';
import type { HeaderPlan } from './edit.ts';
import { type MessageHead, type RequestHead, type ResponseHead, STRIDE } from './head.ts';
import { fieldLine, isFieldValue } from './headers.ts';
import { CONNECTION, TE } from './known.ts';

export const CHUNKED_LINE = 'Transfer-Encoding: chunked\r\n';
export const CONNECTION_CLOSE_LINE = 'Connection: close\r\n';
export const CONNECTION_KEEP_ALIVE_LINE = 'Connection: keep-alive\r\n';

export function contentLengthLine(bytes: number): string {
  assert(Number.isSafeInteger(bytes) && bytes >= 0, 'not a content length');
  return `Content-Length: ${bytes}\r\n`;
}

/** @param protocol value of Upgrade, such as `websocket` */
export function upgradeLines(protocol: string): string {
  return `Connection: Upgrade\r\n${fieldLine('Upgrade', protocol)}`;
}

/** The lines that frame a body which is passed on as it came in: written from what was understood, not copied. */
export function framingLines(head: MessageHead): string {
  if (head.chunked) return CHUNKED_LINE;
  return head.contentLength >= 0 ? contentLengthLine(head.contentLength) : '';
}

/**
 * The head of a request for the next hop, as latin1 text.
 *
 * @param target origin form or `*`, mostly `head.originTarget` or what a rewrite made of it
 * @param host value of Host
 * @param lines further lines, each from `fieldLine`; X-Forwarded-For and the like
 * @param upgrade value of Upgrade to offer to the next hop; empty for none
 */
export function writeRequestHead(
  head: RequestHead,
  target: string,
  host: string,
  plan: HeaderPlan,
  lines: string,
  upgrade = '',
): string {
  assert(consistsOf(QUERY, target), 'invalid character in a request target');
  assert(isFieldValue(host), 'invalid character in a host');
  let connection = '';
  if (upgrade !== '') connection = upgradeLines(upgrade);
  else if (head.hasKnown(TE) && acceptsTrailers(head)) connection = 'TE: trailers\r\nConnection: TE\r\n';
  return `${head.method} ${target} HTTP/1.1\r\nHost: ${host}\r\n${keptFields(head, plan)}${framingLines(head)}${connection}${plan.lines}${lines}\r\n`;
}

/**
 * The head of a response for the client, as latin1 text.
 *
 * @param framing `framingLines(head)` where the body is passed on as it came in; another or none where the caller
 * changes the framing, and none for 1xx and 204 (RFC 9110 §8.6)
 * @param connection one of the connection lines, `upgradeLines`, or empty
 * @param lines further lines, each from `fieldLine`
 */
export function writeResponseHead(
  head: ResponseHead,
  plan: HeaderPlan,
  framing: string,
  connection: string,
  lines: string,
): string {
  return `HTTP/1.1 ${head.status} ${head.reason}\r\n${keptFields(head, plan)}${framing}${connection}${plan.lines}${lines}\r\n`;
}

/** The head of a response that we originate. @param lines all lines, each from `fieldLine` or a constant of this module */
export function originResponseHead(status: number, lines: string): string {
  assert(Number.isInteger(status) && status >= 100 && status <= 999, 'not a status code');
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}\r\n`;
}

/**
 * The field lines that the next hop gets as they came in. Lines between two dropped ones are copied as one slice.
 *
 * Connection may name further fields as meant for this hop only. That is followed for names that mean nothing to us;
 * a known end-to-end field stays whatever a client nominates, since its removal (Host, Authorization,
 * X-Forwarded-For) would let a client strip what the gateway and the backend go by.
 */
function keptFields(head: MessageHead, plan: HeaderPlan): string {
  const { text, fields, fieldCount } = head;
  const { dropsKnown, dropsOther } = plan;
  const nominated = head.connectionNominates ? nominatedNames(head) : null;
  let kept = '';
  let runStart = -1;
  for (let i = 0; i < fieldCount; i++) {
    const at = i * STRIDE;
    const known = fields[at + 4]!;
    let drop = dropsKnown[known] === 1;
    if (known === 0 && (dropsOther !== null || nominated !== null)) {
      const name = head.nameAt(i).toLowerCase();
      drop = dropsOther?.has(name) === true || nominated?.has(name) === true;
    }
    if (!drop) {
      if (runStart < 0) runStart = fields[at]!;
    } else if (runStart >= 0) {
      kept += text.slice(runStart, fields[at]!);
      runStart = -1;
    }
  }
  if (runStart >= 0) kept += text.slice(runStart, head.byteLength - 2);
  return kept;
}

function nominatedNames(head: MessageHead): ReadonlySet<string> {
  return new Set(tokensOf(head, CONNECTION, 'connection'));
}

/** Whether TE says that the client reads trailer fields (RFC 9110 §10.1.4). */
function acceptsTrailers(head: RequestHead): boolean {
  return head.minorVersion === 1 && tokensOf(head, TE, 'te').includes('trailers');
}

/** Members of a comma-separated list that are tokens, in lower case. */
function tokensOf(head: MessageHead, known: number, name: string): string[] {
  const value = head.getKnown(known, name) ?? '';
  if (equalsIgnoringCase(value, 0, value.length, 'trailers')) return ['trailers'];
  return value
    .split(',')
    .map((member) => member.trim().toLowerCase())
    .filter((member) => consistsOf(TOKEN, member));
}
