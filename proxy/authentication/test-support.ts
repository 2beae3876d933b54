/** What the tests of authentication share: requests, configurations, and tokens of every make. */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { Private } from '../config/private.ts';
import type { Authentication, JwtProvider, TokenSource } from '../config/snapshot.ts';
import { HeaderList } from '../http/codec/headers.ts';
import type { RequestView } from '../http/request.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { channelPair } from '../workers/channel.ts';
import { Authenticator, type AuthenticatorOptions } from './authenticator.ts';
import type { AuthenticationResult } from './identity.ts';

export const NOW_SECONDS = 1_800_000_000;
export const SECRET = Buffer.alloc(32, 7);

export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
export const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
export const ed25519 = generateKeyPairSync('ed25519');

export const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;
export const SYMMETRIC = ['HS256', 'HS384', 'HS512'] as const;

export function jwk(key: KeyObject, members: object = {}): object {
  return { ...key.export({ format: 'jwk' }), ...members };
}

export function jwks(...keys: object[]): string {
  return JSON.stringify({ keys });
}

export function base64url(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

export function hmacToken(payload: unknown, header: object = {}, secret: Buffer = SECRET): string {
  const full = { alg: 'HS256', typ: 'JWT', ...header };
  const input = `${base64url(full)}.${base64url(payload)}`;
  const hash = `sha${full.alg.slice(2)}`;
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`;
}

export function signedToken(payload: unknown, key: KeyObject, alg: string, header: object = {}): string {
  const input = `${base64url({ alg, ...header })}.${base64url(payload)}`;
  const hash = alg === 'EdDSA' || alg === 'Ed25519' ? null : `sha${alg.slice(2)}`;
  const pss = alg.startsWith('PS') ? { padding: 6, saltLength: Number(alg.slice(2)) / 8 } : {};
  const options = { key, dsaEncoding: 'ieee-p1363' as const, ...pss };
  return `${input}.${sign(hash, Buffer.from(input), options).toString('base64url')}`;
}

export function claims(members: object = {}): object {
  return { sub: 'alice', exp: NOW_SECONDS + 600, ...members };
}

export function provider(members: Partial<JwtProvider> = {}): JwtProvider {
  return {
    name: 'app',
    issuer: null,
    audiences: [],
    algorithms: [...SYMMETRIC],
    keys: { type: 'Secret', secretBase64: new Private(SECRET.toString('base64')) },
    clockToleranceSeconds: 0,
    ...members,
  };
}

export function inline(json: string): JwtProvider['keys'] {
  return { type: 'Jwks', json: new Private(json) };
}

export const FROM: readonly TokenSource[] = [
  { in: 'header', name: 'Authorization', prefix: 'Bearer ' },
  { in: 'query', name: 'access_token' },
  { in: 'cookie', name: 'token' },
];

export function authentication(members: Partial<Authentication> = {}): Authentication {
  return { id: 'default/chat', providers: [provider()], from: FROM, userIdClaim: 'sub', ...members };
}

export function request(headers: Record<string, string> = {}, query = ''): RequestView {
  return {
    method: 'GET',
    scheme: 'http',
    host: 'chat.example.com',
    path: '/',
    query,
    headers: new HeaderList(Object.entries(headers)),
    clientAddress: '192.0.2.1',
  };
}

export function bearer(token: string): RequestView {
  return request({ authorization: `Bearer ${token}` });
}

/** An authenticator of its own with one authentication, and a clock that stands at {@link NOW_SECONDS}. */
export function authenticator(
  config: Authentication = authentication(),
  options: Partial<AuthenticatorOptions> = {},
) {
  const [worker, main] = channelPair();
  const metrics = new Metrics();
  const clock = { nowMs: NOW_SECONDS * 1000 };
  const now = () => clock.nowMs;
  const under = new Authenticator({ channel: worker, metrics, now, ...options });
  under.apply([config], []);
  const judge = async (view: RequestView): Promise<AuthenticationResult> =>
    under.authenticate(config.id, view);
  return { under, main, metrics, clock, judge };
}

/** `accepted`, or the description of the failure. */
export function verdict(result: AuthenticationResult): string {
  return result.ok ? 'accepted' : result.failure.description;
}
