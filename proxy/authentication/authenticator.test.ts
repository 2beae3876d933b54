import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { Private } from '../config/private.ts';
import type { Channel } from '../workers/channel.ts';
import { JWKS_KEYS, JWKS_REFRESH, JWKS_REFRESHED } from './jwks-messages.ts';
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
  p384,
  p521,
  provider,
  request,
  rsa,
  SYMMETRIC,
  signedToken,
  verdict,
} from './test-support.ts';
import { claimText, readToken, signatureDigest } from './token.ts';

const URI = 'https://issuer.example.com/keys';
const byUri = (members: object = {}) =>
  provider({ algorithms: [...ASYMMETRIC], keys: { type: 'JwksUri', uri: URI }, ...members });

test('every algorithm is verified', async () => {
  const keys: Record<string, { privateKey: KeyObject; publicKey: KeyObject }> = {
    ES256: p256,
    ES384: p384,
    ES512: p521,
    EdDSA: ed25519,
    Ed25519: ed25519,
  };
  const publicKeys = [rsa, p256, p384, p521, ed25519].map(({ publicKey }) => jwk(publicKey));
  const { judge } = authenticator(
    authentication({
      providers: [
        provider({ algorithms: [...ASYMMETRIC, 'Ed25519'], keys: inline(jwks(...publicKeys)) }),
        provider(),
      ],
    }),
  );
  for (const alg of [...ASYMMETRIC, 'Ed25519']) {
    const { privateKey } = keys[alg] ?? rsa;
    assert.equal(verdict(await judge(bearer(signedToken(claims(), privateKey, alg)))), 'accepted', alg);
  }
  for (const alg of SYMMETRIC) {
    assert.equal(verdict(await judge(bearer(hmacToken(claims(), { alg })))), 'accepted', alg);
  }
});

test('a token may be in a header, in the query or in a cookie, and the first place that has one decides', async () => {
  const good = hmacToken(claims());
  const bad = `${good.slice(0, -6)}AAAAAA`;
  const missing = 'A token is required and none was sent.';
  const wrong = 'The signature of the token is wrong.';
  const rows = [
    [request({ Authorization: `Bearer ${good}` }), 'accepted'],
    [request({ authorization: `bEARER   ${good}` }), 'accepted'],
    [request({ authorization: `Bearer${good}` }), missing],
    [request({ authorization: 'Bearer ' }), missing],
    [request({ authorization: 'Bearer' }), missing],
    [request({ authorization: good }), missing],
    [request({ authorization: 'Basic YTpi' }, `access_token=${good}`), 'accepted'],
    [request({}, `access_token=${good}`), 'accepted'],
    [request({}, `id=7&access_token=${good}&x`), 'accepted'],
    [request({}, `access%5Ftoken=${good.replaceAll('.', '%2E')}`), 'accepted'],
    [request({}, `access_token=${good}&access_token=${bad}`), 'accepted'],
    [request({}, `access_token=${bad}&access_token=${good}`), wrong],
    [request({}, 'access_token='), missing],
    [request({}, 'access_token'), missing],
    [request({}, `Access_Token=${good}`), missing],
    [request({ cookie: `a=b; token=${good}; c=d` }), 'accepted'],
    [request({ cookie: `token="${good}"` }), 'accepted'],
    [request({ cookie: `Token=${good}; xtoken=${good}` }), missing],
    [request({ cookie: `token=; token=${good}` }), missing],
    [request({ authorization: `Bearer ${bad}` }, `access_token=${good}`), wrong],
    [request({ cookie: `token=${good}` }, `access_token=${bad}`), wrong],
    [request(), missing],
  ] as const;
  for (const [view, expected] of rows) {
    const { judge } = authenticator();
    const shown = `${view.headers.get('authorization')} ?${view.query} ${view.headers.get('cookie')}`;
    assert.equal(verdict(await judge(view)), expected, shown);
  }
});

test('a header may carry the token without a scheme, or with a prefix that ends itself', async () => {
  const good = hmacToken(claims());
  for (const [prefix, value] of [
    ['', good],
    ['token=', `TOKEN=${good}`],
    ['Bearer', `bearer ${good}`],
  ] as const) {
    const { judge } = authenticator(authentication({ from: [{ in: 'header', name: 'X-Token', prefix }] }));
    assert.equal(verdict(await judge(request({ 'x-token': value }))), 'accepted', prefix);
  }
});

