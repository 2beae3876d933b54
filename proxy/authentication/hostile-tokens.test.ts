import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import {
  ASYMMETRIC,
  authentication,
  authenticator,
  base64url,
  bearer,
  claims,
  ed25519,
  hmacToken,
  inline,
  jwk,
  jwks,
  NOW_SECONDS,
  p256,
  provider,
  request,
  rsa,
  SECRET,
  SYMMETRIC,
  signedToken,
  verdict,
} from './test-support.ts';

/** One provider with a secret, issuer and audience; a second one with asymmetric keys and another issuer. */
const config = authentication({
  providers: [
    provider({ issuer: 'https://a.example.com', audiences: ['chat', 'board'], clockToleranceSeconds: 5 }),
    provider({
      issuer: 'https://b.example.com',
      algorithms: [...ASYMMETRIC],
      keys: inline(
        jwks(
          jwk(rsa.publicKey, { kid: 'rsa', alg: 'RS256' }),
          jwk(p256.publicKey, { kid: 'ec' }),
          jwk(ed25519.publicKey, { kid: 'enc', use: 'enc' }),
          jwk(ed25519.publicKey, { kid: 'ops', key_ops: ['sign'] }),
        ),
      ),
    }),
  ],
});

const A = { iss: 'https://a.example.com', aud: 'chat' };
const B = { iss: 'https://b.example.com' };
const good = hmacToken(claims(A));
const [header = '', payload = '', signature = ''] = good.split('.');
const goodRsa = signedToken(claims(B), rsa.privateKey, 'RS256', { kid: 'rsa' });
const goodEc = signedToken(claims(B), p256.privateKey, 'ES256', { kid: 'ec' });
const rsaPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const rsaDer = rsa.publicKey.export({ type: 'spki', format: 'der' });

/** Signs whatever text is given as header and payload. */
function raw(headerText: string, payloadText: string): string {
  const input = `${base64url(headerText)}.${base64url(payloadText)}`;
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
}

const HS = '{"alg":"HS256"}';
const BODY = `{"sub":"alice","iss":"https://a.example.com","aud":"chat","exp":${NOW_SECONDS + 600}}`;
const body = (extra: string) => `${BODY.slice(0, -1)},${extra}}`;

const OK = 'accepted';
const MALFORMED = 'The token is malformed: it is not a signed JWT.';
const ALGORITHM = 'The signature algorithm of the token is not accepted.';
const SIGNATURE = 'The signature of the token is wrong.';
const NO_KEY = 'No key is known that could have signed the token.';
const ISSUER = 'The token comes from another issuer.';
const AUDIENCE = 'The token is meant for another audience.';
const EXPIRED = 'The token has expired.';
const EARLY = 'The token is not valid yet.';
const LONG = 'The token is too long.';

