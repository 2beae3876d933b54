import { consistsOf, equalsIgnoringCase, TOKEN } from './characters.ts';
import { type BodyFraming, type MessageHead, type ResponseHead, STRIDE } from './head.ts';
import { CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE } from './known.ts';

const HTAB = 0x09;
const CR = 0x0d;
const SP = 0x20;
const COMMA = 0x2c;

/**
 * Decides on the fields that frame a body (RFC 9112 §6), and sets `contentLength`, `chunked` and, as for a request,
 * `framing`. Stricter than the RFC where two servers could come to different answers: Content-Length stands at most
 * once and is digits only, Transfer-Encoding is `chunked` and nothing else, no tab stands around either, never both, and
 * HTTP/1.0 has no Transfer-Encoding.
 *
 * @returns false when the head is refused; `head.error` is set
 */
export function checkFraming(head: MessageHead): boolean {
  if (head.hasKnown(TRANSFER_ENCODING)) {
    if (head.hasKnown(CONTENT_LENGTH)) return refuse(head, 'LENGTH_AND_ENCODING');
    if (head.minorVersion === 0) return refuse(head, 'TRANSFER_ENCODING_VERSION');
    const value = head.get('transfer-encoding')!;
    if (!equalsIgnoringCase(value, 0, value.length, 'chunked')) return refuse(head, encodingError(value));
    if (hasTab(head, head.indexOfKnown(TRANSFER_ENCODING))) return refuse(head, 'TRANSFER_ENCODING');
    head.chunked = true;
    head.framing = 'chunked';
    return true;
  }
  if (!head.hasKnown(CONTENT_LENGTH)) return true;
  if (head.isRepeated(CONTENT_LENGTH)) return refuse(head, 'CONTENT_LENGTH_REPEATED');

  const at = head.indexOfKnown(CONTENT_LENGTH) * STRIDE;
  const start = head.fields[at + 2]!;
  const end = head.fields[at + 3]!;
  let length = 0;
  for (let i = start; i < end; i++) {
    const digit = head.text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return refuse(head, 'CONTENT_LENGTH');
    length = length * 10 + digit;
    if (length > Number.MAX_SAFE_INTEGER) return refuse(head, 'CONTENT_LENGTH_TOO_LARGE');
  }
  if (start === end || hasTab(head, at / STRIDE)) return refuse(head, 'CONTENT_LENGTH');
  head.contentLength = length;
  head.framing = length > 0 ? 'length' : 'none';
  return true;
}

/**
 * How the body of a response ends (RFC 9112 §6.3), which hangs on the request it answers; also sets `head.framing`.
 * `none` for every answer to HEAD, and for 1xx, 204 and 304, whatever their fields say. `tunnel` for 101 and for 2xx to
 * CONNECT: what follows is no longer HTTP.
 *
 * A 204 that announces a body all the same has none, but the connection is not used again: what its sender wrote behind
 * it would be taken for the next response.
 */
export function responseFraming(head: ResponseHead, requestMethod: string): BodyFraming {
  const status = head.status;
  if (status === 204 && head.framing !== 'none') head.connectionClose = true;
  if (status === 101 || (requestMethod === 'CONNECT' && status >= 200 && status < 300))
    head.framing = 'tunnel';
  else if (requestMethod === 'HEAD' || status < 200 || status === 204 || status === 304)
    head.framing = 'none';
  else if (head.chunked) head.framing = 'chunked';
  else if (head.contentLength > 0) head.framing = 'length';
  else if (head.contentLength === 0) head.framing = 'none';
  else head.framing = 'untilClose';
  return head.framing;
}

/**
 * Reads the options of Connection (RFC 9110 §7.6.1). A value that is not a list of tokens is refused: parsers make
 * different things of `close;x`, and so would not agree on where a connection ends.
 *
 * @returns false when the head is refused; `head.error` is set
 */
export function readConnection(head: MessageHead): boolean {
  if (!head.hasKnown(CONNECTION)) return true;
  for (let i = head.indexOfKnown(CONNECTION); i >= 0; i = head.indexOfKnown(CONNECTION, i + 1)) {
    if (!readOptions(head, head.fields[i * STRIDE + 2]!, head.fields[i * STRIDE + 3]!)) {
      return refuse(head, 'CONNECTION');
    }
  }
  if (head.connectionUpgrade && (head.minorVersion === 0 || !head.hasKnown(UPGRADE)))
    head.connectionUpgrade = false;
  return true;
}

/** One value of Connection: tokens, with a comma between two of them; empty list elements are let pass. */
function readOptions(head: MessageHead, valueStart: number, valueEnd: number): boolean {
  const text = head.text;
  let position = valueStart;
  while (position < valueEnd) {
    const start = position;
    while (position < valueEnd && TOKEN[text.charCodeAt(position)] === 1) position++;
    if (position > start) readOption(head, start, position);
    while (position < valueEnd && isSpace(text.charCodeAt(position))) position++;
    if (position === valueEnd) break;
    if (text.charCodeAt(position) !== COMMA) return false;
    position++;
    while (position < valueEnd && isSpace(text.charCodeAt(position))) position++;
  }
  return true;
}

function isSpace(code: number): boolean {
  return code === SP || code === HTAB;
}

function readOption(head: MessageHead, start: number, end: number): void {
  if (equalsIgnoringCase(head.text, start, end, 'keep-alive')) head.connectionKeepAlive = true;
  else if (equalsIgnoringCase(head.text, start, end, 'close')) head.connectionClose = true;
  else if (equalsIgnoringCase(head.text, start, end, 'upgrade')) head.connectionUpgrade = true;
  else if (!equalsIgnoringCase(head.text, start, end, 'te')) head.connectionNominates = true;
}

/** Whether a tab stands before or behind the value of a field: white space like any other, but not to all parsers. */
function hasTab(head: MessageHead, index: number): boolean {
  const { text, fields } = head;
  const at = index * STRIDE;
  for (let i = fields[at + 1]! + 1; i < fields[at + 2]!; i++) if (text.charCodeAt(i) === HTAB) return true;
  for (let i = fields[at + 3]!; text.charCodeAt(i) !== CR; i++) if (text.charCodeAt(i) === HTAB) return true;
  return false;
}

/** Which error a Transfer-Encoding other than `chunked` is: 501 for `unknown, chunked`, else the length is unknown. */
function encodingError(value: string): 'TRANSFER_ENCODING' | 'TRANSFER_ENCODING_UNKNOWN' {
  const codings = value.split(/[ \t]*,[ \t]*/).map((coding) => coding.toLowerCase());
  const chunkedIsFinal = codings.pop() === 'chunked' && !codings.includes('chunked');
  const wellFormed = codings.every((coding) => consistsOf(TOKEN, coding));
  return chunkedIsFinal && wellFormed ? 'TRANSFER_ENCODING_UNKNOWN' : 'TRANSFER_ENCODING';
}

function refuse(head: MessageHead, code: Parameters<MessageHead['fail']>[0]): false {
  head.fail(code);
  return false;
}
