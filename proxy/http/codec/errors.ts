/**
 * Every way in which a message can be refused. Messages are fixed texts: they never carry a byte of the message, so
 * that no token or cookie reaches a log. `status` is the answer to a client; for a backend's faulty response the
 * caller answers 502 and keeps `code` for the log.
 */
export interface CodecError {
  readonly code: string;
  readonly status: 400 | 414 | 431 | 501 | 505;
  readonly message: string;
}

const table = {
  // Start line
  REQUEST_LINE: [400, 'malformed request line'],
  STATUS_LINE: [400, 'malformed status line'],
  METHOD: [400, 'invalid character in the method'],
  METHOD_UNKNOWN: [501, 'unknown method'],
  VERSION: [400, 'malformed HTTP version'],
  VERSION_UNSUPPORTED: [505, 'HTTP version is neither 1.0 nor 1.1'],
  STATUS_CODE: [400, 'status code is not three digits from 100 to 999'],
  REASON_PHRASE: [400, 'invalid character in the reason phrase'],
  LEADING_EMPTY_LINES: [400, 'more than one empty line before the start line'],
  TARGET: [400, 'invalid character in the request target'],
  TARGET_FORM: [400, 'form of the request target does not fit the method'],
  TARGET_TOO_LONG: [414, 'request target exceeds the limit'],
  // Field lines
  BARE_LF: [400, 'line feed without carriage return'],
  BARE_CR: [400, 'carriage return without line feed'],
  LINE_FOLDING: [400, 'field line begins with white space (obsolete line folding)'],
  FIELD_NAME_EMPTY: [400, 'empty field name'],
  FIELD_NAME: [400, 'invalid character in a field name'],
  SPACE_BEFORE_COLON: [400, 'white space between field name and colon'],
  FIELD_VALUE: [400, 'control character in a field value'],
  HEAD_TOO_LARGE: [431, 'message head exceeds the size limit'],
  TOO_MANY_FIELDS: [431, 'more header fields than the limit'],
  // Host
  HOST_MISSING: [400, 'no Host header field in an HTTP/1.1 request'],
  HOST_REPEATED: [400, 'more than one Host header field'],
  HOST: [400, 'invalid host'],
  // Connection and framing
  CONNECTION: [400, 'Connection is not a list of tokens'],
  UPGRADE: [400, 'status 101 without the Upgrade that it announces'],
  CONTENT_LENGTH: [400, 'Content-Length is not a plain decimal number'],
  CONTENT_LENGTH_TOO_LARGE: [400, 'Content-Length exceeds 2^53 - 1'],
  CONTENT_LENGTH_REPEATED: [400, 'more than one Content-Length'],
  LENGTH_AND_ENCODING: [400, 'Content-Length together with Transfer-Encoding'],
  TRANSFER_ENCODING: [400, 'Transfer-Encoding does not end in a single chunked'],
  TRANSFER_ENCODING_UNKNOWN: [501, 'transfer coding other than chunked'],
  TRANSFER_ENCODING_VERSION: [400, 'Transfer-Encoding in an HTTP/1.0 message'],
  INFORMATIONAL_BODY: [400, 'informational response (1xx) with a body'],
  CONNECT_BODY: [400, 'CONNECT request with a body'],
  // Chunked coding
  CHUNK_SIZE: [400, 'malformed chunk size'],
  CHUNK_SIZE_TOO_LARGE: [400, 'chunk size exceeds 2^53 - 1 or has too many digits'],
  CHUNK_EXTENSION: [400, 'malformed chunk extension'],
  CHUNK_EXTENSION_TOO_LARGE: [400, 'chunk extensions exceed the limit'],
  CHUNK_END: [400, 'chunk data is not followed by CRLF'],
  TRAILER_FORBIDDEN: [400, 'trailer section carries a field that must not be a trailer'],
  TRAILERS_TOO_LARGE: [431, 'trailer section exceeds the limit'],
  // Path
  PATH_ENCODING: [400, 'malformed percent-encoding in the path'],
  PATH_CONTROL: [400, 'percent-encoded control character in the path'],
  PATH_SEPARATOR: [400, 'percent-encoded slash or backslash in the path'],
  PATH_DOT_SEGMENT: [400, 'ambiguous dot segment in the path'],
  PATH_ABOVE_ROOT: [400, 'path climbs above the root'],
} as const satisfies Record<string, readonly [CodecError['status'], string]>;

export type CodecErrorCode = keyof typeof table;

/** The errors by code; each is one frozen object, so that `===` and a switch on `code` both work. */
export const CODEC_ERRORS = Object.fromEntries(
  Object.entries(table).map(([code, [status, message]]) => [code, Object.freeze({ code, status, message })]),
) as Record<CodecErrorCode, CodecError>;
