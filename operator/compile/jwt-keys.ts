import { createPublicKey, type KeyObject, type webcrypto, X509Certificate } from 'node:crypto';
import { Private } from '../../proxy/config/private.ts';
import type { JwtProvider } from '../../proxy/config/snapshot.ts';

/** Signature algorithms by the kind of key that they take. */
export type Family = 'HS' | 'RS' | 'PS' | 'ES' | 'EdDSA';

const ALGORITHMS: Readonly<Record<Family, readonly string[]>> = {
  HS: ['HS256', 'HS384', 'HS512'],
  RS: ['RS256', 'RS384', 'RS512'],
  PS: ['PS256', 'PS384', 'PS512'],
  ES: ['ES256', 'ES384', 'ES512'],
  EdDSA: ['EdDSA'],
};

/** RFC 7518, sections 3.3 and 3.5. */
const MIN_RSA_BITS = 2048;

/** Curves of keys that can verify; others are passed over, as are kinds of keys that nobody knows. */
const KNOWN_CURVES: readonly string[] = ['P-256', 'P-384', 'P-521', 'Ed25519'];

type JsonObject = Record<string, unknown>;

export interface VerificationKeys {
  readonly keys: JwtProvider['keys'];
  readonly families: readonly Family[];
  /** Length of a shared secret, `null` for public keys. */
  readonly secretBytes: number | null;
}

interface Unusable {
  readonly problem: string;
  readonly expected: string;
}

/** The algorithms that a provider accepts, sorted, and those that were asked for but cannot go with its keys. */
export function fitAlgorithms(
  wanted: readonly string[],
  families: readonly Family[],
): { readonly algorithms: string[]; readonly unfit: string[] } {
  const fit = families.flatMap((family) => ALGORITHMS[family]);
  if (wanted.length === 0) return { algorithms: [...fit].sort(), unfit: [] };
  const unique = [...new Set(wanted)].sort();
  return {
    algorithms: unique.filter((name) => fit.includes(name)),
    unfit: unique.filter((name) => !fit.includes(name)),
  };
}

/** A shared secret, or a public key or certificate as PEM, which then becomes a key set of one. */
export function readVerificationKey(bytes: Buffer, encoding: 'UTF8' | 'Base64'): VerificationKeys | Unusable {
  const text = bytes.toString('latin1');
  if (text.includes('-----BEGIN ')) return readPem(text);
  const secret = encoding === 'Base64' ? decodeBase64(text.trim()) : bytes;
  if (secret === null) return { problem: 'text that is not Base64', expected: 'Base64 or Base64url' };
  if (secret.length === 0) return { problem: 'an empty secret', expected: 'a secret' };
  return {
    keys: { type: 'Secret', secretBase64: new Private(secret.toString('base64')) },
    families: ['HS'],
    secretBytes: secret.length,
  };
}

/** A JSON Web Key Set (RFC 7517). Keys of a kind that nobody knows are skipped, as its section 5 asks. */
export function readJwks(text: string): VerificationKeys | Unusable {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'text that is not JSON', expected: 'a JSON Web Key Set' };
  }
  const list: unknown = isObject(value) ? value.keys : undefined;
  if (!Array.isArray(list)) return { problem: 'JSON without a list keys', expected: 'a JSON Web Key Set' };
  const families = new Set<Family>();
  const usable: JsonObject[] = [];
  for (const [index, key] of list.entries()) {
    const read = readJwk(key);
    if (read === null) continue;
    if ('problem' in read) return { ...read, problem: `${read.problem} (keys[${index}])` };
    for (const family of read.families) families.add(family);
    usable.push(read.jwk);
  }
  if (usable.length === 0) {
    return { problem: 'no key that can verify a signature', expected: 'keys of type RSA, EC, OKP or oct' };
  }
  if (families.has('HS') && families.size > 1) {
    return {
      problem: 'shared secrets and public keys in one set',
      expected: 'one kind, since a public key must never serve as a shared secret',
    };
  }
  return {
    keys: { type: 'Jwks', json: new Private(JSON.stringify({ keys: usable })) },
    families: (Object.keys(ALGORITHMS) as Family[]).filter((family) => families.has(family)),
    secretBytes: null,
  };
}

/** What of a key is needed for verifying: never a private part. `null` is a key that is passed over. */
function readJwk(
  key: unknown,
): { readonly families: readonly Family[]; readonly jwk: JsonObject } | Unusable | null {
  if (!isObject(key) || key.use === 'enc') return null;
  const common = pick(key, ['kid', 'alg', 'use']);
  if (key.kty === 'oct') {
    const secret = typeof key.k === 'string' ? decodeBase64(key.k) : null;
    if (secret !== null && secret.length > 0)
      return { families: ['HS'], jwk: { kty: 'oct', k: key.k, ...common } };
    return { problem: 'a key of type oct without a secret', expected: 'the secret as Base64url in k' };
  }
  if (key.kty !== 'RSA' && key.kty !== 'EC' && key.kty !== 'OKP') return null;
  if (key.kty !== 'RSA' && !KNOWN_CURVES.includes(String(key.crv))) return null;
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey({ key: key as webcrypto.JsonWebKey, format: 'jwk' });
  } catch {
    return { problem: `a key of type ${key.kty} that cannot be read`, expected: 'a public key (RFC 7518)' };
  }
  const read = familiesOf(publicKey);
  if ('problem' in read) return read;
  return { families: read.families, jwk: { ...publicKey.export({ format: 'jwk' }), ...common } };
}

function pick(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(object, name)).map((name) => [name, object[name]]),
  );
}

function readPem(text: string): VerificationKeys | Unusable {
  const expected = 'a public key or certificate as PEM';
  if (text.includes('PRIVATE KEY-----')) return { problem: 'a private key', expected };
  let key: KeyObject;
  try {
    key = text.includes('-----BEGIN CERTIFICATE-----')
      ? new X509Certificate(text).publicKey
      : createPublicKey(text);
  } catch {
    return { problem: 'PEM that cannot be read', expected };
  }
  const read = familiesOf(key);
  if ('problem' in read) return read;
  const jwk = key.export({ format: 'jwk' });
  return {
    keys: { type: 'Jwks', json: new Private(JSON.stringify({ keys: [jwk] })) },
    families: read.families,
    secretBytes: null,
  };
}

function familiesOf(key: KeyObject): { readonly families: readonly Family[] } | Unusable {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  switch (type) {
    case 'rsa': {
      const bits = details?.modulusLength ?? 0;
      if (bits >= MIN_RSA_BITS) return { families: ['RS', 'PS'] };
      return { problem: `an RSA key of ${bits} bits`, expected: `at least ${MIN_RSA_BITS} bits` };
    }
    case 'ec': {
      const curve = details?.namedCurve ?? 'unknown';
      if (['prime256v1', 'secp384r1', 'secp521r1'].includes(curve)) return { families: ['ES'] };
      return { problem: `a key on the curve ${curve}`, expected: 'P-256, P-384 or P-521' };
    }
    case 'ed25519':
      return { families: ['EdDSA'] };
    default:
      return { problem: `a key of type ${type ?? 'unknown'}`, expected: 'RSA, EC or Ed25519' };
  }
}

/** Base64 or Base64url, with or without padding; `null` for anything else. */
function decodeBase64(text: string): Buffer | null {
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : null;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
