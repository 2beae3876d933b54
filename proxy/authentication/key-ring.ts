import type { webcrypto } from 'node:crypto';
import { importJWK, type JWK } from 'jose';

type CryptoKey = webcrypto.CryptoKey;

/** One key, imported for an algorithm when it is first needed. */
export interface Key {
  /** `undefined` when the key cannot be used with the algorithm after all (e.g. RSA below 2048 bits). */
  import(algorithm: string): Promise<CryptoKey | undefined>;
}

/** The keys of one provider. */
export interface KeyRing {
  /** The keys that may have signed a token with this algorithm and key id; the best first. */
  find(algorithm: string, keyId: string | undefined): readonly Key[];
}

/** More candidates than this are not tried: each costs a signature verification. */
const MAX_CANDIDATES = 8;
/** More keys of one set than this are ignored. */
const MAX_KEYS = 256;

/** A shared secret: HMAC and nothing else, whatever the key id. */
export function secretRing(secretBase64: string): KeyRing {
  const bytes = Buffer.from(secretBase64, 'base64');
  if (bytes.length === 0) return { find: () => [] };
  const key = new ImportedKey({ kty: 'oct', k: bytes.toString('base64url') });
  return { find: (algorithm) => (familyOf(algorithm) === 'oct' ? [key] : []) };
}

/**
 * A JWK Set (RFC 7517 §5). What a key is decides what it verifies: an RSA, EC or OKP key never an HMAC, an `oct` key
 * nothing else; keys for encryption, or whose `alg` or `key_ops` say otherwise, are passed over.
 * @param allowSecrets `false` for a set that is published: a secret in it is none
 * @returns `undefined` when the text is no JWK Set
 */
export function jwksRing(json: string, allowSecrets: boolean): JwksRing | undefined {
  const keys = keysOf(json);
  if (keys === undefined) return undefined;
  const members: Member[] = [];
  for (const key of keys.slice(0, MAX_KEYS)) {
    const member = usable(key, allowSecrets);
    if (member !== undefined) members.push(member);
  }
  return new JwksRing(members);
}

export class JwksRing implements KeyRing {
  readonly #members: readonly Member[];

  constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /** Usable keys. */
  get size(): number {
    return this.#members.length;
  }

  /** The usable keys as a JWK Set, with nothing in it but what verifying takes. */
  toJson(): string {
    return JSON.stringify({ keys: this.#members.map(({ jwk }) => jwk) });
  }

  find(algorithm: string, keyId: string | undefined): readonly Key[] {
    const family = familyOf(algorithm);
    const named: Key[] = [];
    const unnamed: Key[] = [];
    for (const member of this.#members) {
      if (member.family !== family) continue;
      if (member.algorithm !== undefined && !sameAlgorithm(member.algorithm, algorithm)) continue;
      if (member.keyId === undefined || keyId === undefined) unnamed.push(member.key);
      else if (member.keyId === keyId) named.push(member.key);
    }
    return [...named, ...unnamed].slice(0, MAX_CANDIDATES);
  }
}

interface Member {
  readonly family: string;
  readonly algorithm: string | undefined;
  readonly keyId: string | undefined;
  readonly jwk: JWK;
  readonly key: Key;
}

class ImportedKey implements Key {
  readonly #jwk: JWK;
  readonly #imported = new Map<string, Promise<CryptoKey | undefined>>();

  constructor(jwk: JWK) {
    this.#jwk = jwk;
  }

  import(algorithm: string): Promise<CryptoKey | undefined> {
    let imported = this.#imported.get(algorithm);
    if (imported === undefined) {
      imported = importKey(this.#jwk, algorithm);
      this.#imported.set(algorithm, imported);
    }
    return imported;
  }
}

const MIN_RSA_BITS = 2048;

async function importKey(jwk: JWK, algorithm: string): Promise<CryptoKey | undefined> {
  try {
    if (jwk.kty === 'oct') {
      const hash = `SHA-${algorithm.slice(2)}`;
      const bytes = Buffer.from(jwk.k ?? '', 'base64url');
      return await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash }, false, ['verify']);
    }
    const key = (await importJWK(jwk, algorithm)) as CryptoKey;
    const { modulusLength } = key.algorithm as { modulusLength?: number };
    return modulusLength !== undefined && modulusLength < MIN_RSA_BITS ? undefined : key;
  } catch {
    return undefined;
  }
}

/** Which keys an algorithm (RFC 7518 §3.1, RFC 8037, RFC 9864) takes: key type, and curve where there is one. */
function familyOf(algorithm: string): string | undefined {
  return FAMILIES.get(algorithm);
}

const FAMILIES: ReadonlyMap<string, string> = new Map([
  ['HS256', 'oct'],
  ['HS384', 'oct'],
  ['HS512', 'oct'],
  ['RS256', 'RSA'],
  ['RS384', 'RSA'],
  ['RS512', 'RSA'],
  ['PS256', 'RSA'],
  ['PS384', 'RSA'],
  ['PS512', 'RSA'],
  ['ES256', 'EC P-256'],
  ['ES384', 'EC P-384'],
  ['ES512', 'EC P-521'],
  ['EdDSA', 'OKP Ed25519'],
  ['Ed25519', 'OKP Ed25519'],
]);

/** RFC 9864 renamed EdDSA with this curve to Ed25519. */
function sameAlgorithm(a: string, b: string): boolean {
  return a === b || (familyOf(a) === 'OKP Ed25519' && familyOf(b) === 'OKP Ed25519');
}

function keysOf(json: string): unknown[] | undefined {
  try {
    const set = JSON.parse(json) as { keys?: unknown } | null;
    const keys = set?.keys;
    return Array.isArray(keys) ? keys : undefined;
  } catch {
    return undefined;
  }
}

function usable(value: unknown, allowSecrets: boolean): Member | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { use, key_ops: operations, alg, kid } = value as Record<string, unknown>;
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return undefined;
  }
  if (alg !== undefined && typeof alg !== 'string') return undefined;
  if (kid !== undefined && typeof kid !== 'string') return undefined;
  const jwk = verifyingPart(value as Record<string, unknown>);
  if (jwk === undefined || (jwk.kty === 'oct' && !allowSecrets)) return undefined;
  const family = jwk.crv === undefined ? String(jwk.kty) : `${jwk.kty} ${jwk.crv}`;
  const described = { ...jwk, ...(alg === undefined ? {} : { alg }), ...(kid === undefined ? {} : { kid }) };
  return { family, algorithm: alg, keyId: kid, jwk: described, key: new ImportedKey(jwk) };
}

/** What verifying takes of a key; private members, should there be any, are left behind. */
function verifyingPart(key: Record<string, unknown>): JWK | undefined {
  const { kty, n, e, crv, x, y, k } = key;
  if (kty === 'RSA' && isText(n) && isText(e)) return { kty, n, e };
  if (kty === 'EC' && isText(crv) && isText(x) && isText(y)) return { kty, crv, x, y };
  if (kty === 'OKP' && isText(crv) && isText(x)) return { kty, crv, x };
  if (kty === 'oct' && isText(k)) return { kty, k };
  return undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