const TABLE: readonly [name: string, token: string, expected: string][] = [
  ['good, secret', good, OK],
  ['good, RSA', goodRsa, OK],
  ['good, EC', goodEc, OK],

  ['alg none, empty signature', `${base64url({ alg: 'none' })}.${payload}.`, MALFORMED],
  ['alg none, no third part', `${base64url({ alg: 'none' })}.${payload}`, MALFORMED],
  ['alg none, kept signature', `${base64url({ alg: 'none' })}.${payload}.${signature}`, ALGORITHM],
  ['alg None', `${base64url({ alg: 'None' })}.${payload}.${signature}`, ALGORITHM],
  ['alg nOnE', `${base64url({ alg: 'nOnE' })}.${payload}.${signature}`, ALGORITHM],
  ['alg empty', `${base64url({ alg: '' })}.${payload}.${signature}`, ALGORITHM],
  ['alg missing', raw('{"typ":"JWT"}', BODY), MALFORMED],
  ['alg a number', raw('{"alg":256}', BODY), MALFORMED],
  ['alg an array', raw('{"alg":["HS256"]}', BODY), MALFORMED],
  ['alg null', raw('{"alg":null}', BODY), MALFORMED],
  ['alg in lower case', raw('{"alg":"hs256"}', BODY), ALGORITHM],
  ['alg with a space', raw('{"alg":"HS256 "}', BODY), ALGORITHM],
  ['alg unknown', raw('{"alg":"HS1"}', BODY), ALGORITHM],
  ['alg __proto__', raw('{"alg":"__proto__"}', BODY), ALGORITHM],
  ['alg twice, last none', raw('{"alg":"HS256","alg":"none"}', BODY), ALGORITHM],
  ['alg of key management', raw('{"alg":"dir"}', BODY), ALGORITHM],

  ['confusion: HMAC with the RSA key as PEM', hmacToken(claims(B), {}, Buffer.from(rsaPem)), ALGORITHM],
  ['confusion: HMAC with the RSA key as DER', hmacToken(claims(B), { kid: 'rsa' }, rsaDer), ALGORITHM],
  [
    'confusion: HMAC with the modulus',
    hmacToken(claims(B), { kid: 'rsa' }, Buffer.from((jwk(rsa.publicKey) as { n: string }).n, 'base64url')),
    ALGORITHM,
  ],
  [
    'confusion: RSA at the provider with the secret',
    signedToken(claims(A), rsa.privateKey, 'RS256'),
    ALGORITHM,
  ],
  ['confusion: HMAC with an empty secret', hmacToken(claims(A), {}, Buffer.alloc(0)), SIGNATURE],
  [
    'confusion: EC token that says RS256',
    goodEc.replace(/^[^.]*/, base64url({ alg: 'RS256', kid: 'ec' })),
    NO_KEY,
  ],
  [
    'key in the token: jwk',
    hmacToken(claims(A), { jwk: { kty: 'oct', k: 'AAAA' } }, Buffer.alloc(3)),
    SIGNATURE,
  ],
  ['key in the token: jku', hmacToken(claims(A), { jku: 'http://127.0.0.1/' }, Buffer.alloc(3)), SIGNATURE],
  ['key in the token: x5c', hmacToken(claims(A), { x5c: ['AAAA'] }, Buffer.alloc(3)), SIGNATURE],

  ['kid unknown', signedToken(claims(B), rsa.privateKey, 'RS256', { kid: 'other' }), NO_KEY],
  ['kid of another key type', signedToken(claims(B), rsa.privateKey, 'RS256', { kid: 'ec' }), NO_KEY],
  ['kid a number', signedToken(claims(B), rsa.privateKey, 'RS256', { kid: 7 }), MALFORMED],
  ['kid a path', signedToken(claims(B), rsa.privateKey, 'RS256', { kid: '../../etc/passwd' }), NO_KEY],
  ['kid __proto__', signedToken(claims(B), rsa.privateKey, 'RS256', { kid: '__proto__' }), NO_KEY],
  ['no kid, one key fits', signedToken(claims(B), rsa.privateKey, 'RS256'), OK],
  ['key for another algorithm', signedToken(claims(B), rsa.privateKey, 'RS512', { kid: 'rsa' }), NO_KEY],
  ['key for encryption', signedToken(claims(B), ed25519.privateKey, 'EdDSA', { kid: 'enc' }), NO_KEY],
  ['key without verify', signedToken(claims(B), ed25519.privateKey, 'EdDSA', { kid: 'ops' }), NO_KEY],
  ['kid does not matter for the secret', hmacToken(claims(A), { kid: 'whatever' }), OK],

  ['crit unknown', hmacToken(claims(A), { crit: ['exp'], exp: 1 }), MALFORMED],
  ['crit b64', hmacToken(claims(A), { crit: ['b64'], b64: true }), MALFORMED],
  ['crit empty', hmacToken(claims(A), { crit: [] }), MALFORMED],
  ['crit null', raw('{"alg":"HS256","crit":null}', BODY), MALFORMED],

  ['empty parts', '..', MALFORMED],
  ['one dot', `${header}.${payload}`, MALFORMED],
  ['no dots', header, MALFORMED],
  ['four parts', `${good}.AAAA`, MALFORMED],
  ['five parts, encrypted', `${header}.${payload}.${signature}.AAAA.AAAA`, MALFORMED],
  ['empty header', `.${payload}.${signature}`, MALFORMED],
  ['empty payload', `${header}..${signature}`, MALFORMED],
  ['trailing dot', `${good}.`, MALFORMED],
  ['leading dot', `.${good}`, MALFORMED],
  ['only dots', '.....', MALFORMED],
  ['padding', `${header}.${payload}.${signature}=`, MALFORMED],
  ['base64 instead of base64url', `${header}.${payload}.${signature.slice(0, -2)}+/`, MALFORMED],
  ['space inside', `${header}.${payload} .${signature}`, MALFORMED],
  ['tab inside', `${header}.${payload}\t.${signature}`, MALFORMED],
  ['two tokens', `${good}, ${good}`, MALFORMED],
  ['quoted', `"${good}"`, MALFORMED],
  ['latin1', `${header}.${payload}.\u00e9${signature}`, MALFORMED],

  ['signature truncated', good.slice(0, -4), SIGNATURE],
  ['signature of one byte', `${header}.${payload}.AA`, SIGNATURE],
  ['signature of a single letter', `${header}.${payload}.A`, MALFORMED],
  ['signature of zeros', `${header}.${payload}.${'A'.repeat(43)}`, SIGNATURE],
  ['signature with more behind it', `${good}AAAA`, SIGNATURE],
  ['EC signature of zeros', `${goodEc.slice(0, goodEc.lastIndexOf('.'))}.${'A'.repeat(86)}`, SIGNATURE],
  ['RSA signature too short', goodRsa.slice(0, -100), SIGNATURE],
  ['payload changed', `${header}.${base64url(claims({ ...A, sub: 'mallory' }))}.${signature}`, SIGNATURE],
  ['header changed', `${base64url({ alg: 'HS256', x: 1 })}.${payload}.${signature}`, SIGNATURE],
  ['another secret', hmacToken(claims(A), {}, Buffer.alloc(32, 8)), SIGNATURE],
  ['expired and forged', hmacToken(claims({ ...A, exp: 1 }), {}, Buffer.alloc(32, 8)), SIGNATURE],

  ['header no JSON', `${base64url('hello')}.${payload}.${signature}`, MALFORMED],
  ['header an array', raw('["HS256"]', BODY), MALFORMED],
  ['header a string', raw('"HS256"', BODY), MALFORMED],
  ['header null', raw('null', BODY), MALFORMED],
  [
    'header not UTF-8',
    `${Buffer.from([0xff, 0xfe]).toString('base64url')}.${payload}.${signature}`,
    MALFORMED,
  ],
  ['header with BOM', raw(`\ufeff${HS}`, BODY), MALFORMED],
  ['payload no JSON', raw(HS, 'hello'), MALFORMED],
  ['payload an array', raw(HS, '[]'), MALFORMED],
  ['payload a string', raw(HS, '"alice"'), MALFORMED],
  ['payload null', raw(HS, 'null'), MALFORMED],
  ['payload a number', raw(HS, '1'), MALFORMED],
  ['payload a token', raw(HS, good), MALFORMED],
  ['payload with text behind it', raw(HS, `${BODY}x`), MALFORMED],
  ['payload nested', raw(HS, body(`"x":${'['.repeat(200)}${']'.repeat(200)}`)), OK],
  ['payload with __proto__', raw(HS, body('"__proto__":{"iss":"x"}')), OK],

  ['exp past', hmacToken(claims({ ...A, exp: NOW_SECONDS - 10 })), EXPIRED],
  ['exp within tolerance', hmacToken(claims({ ...A, exp: NOW_SECONDS - 3 })), OK],
  ['exp at the edge of tolerance', hmacToken(claims({ ...A, exp: NOW_SECONDS - 5 })), EXPIRED],
  ['exp zero', hmacToken(claims({ ...A, exp: 0 })), EXPIRED],
  ['exp negative', hmacToken(claims({ ...A, exp: -1 })), EXPIRED],
  ['exp fractional', hmacToken(claims({ ...A, exp: NOW_SECONDS + 0.5 })), OK],
  ['exp a string', hmacToken(claims({ ...A, exp: String(NOW_SECONDS + 600) })), MALFORMED],
  ['exp null', hmacToken(claims({ ...A, exp: null })), MALFORMED],
  ['exp true', hmacToken(claims({ ...A, exp: true })), MALFORMED],
  ['exp an array', hmacToken(claims({ ...A, exp: [NOW_SECONDS + 600] })), MALFORMED],
  ['exp huge', raw(HS, BODY.replace(/"exp":\d+/, '"exp":1e300')), OK],
  ['exp infinite', raw(HS, BODY.replace(/"exp":\d+/, '"exp":1e999')), MALFORMED],
  ['exp minus infinite', raw(HS, BODY.replace(/"exp":\d+/, '"exp":-1e999')), EXPIRED],
  ['exp missing', raw(HS, BODY.replace(/,"exp":\d+/, '')), OK],
  ['exp twice, last past', raw(HS, body('"exp":1')), EXPIRED],
  ['exp in milliseconds, past the year 50000', hmacToken(claims({ ...A, exp: NOW_SECONDS * 1000 })), OK],
  ['nbf in the future', hmacToken(claims({ ...A, nbf: NOW_SECONDS + 60 })), EARLY],
  ['nbf within tolerance', hmacToken(claims({ ...A, nbf: NOW_SECONDS + 5 })), OK],
  ['nbf a string', hmacToken(claims({ ...A, nbf: '1' })), MALFORMED],
  ['nbf infinite', raw(HS, body('"nbf":1e999')), EARLY],
  ['iat in the future', hmacToken(claims({ ...A, iat: NOW_SECONDS + 60 })), EARLY],
  ['iat a string', hmacToken(claims({ ...A, iat: 'now' })), MALFORMED],
  ['iat minus infinite', raw(HS, body('"iat":-1e999')), MALFORMED],

  ['issuer unknown', hmacToken(claims({ ...A, iss: 'https://c.example.com' })), ISSUER],
  ['issuer missing', hmacToken(claims({ aud: 'chat' })), ISSUER],
  ['issuer an array', hmacToken(claims({ ...A, iss: [A.iss] })), ISSUER],
  ['issuer with a slash behind', hmacToken(claims({ ...A, iss: `${A.iss}/` })), ISSUER],
  ['issuer in upper case', hmacToken(claims({ ...A, iss: A.iss.toUpperCase() })), ISSUER],
  ['issuer twice, last unknown', raw(HS, body('"iss":"x"')), ISSUER],
  ["issuer of the other provider's keys", hmacToken(claims({ ...A, ...B })), ALGORITHM],
  ['audience other', hmacToken(claims({ ...A, aud: 'mail' })), AUDIENCE],
  ['audience missing', hmacToken(claims({ iss: A.iss })), AUDIENCE],
  ['audience one of several', hmacToken(claims({ ...A, aud: ['mail', 'board'] })), OK],
  ['audience none of several', hmacToken(claims({ ...A, aud: ['mail', 'chat2'] })), AUDIENCE],
  ['audience empty', hmacToken(claims({ ...A, aud: [] })), AUDIENCE],
  ['audience nested', hmacToken(claims({ ...A, aud: [['chat']] })), AUDIENCE],
  ['audience an object', hmacToken(claims({ ...A, aud: { chat: true } })), AUDIENCE],
  ['audience as prefix', hmacToken(claims({ ...A, aud: 'chat ' })), AUDIENCE],

  ['unicode claims', hmacToken(claims({ ...A, sub: '\u{1f600}\u0000\u202e' })), OK],
  ['lone surrogate', raw(HS, body('"x":"\\ud800"')), OK],
  ['as long as allowed', padded(16_384), OK],
  ['one letter longer', `${padded(16_384)}A`, LONG],
  ['huge', 'A'.repeat(60_000), LONG],
];

