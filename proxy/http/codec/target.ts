import { equalsIgnoringCase, PATH } from './characters.ts';
import { type RequestHead, STRIDE } from './head.ts';
import { hostEnd } from './host.ts';
import { HOST_FIELD } from './known.ts';

const SLASH = 0x2f;
const QUESTION = 0x3f;
const ASTERISK = 0x2a;

/**
 * Takes the request target apart (RFC 9112 §3.2) and settles the authority: that of the target if it has one, otherwise
 * the Host field's. Host must stand exactly once in HTTP/1.1, at most once in HTTP/1.0, and be valid in any case, also
 * where it is then ignored.
 *
 * @returns false when the head is refused; `head.error` is set
 */
export function readTarget(head: RequestHead): boolean {
  if (head.isRepeated(HOST_FIELD)) return refuse(head, 'HOST_REPEATED');
  if (head.hasKnown(HOST_FIELD)) {
    const at = head.indexOfKnown(HOST_FIELD) * STRIDE;
    const start = head.fields[at + 2]!;
    const end = head.fields[at + 3]!;
    if (hostEnd(head.text, start, end) < 0) return refuse(head, 'HOST');
    head.authority = head.text.slice(start, end);
  } else if (head.minorVersion === 1) {
    return refuse(head, 'HOST_MISSING');
  }

  const { text, targetStart, targetEnd } = head;
  if (head.method === 'CONNECT') return readAuthorityForm(head);
  if (text.charCodeAt(targetStart) === SLASH) {
    const pathEnd = head.queryStart < 0 ? targetEnd : head.queryStart - 1;
    head.path = text.slice(targetStart, pathEnd);
    if (head.queryStart >= 0) {
      head.hasQuery = true;
      head.query = text.slice(head.queryStart, targetEnd);
    }
    return true;
  }
  if (text.charCodeAt(targetStart) === ASTERISK && targetEnd - targetStart === 1) {
    if (head.method !== 'OPTIONS') return refuse(head, 'TARGET_FORM');
    head.form = 'asterisk';
    head.path = '*';
    return true;
  }
  return readAbsoluteForm(head);
}

/** host:port, the port being required (RFC 9110 §9.3.6). */
function readAuthorityForm(head: RequestHead): boolean {
  const end = hostEnd(head.text, head.targetStart, head.targetEnd);
  if (end < 0 || end === head.targetEnd) return refuse(head, 'TARGET_FORM');
  head.form = 'authority';
  head.authority = head.target;
  return true;
}

/** scheme://host[:port][/path][?query] with the schemes http and https. */
function readAbsoluteForm(head: RequestHead): boolean {
  const { text, targetStart, targetEnd } = head;
  const colon = text.indexOf('://', targetStart);
  if (colon < 0 || colon >= targetEnd) return refuse(head, 'TARGET_FORM');
  if (equalsIgnoringCase(text, targetStart, colon, 'http')) head.scheme = 'http';
  else if (equalsIgnoringCase(text, targetStart, colon, 'https')) head.scheme = 'https';
  else return refuse(head, 'TARGET_FORM');

  const authorityStart = colon + 3;
  let position = authorityStart;
  while (position < targetEnd && !isDelimiter(text.charCodeAt(position))) position++;
  if (position > targetEnd || hostEnd(text, authorityStart, position) < 0) return refuse(head, 'HOST');
  head.form = 'absolute';
  head.authority = text.slice(authorityStart, position);

  const pathStart = position;
  while (position < targetEnd && PATH[text.charCodeAt(position)] === 1) position++;
  if (position < targetEnd && text.charCodeAt(position) !== QUESTION) return refuse(head, 'TARGET');
  head.path = text.slice(pathStart, position);
  if (position < targetEnd) {
    head.hasQuery = true;
    head.queryStart = position + 1;
    head.query = text.slice(position + 1, targetEnd);
  }
  // An OPTIONS request about the server as a whole loses its path on the way through a proxy (RFC 9112 §3.2.4).
  if (head.path === '') head.path = head.method === 'OPTIONS' && !head.hasQuery ? '*' : '/';
  return true;
}

function isDelimiter(code: number): boolean {
  return code === SLASH || code === QUESTION;
}

function refuse(head: RequestHead, code: Parameters<RequestHead['fail']>[0]): false {
  head.fail(code);
  return false;
}
