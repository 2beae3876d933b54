/** Who a verified token says the client is. Held per counted connection, so it keeps only what rules ask for. */
export interface Identity {
  /** Value of the user-id claim; `null` when the token has none. */
  readonly userId: string | null;
  /** Digest of the token's signature: equal for a replayed token, useless for making one. */
  readonly signatureDigest: string;
  /** A claim as text (strings as they are, everything else as JSON); `undefined` when the token has no such claim. */
  claim(name: string): string | undefined;
}

/**
 * Why a request is not authenticated: becomes 401 with `WWW-Authenticate` (RFC 6750 §3), or 503 with `Retry-After` for
 * `keys_unavailable`, where the gateway cannot tell good tokens from bad ones (see `statusOf`).
 */
export interface AuthenticationFailure {
  readonly error: 'missing_token' | 'invalid_token' | 'keys_unavailable';
  /** For the client and the access log; never contains the token or a part of it. */
  readonly description: string;
}

export type AuthenticationResult =
  | { readonly ok: true; readonly identity: Identity }
  | { readonly ok: false; readonly failure: AuthenticationFailure };
