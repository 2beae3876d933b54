/**
 * Reads the server name out of the first bytes of a TLS connection (RFC 8446 §4.1.2, RFC 6066 §3), so that the
 * listener is known before the handshake begins: what it demands of the client depends on it.
 */

export type ClientHello =
  | { readonly kind: 'incomplete' }
  /** Lower case; empty when the client sent none. */
  | { readonly kind: 'hello'; readonly serverName: string }
  | {
      readonly kind: 'invalid';
      readonly reason: 'plain_http' | 'not_tls' | 'malformed_hello' | 'hello_too_large';
    };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME_EXTENSION = 0;
const HOST_NAME = 0;
/** Far above any hello that is sent, post-quantum keys included. */
export const MAX_HELLO_BYTES = 65_536;

const INCOMPLETE: ClientHello = { kind: 'incomplete' };
const MALFORMED: ClientHello = { kind: 'invalid', reason: 'malformed_hello' };

/** @param bytes all that the connection has brought so far */
export function parseClientHello(bytes: Buffer): ClientHello {
  if (bytes.length === 0) return INCOMPLETE;
  if (bytes[0] !== HANDSHAKE_RECORD)
    return { kind: 'invalid', reason: looksLikeHttp(bytes) ? 'plain_http' : 'not_tls' };
  if (bytes.length > MAX_HELLO_BYTES) return { kind: 'invalid', reason: 'hello_too_large' };
  // The hello may be cut into several records.
  let message: Buffer = Buffer.alloc(0);
  for (let at = 0; ; ) {
    if (bytes.length < at + 5) return INCOMPLETE;
    if (bytes[at] !== HANDSHAKE_RECORD || bytes[at + 1] !== 3) return MALFORMED;
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16_384) return MALFORMED;
    const fragment = bytes.subarray(at + 5, at + 5 + length);
    message = at === 0 ? fragment : Buffer.concat([message, fragment]);
    if (message.length > 0 && message[0] !== CLIENT_HELLO) return MALFORMED;
    if (message.length >= 4) {
      const size = message.readUIntBE(1, 3);
      if (size > MAX_HELLO_BYTES) return { kind: 'invalid', reason: 'hello_too_large' };
      if (message.length >= 4 + size) return parseMessage(message.subarray(4, 4 + size));
    }
    if (fragment.length < length) return INCOMPLETE;
    at += 5 + length;
  }
}

function parseMessage(body: Buffer): ClientHello {
  // Version and random, then three vectors: session id, cipher suites, compression methods.
  let at = 34;
  at = skip(body, at, 1);
  at = skip(body, at, 2);
  at = skip(body, at, 1);
  if (at > body.length) return MALFORMED;
  if (at === body.length) return { kind: 'hello', serverName: '' };
  const end = skip(body, at, 2);
  if (end !== body.length) return MALFORMED;
  at += 2;
  while (at < end) {
    if (at + 4 > end) return MALFORMED;
    const type = body.readUInt16BE(at);
    const next = skip(body, at + 2, 2);
    if (next > end) return MALFORMED;
    if (type === SERVER_NAME_EXTENSION) return serverName(body.subarray(at + 4, next));
    at = next;
  }
  return { kind: 'hello', serverName: '' };
}

function serverName(extension: Buffer): ClientHello {
  if (extension.length < 5 || extension.readUInt16BE(0) !== extension.length - 2) return MALFORMED;
  if (extension[2] !== HOST_NAME) return { kind: 'hello', serverName: '' };
  const length = extension.readUInt16BE(3);
  if (length === 0 || 5 + length > extension.length) return MALFORMED;
  return { kind: 'hello', serverName: extension.toString('latin1', 5, 5 + length).toLowerCase() };
}

/** Where the vector at `at` ends, whose length is written in `width` bytes; beyond the buffer when it is cut. */
function skip(body: Buffer, at: number, width: 1 | 2): number {
  if (at + width > body.length) return body.length + 1;
  return at + width + (width === 1 ? body.readUInt8(at) : body.readUInt16BE(at));
}

function looksLikeHttp(bytes: Buffer): boolean {
  const first = bytes[0]!;
  return first >= 0x41 && first <= 0x5a;
}