test('a verified token is answered synchronously until it expires, tolerance included', async () => {
  const { under, clock, judge } = authenticator(
    authentication({ providers: [provider({ clockToleranceSeconds: 10 })] }),
  );
  const view = bearer(hmacToken(claims({ exp: NOW_SECONDS + 60 })));
  assert(under.authenticate('default/chat', view) instanceof Promise);
  const first = await judge(view);
  assert.equal(under.authenticate('default/chat', view), first);
  clock.nowMs += 69_999;
  assert.equal(under.authenticate('default/chat', view), first);
  clock.nowMs += 1;
  assert(under.authenticate('default/chat', view) instanceof Promise);
  assert.equal(verdict(await judge(view)), 'The token has expired.');
});

test('a token that is not valid yet is accepted soon after it becomes valid', async () => {
  const { clock, judge } = authenticator();
  const view = bearer(hmacToken(claims({ nbf: NOW_SECONDS + 5 })));
  assert.equal(verdict(await judge(view)), 'The token is not valid yet.');
  clock.nowMs += 5_000;
  assert.equal(verdict(await judge(view)), 'accepted');
});

test('many requests with one unverified token share one verification', async () => {
  const { under, metrics } = authenticator();
  const view = bearer(hmacToken(claims()));
  const results = Array.from({ length: 1000 }, () => under.authenticate('default/chat', view));
  assert.equal(new Set(results).size, 1);
  await results[0];
  assert.equal(total(metrics, 'accepted'), 1);
});

test('no more tokens than the limit are verified at a time', async () => {
  const { under } = authenticator(authentication(), { maxPending: 3 });
  const results = await Promise.all(
    [1, 2, 3, 4].map((n) => under.authenticate('default/chat', bearer(hmacToken(claims({ jti: n }))))),
  );
  assert.deepEqual(
    results.map((result) => (result.ok ? '' : result.failure.error)),
    ['', '', '', 'keys_unavailable'],
  );
});

test('a flood of garbage does not displace good results', async () => {
  const { under, judge } = authenticator(authentication(), { maxCached: 10 });
  const view = bearer(hmacToken(claims()));
  await judge(view);
  for (let n = 0; n < 3_000; n++)
    await judge(bearer(`${base64url({ alg: 'HS256' })}.${base64url({ n })}.AAAA`));
  assert(!(under.authenticate('default/chat', view) instanceof Promise));
});

test('what was verified under another configuration does not count', async () => {
  const config = authentication();
  const { under, judge } = authenticator(config);
  const view = bearer(hmacToken(claims()));
  const first = await judge(view);
  under.apply([{ ...config }], []);
  assert.equal(under.authenticate(config.id, view), first, 'an equal configuration changes nothing');
  const otherSecret = Buffer.alloc(32, 1).toString('base64');
  const changes = [
    { providers: [provider({ issuer: 'x' })] },
    { providers: [provider({ audiences: ['x'] })] },
    { providers: [provider({ algorithms: ['HS512'] })] },
    { providers: [provider({ keys: { type: 'Secret', secretBase64: new Private(otherSecret) } })] },
    { providers: [] },
    { from: [] },
  ];
  for (const change of changes) {
    under.apply([config], []);
    assert.equal(verdict(await judge(view)), 'accepted');
    under.apply([authentication(change)], []);
    assert.notEqual(verdict(await judge(view)), 'accepted', JSON.stringify(change));
  }
});

test('a verification that a reload overtakes is judged by the new configuration', async () => {
  const { under } = authenticator();
  const pending = under.authenticate('default/chat', bearer(hmacToken(claims())));
  under.apply([authentication({ providers: [provider({ issuer: 'x' })] })], []);
  assert.equal(verdict(await pending), 'The token comes from another issuer.');
});

test('a verification whose authentication goes away meanwhile lets nobody in', async () => {
  const { under } = authenticator();
  const pending = under.authenticate('default/chat', bearer(hmacToken(claims())));
  under.apply([], []);
  assert.equal(verdict(await pending), 'The keys to check the token with are not available yet.');
});

test('who waits for keys of a URI that goes away is answered', async () => {
  const config = authentication({ providers: [byUri()] });
  const { under, main } = authenticator(config);
  main.on(JWKS_REFRESH, () => {});
  const pending = under.authenticate(config.id, bearer(signedToken(claims(), rsa.privateKey, 'RS256')));
  under.apply([], []);
  assert.equal(verdict(await pending), 'The keys to check the token with are not available yet.');
});

