/**
 * Header fields that the proxy looks at or that are frequent, each with a small number, so that a scanned head answers
 * "is there a Transfer-Encoding?" from one bit. 0 stands for every other name. At most 62 names: see `MessageHead`.
 */
const names = [
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'http2-settings',
  'authorization',
  'www-authenticate',
  'cookie',
  'set-cookie',
  'date',
  'server',
  'origin',
  'via',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-scheme',
  'x-forwarded-server',
  'x-forwarded-ssl',
  'x-real-ip',
  'x-request-id',
  'traceparent',
  'content-type',
  'content-encoding',
  'content-range',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'sec-websocket-accept',
  'accept',
  'accept-encoding',
  'accept-language',
  'user-agent',
  'referer',
  'cache-control',
  'location',
  'etag',
  'last-modified',
  'vary',
  'retry-after',
  'access-control-request-method',
  'access-control-request-headers',
  'last-event-id',
  'range',
  'if-none-match',
  'if-modified-since',
  'max-forwards',
] as const;

export type KnownName = (typeof names)[number];

/**
 * Stands for a field that is one of the above but for `_` where that has `-`. CGI-like servers read both as the same
 * name, so that `X_Forwarded_For` would say there what `X-Forwarded-For` may not: it is never passed on. No token.
 */
export const UNDERSCORED_NAME = '(underscored)';

/** Lower-case name by number; empty for 0. */
export const KNOWN_NAMES: readonly string[] = ['', ...names, UNDERSCORED_NAME];

/** Number by lower-case name. */
const numberByName = new Map<string, number>(KNOWN_NAMES.map((name, index) => [name, index]));

const UNDERSCORED = KNOWN_NAMES.length - 1;

/** The number of a known header field; 0 when the name is not in the list. @param name lower case */
export function knownNumber(name: string): number {
  return numberByName.get(name) ?? 0;
}

function number(name: KnownName): number {
  return knownNumber(name);
}

export const HOST_FIELD = number('host');
export const CONNECTION = number('connection');
export const CONTENT_LENGTH = number('content-length');
export const TRANSFER_ENCODING = number('transfer-encoding');
export const UPGRADE = number('upgrade');
export const TE = number('te');

// Candidates by (length, first letter): a chain through `next`, since several known names can share a slot.
const SLOTS = 1024;
const first = new Uint8Array(SLOTS);
const next = new Uint8Array(names.length + 1);
const letters = KNOWN_NAMES.map((name) => Uint8Array.from(name, (letter) => letter.charCodeAt(0)));
const MAX_LENGTH = 31;
const UNDERSCORE = 0x5f;
const HYPHEN = 0x2d;

function slot(length: number, letter: number): number {
  return (length << 5) | (letter & 31);
}

for (let n = names.length; n > 0; n--) {
  const bytes = letters[n]!;
  const at = slot(bytes.length, bytes[0]!);
  next[n] = first[at]!;
  first[at] = n;
}

/** The number of the field name in `buffer[start, end)`, in any case; the bytes are known to be token characters. */
export function recognise(buffer: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length > MAX_LENGTH) return 0;
  let candidate = first[slot(length, buffer[start]!)]!;
  while (candidate !== 0) {
    const bytes = letters[candidate]!;
    let i = 0;
    while (i < length && same(buffer[start + i]!, bytes[i]!)) i++;
    if (i === length) return candidate;
    if (buffer[start + i] === UNDERSCORE && bytes[i] === HYPHEN && isUnderscored(buffer, start, bytes)) {
      return UNDERSCORED;
    }
    candidate = next[candidate]!;
  }
  return 0;
}

/** Whether the bytes are the name but for underscores. */
function isUnderscored(buffer: Uint8Array, start: number, name: Uint8Array): boolean {
  return name.every((letter, i) => {
    const byte = buffer[start + i]!;
    return same(byte, letter) || (byte === UNDERSCORE && letter === HYPHEN);
  });
}

/** Equal but for the case of letters. `|0x20` alone would also fold `^` to `~`, so only letters are folded. */
function same(byte: number, lower: number): boolean {
  return byte === lower || ((byte | 0x20) === lower && byte >= 0x41 && byte <= 0x5a);
}