/** A good token of exactly this length. */
function padded(length: number): string {
  const size = (fill: number) => hmacToken(claims({ ...A, fill: 'x'.repeat(fill) }));
  let fill = Math.floor(((length - good.length) * 3) / 4) - 20;
  while (size(fill).length < length) fill++;
  assert.equal(size(fill).length, length);
  return size(fill);
}

test(`${TABLE.length} tokens, good and hostile, get the description that fits`, async (t) => {
  for (const [name, token, expected] of TABLE) {
    await t.test(name, async () => {
      const { judge, metrics } = authenticator(config);
      const view = bearer(token);
      const result = await judge(view);
      assert.equal(verdict(result), expected);
      assert.equal(verdict(await judge(view)), expected, 'the same from memory');
      assertNothingOfToken(result, token);
      assertNothingOfToken(metrics.report(), token);
    });
  }
});

test('keys of one kind never verify algorithms of the other, whatever the configuration allows', async () => {
  const everything = [...SYMMETRIC, ...ASYMMETRIC];
  const secretOfPem = provider({ algorithms: everything });
  const forgedWithPublicKey = hmacToken(claims(), { kid: 'rsa' }, Buffer.from(rsaPem));
  const publicKeys = provider({
    algorithms: everything,
    keys: inline(jwks(jwk(rsa.publicKey, { kid: 'rsa' }))),
  });
  const rows = [
    [publicKeys, forgedWithPublicKey, NO_KEY],
    [publicKeys, hmacToken(claims(), {}, rsaDer), NO_KEY],
    [secretOfPem, signedToken(claims(), rsa.privateKey, 'RS256'), NO_KEY],
    [secretOfPem, signedToken(claims(), ed25519.privateKey, 'EdDSA'), NO_KEY],
  ] as const;
  for (const [one, token, expected] of rows) {
    const { judge } = authenticator(authentication({ providers: [one] }));
    assert.equal(verdict(await judge(bearer(token))), expected);
  }
});

