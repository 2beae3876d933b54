import { jwtVerify, SignJWT } from 'jose';

const AUDIENCE = 'chat';
/** Short: a token is only needed at the moment of connecting, and the page gets a fresh one whenever it asks. */
export const TOKEN_LIFETIME_SECONDS = 600;

/** Mints and verifies the tokens that say who somebody is. */
export class Tokens {
  readonly #key: Uint8Array;

  constructor(signingKey: string) {
    this.#key = new TextEncoder().encode(signingKey);
  }

  mint(name: string): Promise<string> {
    return new SignJWT()
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(name)
      .setAudience(AUDIENCE)
      .setIssuedAt()
      .setJti(crypto.randomUUID())
      .setExpirationTime(`${TOKEN_LIFETIME_SECONDS} seconds`)
      .sign(this.#key);
  }

  /** The name in the token, or `null` when it is not to be believed. */
  async verify(token: string): Promise<string | null> {
    try {
      const { payload } = await jwtVerify(token, this.#key, { audience: AUDIENCE, algorithms: ['HS256'] });
      return payload.sub ?? null;
    } catch {
      return null;
    }
  }
}
