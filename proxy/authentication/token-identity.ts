import type { Identity } from './identity.ts';
import { claimText, signatureDigest, type UnverifiedToken } from './token.ts';

/**
 * The claims that mean "who the user is" to the services whose tokens Sluice takes: `sub` (RFC 7519, Web PubSub),
 * `nameid` and the URI (the two spellings of .NET's NameIdentifier) and `asrs.s.uid` (tokens of the SignalR Service
 * SDK). .NET maps the first ones onto each other, so whichever a rule list names, a token that has another is meant too.
 */
const NAME_IDENTIFIERS: readonly string[] = [
  'sub',
  'nameid',
  'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier',
  'asrs.s.uid',
];

/** The claims that may hold the user id, the configured one first. */
export function userIdClaims(configured: string): readonly string[] {
  if (!NAME_IDENTIFIERS.includes(configured)) return [configured];
  return [configured, ...NAME_IDENTIFIERS.filter((name) => name !== configured)];
}

/** Keeps of a verified token what rules ask for, and not its text or its other claims. */
export class TokenIdentity implements Identity {
  readonly userId: string | null;
  readonly signatureDigest: string;
  /** Shared by all identities of one configuration. */
  readonly #names: readonly string[];
  readonly #values: readonly (string | undefined)[];

  constructor(token: UnverifiedToken, userIdClaims: readonly string[], wantedClaims: readonly string[]) {
    this.userId = userId(token, userIdClaims);
    this.signatureDigest = signatureDigest(token);
    this.#names = wantedClaims;
    this.#values = wantedClaims.map((name) => claimText(token.claims, name));
  }

  claim(name: string): string | undefined {
    return this.#values[this.#names.indexOf(name)];
  }
}

/** An empty user id is none: it is how an anonymous client is written. */
function userId(token: UnverifiedToken, names: readonly string[]): string | null {
  for (const name of names) {
    const value = claimText(token.claims, name);
    if (value !== undefined && value !== '') return value;
  }
  return null;
}
