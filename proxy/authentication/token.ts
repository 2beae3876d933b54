import { hash } from 'node:crypto';

/** What a token says about itself before anything is verified: good for choosing a key, for nothing else. */
export interface UnverifiedToken {
  readonly text: string;
  readonly algorithm: string;
  readonly keyId: string | undefined;
  /** Of the payload; only strings can equal an issuer. */
  readonly issuer: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
}

/**
 * Reads a JWS in compact serialisation (RFC 7515 §7.1) that carries a JSON object. `undefined` when it is anything
 * else. Critical header parameters (§4.1.11) are extensions that we do not know, so a token with any is refused here.
 */
export function readToken(text: string): UnverifiedToken | undefined {
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  if (first <= 0 || second <= first + 1 || second === text.length - 1) return undefined;
  if (!isBase64Url(text, first, second)) return undefined;
  const header = jsonObject(text.slice(0, first));
  const claims = jsonObject(text.slice(first + 1, second));
  if (header === undefined || claims === undefined) return undefined;
  const algorithm = own(header, 'alg');
  const keyId = own(header, 'kid');
  const issuer = own(claims, 'iss');
  if (typeof algorithm !== 'string' || Object.hasOwn(header, 'crit')) return undefined;
  if (keyId !== undefined && typeof keyId !== 'string') return undefined;
  return { text, algorithm, keyId, issuer: typeof issuer === 'string' ? issuer : undefined, claims };
}

/**
 * Digest of the signature of a verified token (128 bits), for counting a replayed token together.
 *
 * Over the decoded bytes, as base64 has several spellings of the same ones. Of an ECDSA signature (r, s) only r
 * counts: whoever has (r, s) can also write (r, n - s), which is as valid and would pass for another token.
 */
export function signatureDigest(token: UnverifiedToken): string {
  const signature = Buffer.from(token.text.slice(token.text.lastIndexOf('.') + 1), 'base64url');
  const ecdsa = token.algorithm.startsWith('ES');
  return hash('sha256', ecdsa ? signature.subarray(0, signature.length / 2) : signature, 'base64url').slice(
    0,
    22,
  );
}

/** A claim as text: strings as they are, everything else as JSON. Absent and `null` are no claim. */
export function claimText(claims: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = own(claims, name);
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function own(object: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function jsonObject(base64url: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const text = strictUtf8.decode(Buffer.from(base64url, 'base64url'));
    const value: unknown = JSON.parse(text, exactIntegers);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** Integers beyond 2^53 become their digits: rounded, the ids of two users could be the same number. */
function exactIntegers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !Number.isInteger(value)) return value;
  return context?.source ?? value;
}

const BASE64URL = new Uint8Array(128);
for (const letter of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
  BASE64URL[letter.charCodeAt(0)] = 1;
}

function isBase64Url(text: string, first: number, second: number): boolean {
  for (let i = 0; i < text.length; i++) {
    if (i === first || i === second) continue;
    if (BASE64URL[text.charCodeAt(i)] !== 1) return false;
  }
  return true;
}