test('a key that is withdrawn during a verification verifies nothing', async () => {
  const handlers = new Map<string, (payload: unknown) => void>();
  const channel: Channel = {
    post: () => handlers.get(JWKS_REFRESHED.name)?.({ uri: URI, cooldownMs: 60_000 }),
    on: (topic, handler) => handlers.set(topic.name, handler as (payload: unknown) => void),
  };
  const { under } = authenticator(authentication({ providers: [byUri()] }), { channel });
  const keys = (json: string) => handlers.get(JWKS_KEYS.name)?.({ uri: URI, json });
  keys(jwks(jwk(rsa.publicKey)));
  const pending = under.authenticate('default/chat', bearer(signedToken(claims(), rsa.privateKey, 'RS256')));
  keys(jwks(jwk(p256.publicKey)));
  assert.equal(verdict(await pending), 'No key is known that could have signed the token.');
});

test('an authentication that is gone lets nobody in', async () => {
  const { under, judge } = authenticator();
  under.apply([], []);
  const result = await judge(bearer(hmacToken(claims())));
  assert(!result.ok && result.failure.error === 'keys_unavailable');
});

test('the user id is the configured claim; the spellings of the name identifier stand for each other', async () => {
  const uri = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier';
  const rows: [string, object, string | null][] = [
    ['sub', { sub: 'a' }, 'a'],
    ['sub', { sub: undefined, nameid: 'b' }, 'b'],
    ['sub', { sub: undefined, [uri]: 'c' }, 'c'],
    ['sub', { sub: undefined, 'asrs.s.uid': 'd' }, 'd'],
    ['nameid', { sub: 'a', nameid: 'b' }, 'b'],
    ['nameid', { sub: 'a' }, 'a'],
    [uri, { sub: 'a', [uri]: 'c' }, 'c'],
    ['email', { sub: 'a', email: 'e' }, 'e'],
    ['email', { sub: 'a' }, null],
    ['sub', { sub: '' }, null],
    ['sub', { sub: null }, null],
    ['sub', { sub: 42 }, '42'],
    ['sub', { sub: { id: 1 } }, '{"id":1}'],
    ['toString', {}, null],
  ];
  for (const [userIdClaim, members, expected] of rows) {
    const { judge } = authenticator(authentication({ userIdClaim }));
    const result = await judge(bearer(hmacToken(claims(members))));
    assert(result.ok);
    assert.equal(result.identity.userId, expected, `${userIdClaim} ${JSON.stringify(members)}`);
  }
});

test('an identity keeps the claims that are wanted and no others', async () => {
  const config = authentication();
  const { under, judge } = authenticator(config);
  under.apply([config], ['tenant', 'free', 'roles', 'none', 'nil']);
  const view = bearer(
    hmacToken(claims({ tenant: 't', free: true, roles: ['a', 'b'], nil: null, other: 'o' })),
  );
  const result = await judge(view);
  assert(result.ok);
  const { identity } = result;
  assert.deepEqual(
    ['tenant', 'free', 'roles', 'none', 'nil', 'other', 'constructor'].map((name) => identity.claim(name)),
    ['t', 'true', '["a","b"]', undefined, undefined, undefined, undefined],
  );
  under.apply([config], ['other']);
  const again = await judge(view);
  assert(again.ok);
  assert.equal(again.identity.claim('other'), 'o', 'a newly wanted claim is there, cached or not');
});

test('integers beyond 2^53 keep their digits', () => {
  const payload = '{"id":12345678901234567891,"list":[12345678901234567891],"n":1.5,"big":1e300}';
  const token = readToken(`${base64url({ alg: 'HS256' })}.${base64url(payload)}.AAAA`);
  assert(token !== undefined);
  assert.equal(claimText(token.claims, 'id'), '12345678901234567891');
  assert.equal(claimText(token.claims, 'list'), '["12345678901234567891"]');
  assert.equal(claimText(token.claims, 'n'), '1.5');
});

test('another spelling of the same signature has the same digest', () => {
  const token = signedToken(claims(), p256.privateKey, 'ES256');
  const [head, body, text = ''] = token.split('.');
  const signature = Buffer.from(text, 'base64url');
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = order - BigInt(`0x${signature.subarray(32).toString('hex')}`);
  const twin = Buffer.concat([
    signature.subarray(0, 32),
    Buffer.from(s.toString(16).padStart(64, '0'), 'hex'),
  ]);
  const digest = (value: string) => signatureDigest(readToken(value)!);
  assert.equal(digest(`${head}.${body}.${twin.toString('base64url')}`), digest(token));
  assert.notEqual(digest(signedToken(claims(), p256.privateKey, 'ES256')), digest(token));
  assert.match(digest(token), /^[\w-]{22}$/);
});

