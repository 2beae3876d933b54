import { hash } from 'node:crypto';
import type { Authentication, JwtProvider } from '../config/snapshot.ts';
import { jwksRing, type KeyRing, secretRing } from './key-ring.ts';
import type { UnverifiedToken } from './token.ts';
import { userIdClaims } from './token-identity.ts';
import { type CompiledSource, compileSource } from './token-source.ts';

/** An authentication, ready to be asked. */
export interface CompiledAuthentication {
  readonly id: string;
  /** Changes whenever anything changes that a cached result depends on. */
  readonly fingerprint: string;
  readonly sources: readonly CompiledSource[];
  readonly providers: readonly CompiledProvider[];
  readonly userIdClaims: readonly string[];
  readonly wantedClaims: readonly string[];
}

export interface CompiledProvider {
  readonly config: JwtProvider;
  /** The keys themselves, or the JWKS URI whose keys come later and change. */
  readonly keys: KeyRing | string;
}

export function compileAuthentication(
  authentication: Authentication,
  wantedClaims: readonly string[],
): CompiledAuthentication {
  return {
    id: authentication.id,
    fingerprint: fingerprintOf(authentication, wantedClaims),
    sources: authentication.from.map(compileSource),
    providers: authentication.providers.map(compileProvider),
    userIdClaims: userIdClaims(authentication.userIdClaim),
    wantedClaims,
  };
}

/**
 * The providers to try: those whose issuer the token names, else those without an issuer. Empty when every provider
 * expects another issuer.
 */
export function providersFor(
  authentication: CompiledAuthentication,
  token: UnverifiedToken,
): readonly CompiledProvider[] {
  const { providers } = authentication;
  const named = providers.filter(({ config }) => config.issuer !== null && config.issuer === token.issuer);
  return named.length > 0 ? named : providers.filter(({ config }) => config.issuer === null);
}

function compileProvider(config: JwtProvider): CompiledProvider {
  const { keys } = config;
  switch (keys.type) {
    case 'Secret':
      return { config, keys: secretRing(keys.secretBase64.reveal()) };
    case 'Jwks':
      return { config, keys: jwksRing(keys.json.reveal(), true) ?? NO_KEYS };
    case 'JwksUri':
      return { config, keys: keys.uri };
  }
}

const NO_KEYS: KeyRing = { find: () => [] };

function fingerprintOf(authentication: Authentication, wantedClaims: readonly string[]): string {
  const providers = authentication.providers.map(({ keys, ...rest }) => [rest, revealed(keys)]);
  const { from, userIdClaim } = authentication;
  return hash('sha256', JSON.stringify([providers, from, userIdClaim, wantedClaims]), 'base64url');
}

function revealed(keys: JwtProvider['keys']): string {
  switch (keys.type) {
    case 'Secret':
      return keys.secretBase64.reveal();
    case 'Jwks':
      return keys.json.reveal();
    case 'JwksUri':
      return keys.uri;
  }
}
