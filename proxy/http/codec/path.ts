import { HEX } from './characters.ts';
import { CODEC_ERRORS, type CodecError, type CodecErrorCode } from './errors.ts';

/**
 * What to do where servers read a path in different ways. A gateway decides by the path who may go where; if the
 * backend then reads another path out of the same bytes, the decision was about something else. So the path that is
 * matched is also the path that is forwarded, and what cannot be made the same for all is refused.
 */
export interface PathPolicy {
  /**
   * `%2F` and `%5C`. `Reject` (default): many servers decode them to separators and would find `/admin/users` where
   * the gateway saw one segment `admin%2Fusers`. `Keep` for backends whose names hold slashes (package and
   * project names); they are then part of a segment.
   */
  readonly encodedSeparators: 'Reject' | 'Keep';
  /** `//`. `Merge` (default) to one slash, as most servers do; `Keep` for backends that give empty segments a meaning. */
  readonly emptySegments: 'Merge' | 'Keep';
}

export const DEFAULT_PATH_POLICY: PathPolicy = { encodedSeparators: 'Reject', emptySegments: 'Merge' };

const PERCENT = 0x25;
const DOT = 0x2e;
const SLASH = 0x2f;

/**
 * The path to match routes with and to forward (RFC 3986 §6.2.2), for a path as the scanner delivered it:
 * - percent-encoded unreserved characters are decoded (`%61` is `a`, `%2E` is `.`), other encodings kept, upper case;
 * - dot segments are removed; a path that climbs above the root is refused, no client makes one;
 * - malformed encodings and encoded control characters are refused;
 * - `.;x`, `..;x` and dots beside an encoded separator are refused: a dot segment to some servers only;
 * - encoded separators and empty segments by the policy.
 *
 * The result is stable: normalising it again changes nothing.
 *
 * @returns the path, or the error to answer with
 */
export function normalizePath(path: string, policy: PathPolicy = DEFAULT_PATH_POLICY): string | CodecError {
  if (isPlain(path)) return path;
  const decoded = decodeUnreserved(path, policy);
  if (typeof decoded !== 'string') return decoded;
  return removeDotSegments(decoded, policy);
}

/** Whether there is nothing to normalise: no percent sign, no segment that is empty or begins with a dot. */
function isPlain(path: string): boolean {
  let previous = 0;
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === PERCENT || (previous === SLASH && (code === SLASH || code === DOT))) return false;
    previous = code;
  }
  return true;
}

function decodeUnreserved(path: string, policy: PathPolicy): string | CodecError {
  let decoded = '';
  let copied = 0;
  for (let i = path.indexOf('%'); i >= 0; i = path.indexOf('%', i + 3)) {
    const high = HEX[path.charCodeAt(i + 1)] ?? 255;
    const low = HEX[path.charCodeAt(i + 2)] ?? 255;
    if (high > 15 || low > 15) return CODEC_ERRORS.PATH_ENCODING;
    const code = high * 16 + low;
    const refusal = refuseEncoded(code, policy);
    if (refusal !== null) return CODEC_ERRORS[refusal];
    const character = isUnreserved(code) ? String.fromCharCode(code) : path.slice(i, i + 3).toUpperCase();
    decoded += path.slice(copied, i) + character;
    copied = i + 3;
  }
  return decoded + path.slice(copied);
}

function refuseEncoded(code: number, policy: PathPolicy): CodecErrorCode | null {
  if (code < 0x20 || code === 0x7f) return 'PATH_CONTROL';
  const isSeparator = code === SLASH || code === 0x5c;
  return isSeparator && policy.encodedSeparators === 'Reject' ? 'PATH_SEPARATOR' : null;
}

function isUnreserved(code: number): boolean {
  const letter = code | 0x20;
  if ((letter >= 0x61 && letter <= 0x7a) || (code >= 0x30 && code <= 0x39)) return true;
  return code === 0x2d || code === DOT || code === 0x5f || code === 0x7e;
}

/** RFC 3986 §5.2.4, over segments. */
function removeDotSegments(path: string, policy: PathPolicy): string | CodecError {
  const segments = path.split('/');
  const output: string[] = [];
  const last = segments.length - 1;
  // The first one is empty: what stands before the leading slash.
  for (let i = 1; i <= last; i++) {
    const segment = segments[i]!;
    if (segment === '.' || segment === '..') {
      if (segment === '..' && output.pop() === undefined) return CODEC_ERRORS.PATH_ABOVE_ROOT;
      if (i === last) output.push('');
    } else if (isAmbiguous(segment)) {
      return CODEC_ERRORS.PATH_DOT_SEGMENT;
    } else if (segment !== '' || i === last || policy.emptySegments === 'Keep') {
      output.push(segment);
    }
  }
  return `/${output.join('/')}`;
}

/** Whether a server that decodes separators or strips path parameters would find a dot segment in here. */
function isAmbiguous(segment: string): boolean {
  if (!segment.includes('.')) return false;
  return segment.split(/%2F|%5C/).some((part) => {
    const name = part.split(';', 1)[0];
    return name === '.' || name === '..';
  });
}
