import { CONNECTION_CLOSE_LINE, contentLengthLine, originResponseHead } from './codec/write.ts';

/**
 * Every answer that the gateway itself gives, by reason. The body is `{"error": {"code", "message"}}`; neither head
 * nor body ever repeats a byte of the request.
 */
const table = {
  // The request itself
  bad_request: [400, 'The request is not valid HTTP.'],
  request_timeout: [408, 'The request did not arrive in time.'],
  body_too_large: [413, 'The request body is larger than this gateway takes.'],
  target_too_long: [414, 'The request target is longer than this gateway takes.'],
  headers_too_large: [431, 'The request header is larger than this gateway takes.'],
  not_implemented: [501, 'This gateway does not serve the method or the transfer coding of the request.'],
  version_not_supported: [505, 'This gateway speaks HTTP/1.1 here.'],
  bad_websocket_handshake: [400, 'The WebSocket handshake is not valid.'],
  websocket_version: [426, 'This gateway speaks version 13 of the WebSocket protocol.'],
  // The order at connect
  access_denied: [403, 'Access from this address is not allowed.'],
  missing_token: [401, 'A token is required.'],
  invalid_token: [401, 'The token is not valid.'],
  keys_unavailable: [503, 'The keys that tokens are checked with cannot be had at the moment.'],
  misdirected: [421, 'This host is not served on this TLS connection.'],
  no_route: [404, 'No route matches this request.'],
  too_many_connections: [429, 'Too many concurrent connections.'],
  count_unavailable: [503, 'The number of open connections cannot be known at the moment.'],
  invalid_backend: [500, 'The route refers to a backend that does not exist.'],
  // Backends
  no_targets: [503, 'The backend pool has no targets.'],
  no_addresses: [503, 'No target of the backend pool has an address.'],
  no_healthy_target: [503, 'No target of the backend pool is healthy.'],
  all_targets_full: [503, 'All targets of the backend pool are at their connection limit.'],
  connect_failed: [502, 'The backend could not be reached.'],
  connect_timeout: [504, 'The backend could not be reached in time.'],
  backend_failed: [502, 'The backend closed the connection before it answered.'],
  backend_invalid: [502, 'The backend did not answer with valid HTTP.'],
  backend_timeout: [504, 'The backend did not answer in time.'],
  request_deadline: [504, 'The request took longer than its route allows.'],
} as const satisfies Record<string, readonly [status: number, message: string]>;

export type Reason = keyof typeof table;

/** For the documentation's test: none may be missing there. */
export const REASONS = Object.keys(table) as readonly Reason[];

/** A whole answer of the gateway, ready to be sent by whatever HTTP version. */
export interface Answer {
  /** `null` where the answer is no refusal. */
  readonly reason: Reason | null;
  readonly status: number;
  /** ASCII. */
  readonly body: string;
  /** Lines for the header beyond framing, each with its CRLF. */
  readonly lines: string;
}

const CONTENT_TYPE = 'Content-Type: application/json\r\nCache-Control: no-store\r\n';

const plainAnswers = new Map<Reason, Answer>();
for (const reason of Object.keys(table) as Reason[]) plainAnswers.set(reason, build(reason, ''));

/** The answer for a reason that needs no further header fields. */
export function answerFor(reason: Reason): Answer {
  return plainAnswers.get(reason)!;
}

/** An answer with further lines, each made by `fieldLine`, and possibly another status or message. */
export function answerWith(reason: Reason, lines: string, message?: string, status?: number): Answer {
  return build(reason, lines, message, status);
}

/** 429 or 503 of the firewall. */
export function refusedByFirewall(rejection: {
  readonly status: 429 | 503;
  readonly message: string;
  readonly retryAfterSeconds: number;
}): Answer {
  const lines = `Retry-After: ${rejection.retryAfterSeconds}\r\n`;
  return rejection.status === 429
    ? build('too_many_connections', lines, rejection.message)
    : build('count_unavailable', lines, rejection.message);
}

/** An answer without a body that is no refusal: a redirect, a preflight. */
export function emptyAnswer(status: number, lines: string): Answer {
  return { reason: null, status, body: '', lines };
}

/** 503 with a hint when to come again; for reasons that pass by themselves. */
export function answerLater(reason: Reason, retryAfterSeconds: number): Answer {
  return build(reason, `Retry-After: ${retryAfterSeconds}\r\n`);
}

/** Which answer a refused message head or body gets. */
export function reasonOfCodecStatus(status: 400 | 414 | 431 | 501 | 505): Reason {
  switch (status) {
    case 400:
      return 'bad_request';
    case 414:
      return 'target_too_long';
    case 431:
      return 'headers_too_large';
    case 501:
      return 'not_implemented';
    case 505:
      return 'version_not_supported';
  }
}

/** An answer as an HTTP/1.1 message. To HEAD it has no body but the length that there would be (RFC 9110 §9.3.2). */
export function http1Answer(answer: Answer, isHead: boolean, connectionLine: string): string {
  const length = answer.status === 204 ? '' : contentLengthLine(answer.body.length);
  const head = originResponseHead(answer.status, `${dateLine()}${answer.lines}${length}${connectionLine}`);
  return isHead ? head : head + answer.body;
}

/** For a client whose request could not even be read. */
export function http1Refusal(reason: Reason): string {
  return http1Answer(answerFor(reason), false, CONNECTION_CLOSE_LINE);
}

function build(reason: Reason, lines: string, message?: string, status?: number): Answer {
  const [tableStatus, tableMessage] = table[reason];
  const body = `${JSON.stringify({ error: { code: reason, message: ascii(message ?? tableMessage) } })}\n`;
  return { reason, status: status ?? tableStatus, body, lines: CONTENT_TYPE + lines };
}

/** Messages of other modules may name a rule in any script; the body is sent as latin1 text. */
function ascii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

let dateSecond = -1;
let dateText = '';

/** `Date`, which an answer that originates here has to carry (RFC 9110 §6.6.1); built once a second. */
export function dateLine(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateText;
}
