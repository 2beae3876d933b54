import type { PeerCertificate } from 'node:tls';
import { isTls } from './address.ts';
import { alternativeNames } from './alternative-names.ts';
import type { Endpoint } from './endpoint.ts';
import { namesOf } from './tls.ts';

/** Why an endpoint could not be reached, for metrics and logs. */
export type FailureCode =
  | 'certificate_expired'
  | 'certificate_not_yet_valid'
  | 'name_mismatch'
  | 'unknown_ca'
  | 'self_signed'
  | 'certificate_invalid'
  | 'client_certificate_refused'
  | 'tls_failed'
  | 'refused'
  | 'timed_out'
  | 'reset'
  | 'unreachable'
  | 'no_local_ports'
  | 'invalid_response'
  | 'other';

export interface Failure {
  readonly code: FailureCode;
  /** In words. */
  readonly words: string;
}

/** What is known besides the error. */
export interface FailureContext {
  /** Certificate that the server showed. */
  readonly certificate?: PeerCertificate | undefined;
  /** Names of which one was expected in it. */
  readonly names?: readonly string[] | undefined;
}

/**
 * Says why a connection for traffic failed: `TLS connection to 10.0.0.5:443 (contoso.example.net) failed: …`.
 * The error is one of a socket that was opened with `upstreamTls(endpoint)`.
 */
export function describeConnectError(error: unknown, endpoint: Endpoint): Failure {
  const { names } = namesOf(endpoint);
  const failure = describeFailure(error, { names });
  const asked = `${isTls(endpoint.pool) ? 'TLS' : 'TCP'} connection to ${describeEndpoint(endpoint)}`;
  return { code: failure.code, words: `${asked} failed: ${failure.words}` };
}

/** The address, and the target's name where that is another. */
export function describeEndpoint(endpoint: Endpoint): string {
  return endpoint.hostname === endpoint.address ? endpoint.id : `${endpoint.id} (${endpoint.hostname})`;
}

/** The reason alone, in words. */
export function describeFailure(error: unknown, context: FailureContext = {}): Failure {
  const cause = rootCause(error);
  const entry = BY_CODE[cause.code];
  if (entry !== undefined) {
    const [code, phrase] = entry;
    return { code, words: typeof phrase === 'string' ? phrase : phrase(cause, context) };
  }
  if (cause.code.startsWith('ERR_SSL_')) {
    return { code: 'tls_failed', words: `TLS failed: ${opensslReason(cause.code)}` };
  }
  // undici's parser gives some of its errors a name alone.
  if (cause.code.startsWith('HPE_') || (error as Error | null)?.name === 'HTTPParserError') {
    return { code: 'invalid_response', words: NOT_HTTP };
  }
  return { code: 'other', words: firstLine(cause.message) };
}

interface ErrorLike {
  readonly code: string;
  readonly message: string;
  /** Set by Node where a name does not match. */
  readonly cert?: PeerCertificate;
}

type Phrase = string | ((error: ErrorLike, context: FailureContext) => string);

const NO_TLS = 'the server does not speak TLS on this port';
const NO_COMMON_VERSION = 'the server supports no TLS version that is allowed';
const NOT_HTTP = 'the server does not answer in HTTP/1.1';
const WANTS_CERTIFICATE = 'the server requires a client certificate';
const REFUSED_CERTIFICATE = 'the server refused the client certificate';

