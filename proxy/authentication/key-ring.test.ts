import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { jwksRing, secretRing } from './key-ring.ts';
import { ASYMMETRIC, ed25519, jwk, jwks, p256, p384, p521, rsa, SYMMETRIC } from './test-support.ts';

const oct = { kty: 'oct', k: Buffer.alloc(32).toString('base64url') };

test('what a key is decides which algorithms it is a candidate for', () => {
  const keys: [object, string[]][] = [
    [jwk(rsa.publicKey), ASYMMETRIC.filter((alg) => alg.startsWith('RS') || alg.startsWith('PS'))],
    [jwk(p256.publicKey), ['ES256']],
    [jwk(p384.publicKey), ['ES384']],
    [jwk(p521.publicKey), ['ES512']],
    [jwk(ed25519.publicKey), ['EdDSA', 'Ed25519']],
    [oct, [...SYMMETRIC]],
  ];
  const all = [...ASYMMETRIC, 'Ed25519', ...SYMMETRIC, 'none', 'ES256K', '', '__proto__'];
  for (const [key, expected] of keys) {
    const ring = jwksRing(jwks(key), true)!;
    assert.deepEqual(
      all.filter((algorithm) => ring.find(algorithm, undefined).length > 0).sort(),
      expected.sort(),
    );
  }
  const secret = secretRing('AAAA');
  assert.deepEqual(
    all.filter((algorithm) => secret.find(algorithm, 'any').length > 0),
    [...SYMMETRIC],
  );
});

test('a key with the same id comes before keys without one, and others do not come at all', () => {
  const ring = jwksRing(
    jwks(jwk(p256.publicKey), jwk(p256.publicKey, { kid: 'a' }), jwk(p256.publicKey, { kid: 'b' })),
    false,
  )!;
  assert.equal(ring.find('ES256', 'b').length, 2);
  assert.equal(ring.find('ES256', 'c').length, 1);
  assert.equal(ring.find('ES256', undefined).length, 3);
});

test('a set with many keys of one id gives a bounded number of candidates', () => {
  const ring = jwksRing(
    jwks(...Array.from({ length: 300 }, () => jwk(p256.publicKey, { kid: 'a' }))),
    false,
  )!;
  assert.equal(ring.size, 256);
  assert.equal(ring.find('ES256', 'a').length, 8);
});

test('an RSA key below 2048 bits and a broken key verify nothing, and do not throw', async () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const broken = { kty: 'EC', crv: 'P-256', x: 'AAAA', y: '!' };
  const ring = jwksRing(jwks(jwk(weak.publicKey), broken), false)!;
  for (const algorithm of ['RS256', 'ES256']) {
    const [key] = ring.find(algorithm, undefined);
    assert.equal(await key!.import(algorithm), undefined);
  }
});

test('members that are no keys are passed over', () => {
  const odd = [
    null,
    7,
    'x',
    [],
    {},
    { kty: 'RSA' },
    { kty: 7 },
    { ...oct, use: 7 },
    { ...oct, kid: 7 },
    { ...oct, key_ops: 'verify' },
  ];
  assert.equal(jwksRing(JSON.stringify({ keys: odd }), true)!.size, 0);
  for (const text of ['', '7', 'null', '[]', '{}', '{"keys":7}'])
    assert.equal(jwksRing(text, true), undefined);
});
