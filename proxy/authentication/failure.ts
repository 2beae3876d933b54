import type { AuthenticationFailure, AuthenticationResult } from './identity.ts';

/** Why a request is not authenticated, finer than RFC 6750's error codes: for metrics. */
export type FailureKind = keyof typeof FAILURES;

/**
 * Every answer is one of these constants, so none can carry a piece of a token or name a provider.
 * In the order of the checks.
 */
const FAILURES = {
  missing_token: failure('missing_token', 'A token is required and none was sent.'),
  too_long: failure('invalid_token', 'The token is too long.'),
  malformed: failure('invalid_token', 'The token is malformed: it is not a signed JWT.'),
  unsupported_algorithm: failure('invalid_token', 'The signature algorithm of the token is not accepted.'),
  no_key: failure('invalid_token', 'No key is known that could have signed the token.'),
  bad_signature: failure('invalid_token', 'The signature of the token is wrong.'),
  wrong_issuer: failure('invalid_token', 'The token comes from another issuer.'),
  wrong_audience: failure('invalid_token', 'The token is meant for another audience.'),
  not_yet_valid: failure('invalid_token', 'The token is not valid yet.'),
  expired: failure('invalid_token', 'The token has expired.'),
  keys_unavailable: failure('keys_unavailable', 'The keys to check the token with are not available yet.'),
  overloaded: failure('keys_unavailable', 'Too many tokens are waiting to be checked.'),
} as const;

export const FAILURE_KINDS = Object.keys(FAILURES) as FailureKind[];

const RESULTS = Object.fromEntries(
  FAILURE_KINDS.map((kind) => [kind, { ok: false, failure: FAILURES[kind] }]),
) as Record<FailureKind, Extract<AuthenticationResult, { ok: false }>>;

/** The result for a kind of failure; always the same object. */
export function failed(kind: FailureKind): Extract<AuthenticationResult, { ok: false }> {
  return RESULTS[kind];
}

/** Of two failures the one whose token came further: a token that expired is not told that it has another's key. */
export function further(a: FailureKind, b: FailureKind): FailureKind {
  return FAILURE_KINDS.indexOf(a) >= FAILURE_KINDS.indexOf(b) ? a : b;
}

/** The status to answer with: 401, or 503 (with `Retry-After`) when the gateway cannot judge tokens now. */
export function statusOf(failure: AuthenticationFailure): 401 | 503 {
  return failure.error === 'keys_unavailable' ? 503 : 401;
}

/** What to send as `Retry-After` with a 503. */
export const RETRY_AFTER_SECONDS = 5;

/**
 * The `WWW-Authenticate` value of a 401 (RFC 6750 §3): without an error code when no token was sent (§3.1).
 * `null` for a 503, which is no challenge.
 */
export function wwwAuthenticate(failure: AuthenticationFailure): string | null {
  switch (failure.error) {
    case 'missing_token':
      return 'Bearer';
    case 'invalid_token':
      return `Bearer error="invalid_token", error_description="${failure.description}"`;
    case 'keys_unavailable':
      return null;
  }
}

function failure(error: AuthenticationFailure['error'], description: string): AuthenticationFailure {
  return Object.freeze({ error, description });
}
