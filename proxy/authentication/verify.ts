import { errors, type JWTPayload, jwtVerify } from 'jose';
import type { JwtProvider } from '../config/snapshot.ts';
import type { FailureKind } from './failure.ts';
import type { KeyRing } from './key-ring.ts';
import type { UnverifiedToken } from './token.ts';

export interface Verified {
  /** Seconds since the epoch, with the clock tolerance; `Infinity` for a token without `exp`. */
  readonly endsAtSeconds: number;
}

/**
 * Checks the signature against each key that may have made it, then the claims (RFC 7519 §4.1, RFC 7515 §5.2).
 * Claims are only judged once the signature is right, so that what a forged token gets to hear is about its signature.
 */
export async function verifyToken(
  token: UnverifiedToken,
  provider: JwtProvider,
  ring: KeyRing,
  nowMs: number,
): Promise<Verified | FailureKind> {
  if (!provider.algorithms.includes(token.algorithm)) return 'unsupported_algorithm';
  let failure: FailureKind = 'no_key';
  for (const candidate of ring.find(token.algorithm, token.keyId)) {
    const key = await candidate.import(token.algorithm);
    if (key === undefined) continue;
    const result = await jwtVerify(token.text, key, verifyOptions(token, provider, nowMs)).then(
      ({ payload }) => checkTimes(payload, provider, nowMs),
      failureOf,
    );
    if (result !== 'bad_signature') return result;
    failure = result;
  }
  return failure;
}

function verifyOptions(token: UnverifiedToken, provider: JwtProvider, nowMs: number) {
  return {
    algorithms: [token.algorithm],
    clockTolerance: provider.clockToleranceSeconds,
    currentDate: new Date(nowMs),
    ...(provider.issuer === null ? {} : { issuer: provider.issuer }),
    ...(provider.audiences.length === 0 ? {} : { audience: [...provider.audiences] }),
  };
}

/** What jose leaves open: numbers that are none (`1e999`), and a token from the future. */
function checkTimes(payload: JWTPayload, provider: JwtProvider, nowMs: number): Verified | FailureKind {
  const { exp, nbf, iat } = payload;
  for (const value of [exp, nbf, iat]) {
    if (value !== undefined && !(typeof value === 'number' && Number.isFinite(value))) return 'malformed';
  }
  if (iat !== undefined && iat > nowMs / 1000 + provider.clockToleranceSeconds) return 'not_yet_valid';
  return {
    endsAtSeconds: exp === undefined ? Number.POSITIVE_INFINITY : exp + provider.clockToleranceSeconds,
  };
}

function failureOf(error: unknown): FailureKind {
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad_signature';
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'iss') return 'wrong_issuer';
    if (error.claim === 'aud') return 'wrong_audience';
    if (error.claim === 'nbf' && error.reason === 'check_failed') return 'not_yet_valid';
  }
  // jose has no other errors for a token that `readToken` let pass; were there one, the token is still no good.
  return 'malformed';
}
