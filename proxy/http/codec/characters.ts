/** Character classes of RFC 9110 and RFC 3986 as byte tables: one load per byte on the hot path. */

function tableOf(...parts: readonly (string | readonly [number, number])[]): Uint8Array {
  const table = new Uint8Array(256);
  for (const part of parts) {
    if (typeof part === 'string') for (const character of part) table[character.charCodeAt(0)] = 1;
    else table.fill(1, part[0], part[1] + 1);
  }
  return table;
}

const DIGIT = [0x30, 0x39] as const;
const UPPER = [0x41, 0x5a] as const;
const LOWER = [0x61, 0x7a] as const;

/** tchar, RFC 9110 §5.6.2. */
export const TOKEN = tableOf("!#$%&'*+-.^_`|~", DIGIT, UPPER, LOWER);

/** What may stand in a field value or reason phrase: HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5). */
export const FIELD_VALUE = tableOf('\t', [0x20, 0x7e], [0x80, 0xff]);

/**
 * Path of a request target: RFC 3986 pchar and `/`, and the four characters that browsers send there unescaped
 * (`[ ] | ^`). A backslash is not among them: some servers take it for a slash.
 */
export const PATH = tableOf("-._~!$&'()*+,;=:@/%[]|^", DIGIT, UPPER, LOWER);

/** Query of a request target: what a path may hold, `?`, and what the WHATWG URL standard leaves unescaped. */
export const QUERY = tableOf("-._~!$&'()*+,;=:@/%[]|^?{}`\\", DIGIT, UPPER, LOWER);

/** Registered names and IPv4 addresses: RFC 3986 unreserved. No percent-encoding, no sub-delims: no host has them. */
export const HOST = tableOf('-._~', DIGIT, UPPER, LOWER);

/** Value of a hexadecimal digit, 255 for anything else. */
export const HEX = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) {
  HEX['0123456789abcdef'.charCodeAt(digit)] = digit;
  HEX['0123456789ABCDEF'.charCodeAt(digit)] = digit;
}

/** Whether all of `text` belongs to the class, and there is at least one character. */
export function consistsOf(table: Uint8Array, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255 || table[code] === 0) return false;
  }
  return text.length > 0;
}

/** Case-insensitive comparison of `text[start, end)` with a lower-case ASCII word. */
export function equalsIgnoringCase(text: string, start: number, end: number, lower: string): boolean {
  if (end - start !== lower.length) return false;
  for (let i = 0; i < lower.length; i++) {
    let code = text.charCodeAt(start + i);
    if (code >= 0x41 && code <= 0x5a) code |= 0x20;
    if (code !== lower.charCodeAt(i)) return false;
  }
  return true;
}