test('of several providers the one whose issuer the token names decides, else those without an issuer', async () => {
  const other = Buffer.alloc(32, 1);
  const keys = { type: 'Secret' as const, secretBase64: new Private(other.toString('base64')) };
  const { judge } = authenticator(
    authentication({
      providers: [
        provider({ issuer: 'a' }),
        provider({ name: 'any', keys }),
        provider({ issuer: 'c', keys }),
      ],
    }),
  );
  const wrong = 'The signature of the token is wrong.';
  assert.equal(verdict(await judge(bearer(hmacToken(claims({ iss: 'a' }))))), 'accepted');
  assert.equal(verdict(await judge(bearer(hmacToken(claims({ iss: 'a' }), {}, other)))), wrong);
  assert.equal(verdict(await judge(bearer(hmacToken(claims({ iss: 'b' }), {}, other)))), 'accepted');
  assert.equal(verdict(await judge(bearer(hmacToken(claims(), {}, other)))), 'accepted');
  assert.equal(verdict(await judge(bearer(hmacToken(claims({ iss: 'c' }))))), wrong);
  assert.equal(verdict(await judge(bearer(hmacToken(claims({ iss: 'c' }), {}, other)))), 'accepted');
});

test('keys of a URI: none yet is 503, then they count, and withdrawn ones do not', async () => {
  const config = authentication({ providers: [byUri()] });
  const { main, judge } = authenticator(config);
  main.on(JWKS_REFRESH, ({ uri }) => main.post(JWKS_REFRESHED, { uri, cooldownMs: 0 }));
  const view = bearer(signedToken(claims(), p256.privateKey, 'ES256', { kid: 'k' }));
  const before = await judge(view);
  assert(!before.ok && before.failure.error === 'keys_unavailable');
  await sent(() => main.post(JWKS_KEYS, { uri: URI, json: jwks(jwk(p256.publicKey, { kid: 'k' })) }));
  assert.equal(verdict(await judge(view)), 'accepted');
  await sent(() => main.post(JWKS_KEYS, { uri: URI, json: jwks(jwk(rsa.publicKey, { kid: 'r' })) }));
  assert.equal(verdict(await judge(view)), 'No key is known that could have signed the token.');
});

test('a secret that a URI publishes verifies nothing', async () => {
  const config = authentication({ providers: [byUri({ algorithms: [...SYMMETRIC, ...ASYMMETRIC] })] });
  const { main, judge } = authenticator(config);
  main.on(JWKS_REFRESH, ({ uri }) => main.post(JWKS_REFRESHED, { uri, cooldownMs: 0 }));
  const k = Buffer.alloc(32, 7).toString('base64url');
  await sent(() => main.post(JWKS_KEYS, { uri: URI, json: jwks({ kty: 'oct', k }, jwk(rsa.publicKey)) }));
  const result = await judge(bearer(hmacToken(claims())));
  assert.equal(verdict(result), 'No key is known that could have signed the token.');
});

test('an unknown key id waits for one refresh, and asks no further one before the cooldown is over', async () => {
  const config = authentication({ providers: [byUri()] });
  const { main, judge } = authenticator(config);
  let refreshes = 0;
  main.on(JWKS_REFRESH, ({ uri }) => {
    refreshes++;
    main.post(JWKS_KEYS, {
      uri,
      json: jwks(jwk(p256.publicKey, { kid: 'old' }), jwk(ed25519.publicKey, { kid: 'new' })),
    });
    main.post(JWKS_REFRESHED, { uri, cooldownMs: 60_000 });
  });
  await sent(() => main.post(JWKS_KEYS, { uri: URI, json: jwks(jwk(p256.publicKey, { kid: 'old' })) }));
  const fresh = (jti: number) =>
    bearer(signedToken(claims({ jti }), ed25519.privateKey, 'EdDSA', { kid: 'new' }));
  const results = await Promise.all([1, 2, 3].map((jti) => judge(fresh(jti))));
  assert.deepEqual(results.map(verdict), ['accepted', 'accepted', 'accepted']);
  assert.equal(refreshes, 1);
  for (let n = 0; n < 20; n++) {
    const result = await judge(bearer(signedToken(claims(), ed25519.privateKey, 'EdDSA', { kid: `x${n}` })));
    assert.equal(verdict(result), 'No key is known that could have signed the token.');
  }
  assert.equal(refreshes, 1);
});

/** Runs it and waits until what it posted has arrived. */
async function sent(post: () => void): Promise<void> {
  post();
  await new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
}

function total(metrics: ReturnType<typeof authenticator>['metrics'], result: string): number {
  const family = metrics.report().find(({ name }) => name === 'sluice_authentication_results_total');
  return family?.series.find(({ labels }) => labels[1] === result)?.value ?? 0;
}
