import { FIELD_VALUE, PATH, QUERY, TOKEN } from './characters.ts';
import { scanFields } from './fields.ts';
import { checkFraming, readConnection } from './framing.ts';
import { type HeadLimits, PHASE, type RequestHead, type ResponseHead, type ScanStatus } from './head.ts';
import { MAX_METHOD_BYTES, methodName } from './methods.ts';
import { readTarget } from './target.ts';

const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const SLASH = 0x2f;
const QUESTION = 0x3f;
const VERSION_BYTES = 8;

/**
 * Scans the head of a request (RFC 9112 §§2-6) in `buffer[start, end)`, once over each byte.
 *
 * While the result is `incomplete`, the caller keeps the bytes and calls again with the same bytes and more behind
 * them; they may have moved to another buffer or offset. The bytes already seen are not looked at again. A complete
 * head is valid in all respects that concern its own syntax, Host, the request target and the framing of the body:
 * `head.framing`, `head.authority`, `head.path` and so on are set.
 */
export function scanRequestHead(
  buffer: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
  head: RequestHead,
): ScanStatus {
  if (head.phase === PHASE.done) head.reset();
  const limit = start + limits.maxHeadBytes;
  const stop = Math.min(end, limit);
  let status: ScanStatus = 'complete';
  if (head.phase < PHASE.fieldStart) status = scanRequestLine(buffer, start, stop, limits, head);
  if (status === 'complete') status = scanFields(head, buffer, start, stop, limits);
  if (status === 'complete') return finishRequest(buffer, start, head);
  if (status === 'incomplete' && stop === limit) return head.fail('HEAD_TOO_LARGE');
  return status;
}

/** Scans the head of a response, as `scanRequestHead` does; `responseFraming` then tells how the body ends. */
export function scanResponseHead(
  buffer: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
  head: ResponseHead,
): ScanStatus {
  if (head.phase === PHASE.done) head.reset();
  const limit = start + limits.maxHeadBytes;
  const stop = Math.min(end, limit);
  let status: ScanStatus = 'complete';
  if (head.phase < PHASE.fieldStart) status = scanStatusLine(buffer, start, stop, head);
  if (status === 'complete') status = scanFields(head, buffer, start, stop, limits);
  if (status === 'complete') {
    head.text = buffer.toString('latin1', start, start + head.byteLength);
    if (!readConnection(head) || !checkFraming(head)) return 'invalid';
    // Clients disagree on whether the body of an informational response is there.
    if (head.status < 200 && head.framing !== 'none') return head.fail('INFORMATIONAL_BODY');
    if (head.status === 101 && !head.connectionUpgrade) return head.fail('UPGRADE');
    return 'complete';
  }
  if (status === 'incomplete' && stop === limit) return head.fail('HEAD_TOO_LARGE');
  return status;
}

function finishRequest(buffer: Buffer, start: number, head: RequestHead): ScanStatus {
  head.text = buffer.toString('latin1', start, start + head.byteLength);
  if (!readTarget(head) || !readConnection(head) || !checkFraming(head)) return 'invalid';
  if (head.method === 'CONNECT') {
    // Servers disagree on whether bytes behind a CONNECT head are its body or the tunnel's first ones.
    if (head.contentLength >= 0 || head.chunked) return head.fail('CONNECT_BODY');
    head.framing = 'none';
  }
  return 'complete';
}

/** method SP request-target SP HTTP-version CRLF, after at most one empty line (RFC 9112 §§2.2, 3). */
function scanRequestLine(
  buffer: Uint8Array,
  base: number,
  end: number,
  limits: HeadLimits,
  head: RequestHead,
): ScanStatus {
  let position = base + head.position;
  let phase = head.phase;

  while (position < end && phase !== PHASE.fieldStart) {
    switch (phase) {
      case PHASE.start: {
        const byte = buffer[position]!;
        if (byte === CR) {
          if (position > base) return head.fail('LEADING_EMPTY_LINES');
          position++;
          phase = PHASE.startLineFeed;
          break;
        }
        if (byte === LF) return head.fail('BARE_LF');
        head.nameStart = position - base;
        phase = PHASE.method;
        break;
      }
      case PHASE.startLineFeed: {
        if (buffer[position] !== LF) return head.fail('BARE_CR');
        position++;
        phase = PHASE.start;
        break;
      }
      case PHASE.method: {
        while (position < end && TOKEN[buffer[position]!] === 1) position++;
        const methodStart = base + head.nameStart;
        if (position - methodStart > MAX_METHOD_BYTES) return head.fail('METHOD_UNKNOWN');
        if (position === end) break;
        const byte = buffer[position]!;
        if (byte !== SP || position === methodStart) {
          return head.fail(byte === CR || byte === LF ? 'REQUEST_LINE' : 'METHOD');
        }
        head.method = methodName(buffer, methodStart, position);
        if (head.method === '') return head.fail('METHOD_UNKNOWN');
        position++;
        head.targetStart = position - base;
        phase = PHASE.target;
        break;
      }
      case PHASE.target:
        phase = buffer[position] === SLASH ? PHASE.path : PHASE.query;
        break;
      case PHASE.path:
      case PHASE.query: {
        // Forms other than origin are looked at more closely by `readTarget`; their bytes pass as a query's would.
        const table = phase === PHASE.path ? PATH : QUERY;
        while (position < end && table[buffer[position]!] === 1) position++;
        const length = position - base - head.targetStart;
        if (length > limits.maxTargetBytes) return head.fail('TARGET_TOO_LONG');
        if (position === end) break;
        const byte = buffer[position]!;
        if (byte === QUESTION && phase === PHASE.path) {
          position++;
          head.queryStart = position - base;
          phase = PHASE.query;
          break;
        }
        if (byte !== SP || length === 0) {
          return head.fail(byte === SP || byte === CR || byte === LF ? 'REQUEST_LINE' : 'TARGET');
        }
        head.targetEnd = position - base;
        position++;
        head.versionStart = position - base;
        phase = PHASE.version;
        break;
      }
      case PHASE.version: {
        const versionStart = base + head.versionStart;
        if (!versionPrefix(buffer, versionStart, end)) return head.fail('VERSION');
        if (end - versionStart < VERSION_BYTES) {
          position = end;
          break;
        }
        const minor = minorVersion(buffer, versionStart);
        if (minor < 0) return head.fail('VERSION_UNSUPPORTED');
        head.minorVersion = minor;
        position = versionStart + VERSION_BYTES;
        if (position === end) break;
        if (buffer[position] !== CR) return head.fail(buffer[position] === LF ? 'BARE_LF' : 'VERSION');
        position++;
        phase = PHASE.lineFeed;
        break;
      }
      default: {
        // PHASE.lineFeed
        if (buffer[position] !== LF) return head.fail('BARE_CR');
        position++;
        phase = PHASE.fieldStart;
      }
    }
  }

  head.position = position - base;
  head.phase = phase;
  return phase === PHASE.fieldStart ? 'complete' : 'incomplete';
}