test('no header, query or cookie makes it throw', async () => {
  const { judge } = authenticator(config);
  const text = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 60 }),
    fc.constantFrom(good, goodRsa, goodEc),
    fc.tuple(fc.constantFrom(good, goodRsa, goodEc), fc.nat(), fc.string({ maxLength: 3 })).map(spliced),
    fc
      .tuple(fc.json(), fc.json(), fc.base64String())
      .map(([a, b, c]) => `${base64url(a)}.${base64url(b)}.${c}`),
    fc.tuple(fc.json(), fc.json()).map(([a, b]) => raw(a, b)),
    fc.json().map((value) => raw(HS, value)),
    fc.nat({ max: 5900 }).map((depth) => raw(HS, `{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`)),
  );
  const place = fc.constantFrom('header', 'query', 'cookie');
  await fc.assert(
    fc.asyncProperty(text, place, async (token, where) => {
      const field = Array.from(token, (letter) => String.fromCharCode((letter.charCodeAt(0) % 0xe0) + 0x20));
      const value = field.join('').replace(/\u007f/g, '');
      const view =
        where === 'header'
          ? request({ authorization: `bearer ${value}` })
          : where === 'query'
            ? request({}, `a=%zz&access_token=${token}`)
            : request({ cookie: `x; =;token=${value}` });
      const result = await judge(view);
      if (!result.ok) assertNothingOfToken(result, token);
    }),
    { numRuns: 1500 },
  );
});

function spliced([token, at, insert]: [string, number, string]): string {
  const position = at % token.length;
  return token.slice(0, position) + insert + token.slice(position + 1);
}

/** What a client, a log or a metric gets to see has no piece of the token. */
function assertNothingOfToken(shown: unknown, token: string): void {
  const told = inspect(shown, { depth: 9 });
  for (const part of token.split('.')) {
    if (part.length > 12) assert(!told.includes(part.slice(0, 12)), 'a failure tells nothing of the token');
  }
}