/** By `error.code`, as Node, OpenSSL and undici set it. */
const BY_CODE: Readonly<Record<string, readonly [FailureCode, Phrase]>> = {
  CERT_HAS_EXPIRED: ['certificate_expired', (_, { certificate }) => expired(certificate)],
  CERT_NOT_YET_VALID: ['certificate_not_yet_valid', (_, { certificate }) => notYetValid(certificate)],
  ERR_TLS_CERT_ALTNAME_INVALID: ['name_mismatch', mismatch],
  DEPTH_ZERO_SELF_SIGNED_CERT: [
    'self_signed',
    (_, { certificate }) => `certificate is self-signed${by(certificate)}`,
  ],
  SELF_SIGNED_CERT_IN_CHAIN: ['unknown_ca', unknownCa],
  UNABLE_TO_GET_ISSUER_CERT: ['unknown_ca', unknownCa],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['unknown_ca', unknownCa],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: [
    'unknown_ca',
    (error, context) => `${unknownCa(error, context)}, or the server leaves out an intermediate certificate`,
  ],
  CERT_UNTRUSTED: ['unknown_ca', unknownCa],
  CERT_SIGNATURE_FAILURE: ['certificate_invalid', 'certificate has an invalid signature'],
  CERT_CHAIN_TOO_LONG: ['certificate_invalid', 'certificate chain is too long'],
  CERT_REVOKED: ['certificate_invalid', 'certificate is revoked'],
  CERT_REJECTED: ['certificate_invalid', 'certificate is rejected'],
  INVALID_CA: ['certificate_invalid', 'a certificate in the chain is not that of a CA'],
  INVALID_PURPOSE: ['certificate_invalid', 'certificate is not made for servers'],
  PATH_LENGTH_EXCEEDED: ['certificate_invalid', 'certificate chain is longer than its CA allows'],

  ERR_SSL_WRONG_VERSION_NUMBER: ['tls_failed', NO_TLS],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['tls_failed', NO_TLS],
  ERR_SSL_HTTP_REQUEST: ['tls_failed', NO_TLS],
  ERR_SSL_UNSUPPORTED_PROTOCOL: ['tls_failed', NO_COMMON_VERSION],
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: ['tls_failed', NO_COMMON_VERSION],
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: ['client_certificate_refused', WANTS_CERTIFICATE],
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: ['client_certificate_refused', REFUSED_CERTIFICATE],
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: ['client_certificate_refused', REFUSED_CERTIFICATE],
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: ['client_certificate_refused', REFUSED_CERTIFICATE],
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: ['client_certificate_refused', REFUSED_CERTIFICATE],

  ECONNREFUSED: ['refused', 'connection refused'],
  ECONNRESET: ['reset', 'connection reset'],
  EPIPE: ['reset', 'connection reset'],
  UND_ERR_SOCKET: ['reset', 'the server closed the connection'],
  ETIMEDOUT: ['timed_out', 'timed out'],
  UND_ERR_CONNECT_TIMEOUT: ['timed_out', 'timed out'],
  UND_ERR_HEADERS_TIMEOUT: ['timed_out', 'timed out'],
  UND_ERR_BODY_TIMEOUT: ['timed_out', 'timed out'],
  EHOSTUNREACH: ['unreachable', 'no route to the host'],
  ENETUNREACH: ['unreachable', 'no route to the network'],
  EHOSTDOWN: ['unreachable', 'the host is down'],
  EACCES: ['unreachable', 'connecting is forbidden on this machine (EACCES)'],
  EPERM: ['unreachable', 'connecting is forbidden on this machine (EPERM)'],
  EADDRNOTAVAIL: ['no_local_ports', 'no local address or port is left (EADDRNOTAVAIL)'],
  EMFILE: ['no_local_ports', 'too many open files (EMFILE)'],
  ENFILE: ['no_local_ports', 'too many open files (ENFILE)'],
  UND_ERR_HEADERS_OVERFLOW: ['invalid_response', 'the response headers are too large'],
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: ['invalid_response', 'the response body is not as long as it says'],
};

/** The codes that have words of their own. For the documentation's test: none may be missing there. */
export const ERROR_CODES: readonly string[] = Object.keys(BY_CODE);

/** Node wraps a failure to reach several addresses, undici the error of the socket below. */
function rootCause(error: unknown): ErrorLike {
  let current = error;
  for (let depth = 0; depth < 4; depth++) {
    if (typeof current !== 'object' || current === null) break;
    const { code, message, errors, cause, cert } = current as {
      code?: unknown;
      message?: unknown;
      errors?: unknown[];
      cause?: unknown;
      cert?: PeerCertificate;
    };
    const known = typeof code === 'string' && (code in BY_CODE || code.startsWith('ERR_SSL_'));
    const inner = Array.isArray(errors) ? errors[0] : cause;
    if (known || inner === undefined) {
      return {
        code: typeof code === 'string' ? code : '',
        message: typeof message === 'string' ? message : String(current),
        ...(cert === undefined ? {} : { cert }),
      };
    }
    current = inner;
  }
  return { code: '', message: String(current) };
}

function expired(certificate: PeerCertificate | undefined): string {
  const date = day(certificate?.valid_to);
  return date === null ? 'certificate expired' : `certificate expired on ${date}`;
}

function notYetValid(certificate: PeerCertificate | undefined): string {
  const date = day(certificate?.valid_from);
  return date === null ? 'certificate is not yet valid' : `certificate is not valid before ${date}`;
}

function mismatch(error: ErrorLike, { certificate, names }: FailureContext): string {
  const shown = certificateNames(error.cert ?? certificate);
  const expected = names === undefined || names.length === 0 ? '' : ` for ${names.join(' or ')}`;
  return `certificate is not valid${expected}: it names ${shown.length > 0 ? shown.join(', ') : 'nobody'}`;
}

function unknownCa(_error: ErrorLike, { certificate }: FailureContext): string {
  const issuer = commonName(certificate?.issuer);
  return `certificate is signed by an unknown CA${issuer === null ? '' : ` (${issuer})`}`;
}

function by(certificate: PeerCertificate | undefined): string {
  const subject = commonName(certificate?.subject);
  return subject === null ? '' : ` (${subject})`;
}

const MAX_NAMES = 5;

/** DNS names, addresses and URIs; a certificate with a hundred names is not shown in full. */
function certificateNames(certificate: PeerCertificate | undefined): string[] {
  const names = alternativeNames(certificate?.subjectaltname).map(({ value }) => value);
  if (names.length === 0) {
    const subject = commonName(certificate?.subject);
    if (subject !== null) names.push(subject);
  }
  if (names.length <= MAX_NAMES) return names;
  return [...names.slice(0, MAX_NAMES), `and ${names.length - MAX_NAMES} more`];
}

function commonName(of: PeerCertificate['subject'] | undefined): string | null {
  const name: unknown = of?.CN ?? of?.O;
  if (Array.isArray(name)) return String(name[0]);
  return typeof name === 'string' ? name : null;
}

/** Certificate dates are text such as `Jan  2 00:00:00 2026 GMT`. */
function day(text: string | undefined): string | null {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? null : new Date(time).toISOString().slice(0, 10);
}

function opensslReason(code: string): string {
  return code.slice('ERR_SSL_'.length).toLowerCase().replaceAll('_', ' ');
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}