/**
 * HTTP-version SP status-code SP [ reason-phrase ] CRLF (RFC 9112 §4). One step aside from the letter: the space
 * before an absent reason phrase may be absent too, since widespread servers leave it out and nothing hangs on it.
 */
function scanStatusLine(buffer: Uint8Array, base: number, end: number, head: ResponseHead): ScanStatus {
  let position = base + head.position;
  let phase = head.phase;

  while (position < end && phase !== PHASE.fieldStart) {
    switch (phase) {
      case PHASE.start:
        phase = PHASE.version;
        break;
      case PHASE.version: {
        if (!versionPrefix(buffer, base, end)) return head.fail('STATUS_LINE');
        if (end - base < VERSION_BYTES) {
          position = end;
          break;
        }
        const minor = minorVersion(buffer, base);
        if (minor < 0) return head.fail('VERSION_UNSUPPORTED');
        head.minorVersion = minor;
        position = base + VERSION_BYTES;
        if (position === end) break;
        if (buffer[position] !== SP) return head.fail('STATUS_LINE');
        position++;
        phase = PHASE.statusCode;
        break;
      }
      case PHASE.statusCode: {
        const digitsStart = base + VERSION_BYTES + 1;
        while (position < end && position < digitsStart + 3) {
          const digit = buffer[position]! - 0x30;
          if (digit < (position === digitsStart ? 1 : 0) || digit > 9) return head.fail('STATUS_CODE');
          head.status = head.status * 10 + digit;
          position++;
        }
        if (position === end) break;
        const byte = buffer[position]!;
        if (byte === CR) {
          head.reasonStart = position - base;
          phase = PHASE.reason;
        } else if (byte === SP) {
          position++;
          head.reasonStart = position - base;
          phase = PHASE.reason;
        } else {
          return head.fail(byte === LF ? 'BARE_LF' : 'STATUS_CODE');
        }
        break;
      }
      case PHASE.reason: {
        while (position < end && FIELD_VALUE[buffer[position]!] === 1) position++;
        if (position === end) break;
        const byte = buffer[position]!;
        if (byte !== CR) return head.fail(byte === LF ? 'BARE_LF' : 'REASON_PHRASE');
        head.reasonEnd = position - base;
        position++;
        phase = PHASE.lineFeed;
        break;
      }
      default: {
        // PHASE.lineFeed
        if (buffer[position] !== LF) return head.fail('BARE_CR');
        position++;
        phase = PHASE.fieldStart;
      }
    }
  }

  head.position = position - base;
  head.phase = phase;
  return phase === PHASE.fieldStart ? 'complete' : 'incomplete';
}

/** `HTTP/d.d`; 0x64 stands for a digit. */
const VERSION_SHAPE = Buffer.from('HTTP/d.d', 'latin1');
const DIGIT_PLACE = 0x64;

/** Whether the bytes from `start` on, at most eight of them, can be or become an HTTP version. */
function versionPrefix(buffer: Uint8Array, start: number, end: number): boolean {
  for (let i = 0; i < VERSION_BYTES && start + i < end; i++) {
    const byte = buffer[start + i]!;
    const expected = VERSION_SHAPE[i]!;
    if (expected === DIGIT_PLACE ? byte < 0x30 || byte > 0x39 : byte !== expected) return false;
  }
  return true;
}

/** 0 or 1 for HTTP/1.0 and HTTP/1.1, -1 for every other version. */
function minorVersion(buffer: Uint8Array, start: number): number {
  const minor = buffer[start + 7]! - 0x30;
  return buffer[start + 5] === 0x31 && minor <= 1 ? minor : -1;
}
