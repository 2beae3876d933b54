import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { MockAgent } from 'undici';
import { Metrics } from '../telemetry/metrics.ts';
import { type Channel, channelPair } from '../workers/channel.ts';
import { Authenticator } from './authenticator.ts';
import { fetchJwks } from './jwks-fetch.ts';
import { JwksKeeper } from './jwks-keeper.ts';
import type { JwksTimings } from './jwks-key-set.ts';
import { JWKS_KEYS, JWKS_REFRESH, JWKS_REFRESHED } from './jwks-messages.ts';
import {
  authentication,
  bearer,
  claims,
  ed25519,
  jwk,
  jwks,
  NOW_SECONDS,
  p256,
  provider,
  rsa,
  signedToken,
  verdict,
} from './test-support.ts';

const RSA_SET = jwks(jwk(rsa.publicKey, { kid: 'rsa' }));
const EC_SET = jwks(jwk(p256.publicKey, { kid: 'ec' }));

/** A JWKS server of the test; `answer` may be exchanged at any time. */
async function serve(t: TestContext, answer: RequestListener) {
  const state = { answer, requests: 0 };
  const server = createServer((request, response) => {
    state.requests++;
    state.answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  return Object.assign(state, { uri });
}

const sends =
  (body: string, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body);
  };

const fails: RequestListener = (_request, response) => {
  response.writeHead(500).end('no');
};

/** Fast where a test waits for it, and otherwise never due. */
const TIMINGS: Partial<JwksTimings> = {
  timeoutMs: 500,
  minFreshMs: 100_000,
  maxFreshMs: 200_000,
  retryMs: 5,
  maxRetryMs: 20,
  cooldownMs: 100_000,
};

function keeper(t: TestContext, timings: Partial<JwksTimings> = {}) {
  const logged: string[] = [];
  const metrics = new Metrics();
  const write = (fields: object, message: string) => logged.push(`${message} ${JSON.stringify(fields)}`);
  const under = new JwksKeeper({
    metrics,
    log: { info: write, warn: write },
    timings: { ...TIMINGS, ...timings },
  });
  t.after(() => under.stop());
  return { under, logged, metrics };
}

function configFor(uri: string) {
  return authentication({
    providers: [provider({ algorithms: ['RS256', 'ES256', 'EdDSA'], keys: { type: 'JwksUri', uri } })],
  });
}

let lastWorker = 0;

/** A worker of the keeper that notes which key ids it is sent. */
function listener(under: JwksKeeper) {
  const [worker, main] = channelPair();
  const workerId = ++lastWorker;
  const sets: (string | null)[] = [];
  const cooldowns: number[] = [];
  worker.on(JWKS_KEYS, ({ json }) => sets.push(json === null ? null : kids(json)));
  worker.on(JWKS_REFRESHED, ({ cooldownMs }) => cooldowns.push(cooldownMs));
  under.addWorker({ workerId, post: main.post.bind(main), on: main.on.bind(main) });
  return { worker, workerId, sets, cooldowns };
}

function kids(json: string): string {
  return (JSON.parse(json) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid).join();
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5_000;
  while (!condition()) {
    assert(performance.now() < deadlineMs, 'the condition did not come true');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test('fetches once for all workers, and a new worker gets the keys there are', async (t) => {
  const server = await serve(t, sends(RSA_SET));
  const { under } = keeper(t);
  const first = listener(under);
  under.apply([configFor(server.uri), { ...configFor(server.uri), id: 'default/second' }]);
  await until(() => first.sets.length === 1);
  const second = listener(under);
  await until(() => second.sets.length === 1);
  assert.deepEqual([first.sets, second.sets, server.requests], [['rsa'], ['rsa'], 1]);
});

test('fetches again before the keys expire, as Cache-Control says within bounds', async (t) => {
  const server = await serve(t, sends(RSA_SET, { 'cache-control': 'public, max-age=0' }));
  const { under } = keeper(t, { minFreshMs: 10 });
  const { sets } = listener(under);
  under.apply([configFor(server.uri)]);
  await until(() => server.requests >= 2);
  server.answer = sends(EC_SET, { 'cache-control': 'max-age=3600' });
  await until(() => sets.length === 2);
  assert.deepEqual(sets, ['rsa', 'ec'], 'equal keys are not sent again');
});

test('a refresh is one fetch for all workers, and the new keys come before the answer', async (t) => {
  const server = await serve(t, sends(RSA_SET));
  const { under } = keeper(t, { cooldownMs: 0 });
  const workers = [listener(under), listener(under), listener(under)];
  under.apply([configFor(server.uri)]);
  await until(() => workers.every(({ sets }) => sets.length === 1));
  server.answer = sends(EC_SET);
  for (const { worker } of workers) worker.post(JWKS_REFRESH, { uri: server.uri, hasKeys: true });
  await until(() => workers.every(({ cooldowns }) => cooldowns.length === 1));
  for (const { sets } of workers) assert.deepEqual(sets, ['rsa', 'ec']);
  assert.equal(server.requests, 2);
});

test('a refresh within the cooldown fetches nothing', async (t) => {
  const server = await serve(t, sends(RSA_SET));
  const { under } = keeper(t);
  const { worker, sets, cooldowns } = listener(under);
  under.apply([configFor(server.uri)]);
  await until(() => sets.length === 1);
  worker.post(JWKS_REFRESH, { uri: server.uri, hasKeys: true });
  worker.post(JWKS_REFRESH, { uri: 'http://127.0.0.1/unknown', hasKeys: false });
  await until(() => cooldowns.length === 2);
  assert.equal(server.requests, 1);
  assert(cooldowns.every((cooldownMs) => cooldownMs > 0));
});

test('a worker without keys gets the ones there are when it asks', async (t) => {
  const server = await serve(t, sends(RSA_SET));
  const { under } = keeper(t);
  const { worker, sets, cooldowns } = listener(under);
  under.apply([configFor(server.uri)]);
  await until(() => sets.length === 1);
  worker.post(JWKS_REFRESH, { uri: server.uri, hasKeys: false });
  await until(() => cooldowns.length === 1);
  assert.deepEqual([sets, server.requests], [['rsa', 'rsa'], 1]);
});

test('an outage leaves the last good keys, until they are too old', async (t) => {
  const server = await serve(t, sends(RSA_SET));
  const { under, logged } = keeper(t, { minFreshMs: 5, defaultFreshMs: 5, maxStaleMs: 600 });
  const { sets } = listener(under);
  under.apply([configFor(server.uri)]);
  await until(() => sets.length === 1);
  server.answer = fails;
  await until(() => logged.length >= 3);
  const [status] = under.status();
  assert.equal(status?.problem, 'found status 500, expected 200');
  assert.deepEqual(sets, ['rsa']);
  await until(() => sets.length === 2);
  assert.deepEqual(sets, ['rsa', null]);
  server.answer = sends(EC_SET);
  await until(() => sets.length === 3);
  assert.equal(sets[2], 'ec');
});

test('what is no usable JWK Set is a failure that says why, and never replaces good keys', async (t) => {
  const server = await serve(t, fails);
  const { under } = keeper(t, { timeoutMs: 100, maxBytes: 2_000, maxRedirects: 2 });
  const { sets } = listener(under);
  under.apply([configFor(server.uri)]);
  const rows: [RequestListener, RegExp][] = [
    [fails, /found status 500, expected 200/],
    [sends('hello'), /no JWK Set/],
    [sends('{"keys":{}}'), /no JWK Set/],
    [sends('{"keys":[]}'), /no key that verifies/],
    [sends(jwks({ kty: 'oct', k: 'AAAA' })), /no key that verifies/],
    [sends(jwks(jwk(rsa.publicKey, { use: 'enc' }))), /no key that verifies/],
    [sends(`${RSA_SET}${' '.repeat(3_000)}`), /more than 2000 bytes/],
    [() => {}, /no answer within 100 ms/],
    [(request) => request.socket.destroy(), /./],
    [(_, response) => response.writeHead(302, { location: '/again' }).end(), /too many redirects/],
    [(_, response) => response.writeHead(302, { location: 'ftp://x/' }).end(), /not allowed/],
    [(_, response) => response.writeHead(302).end(), /found status 302/],
  ];
  for (const [answer, reason] of rows) {
    server.answer = answer;
    await until(() => reason.test(under.status()[0]?.problem ?? ''));
  }
  assert.deepEqual(sets, []);
});

test('follows a redirect', async (t) => {
  const server = await serve(t, (request, response) => {
    if (request.url === '/other') sends(RSA_SET)(request, response);
    else response.writeHead(307, { location: '/other' }).end();
  });
  const { under } = keeper(t);
  const { sets } = listener(under);
  under.apply([configFor(server.uri)]);
  await until(() => sets.length === 1);
});

test('does not follow a redirect from https to http', async (t) => {
  const agent = new MockAgent();
  t.after(() => agent.close());
  agent.disableNetConnect();
  const redirect = { headers: { location: 'http://issuer.example.com/keys' } };
  agent.get('https://issuer.example.com').intercept({ path: '/keys' }).reply(302, '', redirect);
  const limits = { timeoutMs: 1_000, maxBytes: 1_000, maxRedirects: 3 };
  await assert.rejects(fetchJwks('https://issuer.example.com/keys', limits, agent), /from https to http/);
});

test('private members of keys stay in the main thread', async (t) => {
  const server = await serve(t, sends(jwks(jwk(rsa.privateKey, { kid: 'rsa', secret: 'x' }))));
  const { under } = keeper(t);
  const received: (string | null)[] = [];
  const [worker, main] = channelPair();
  worker.on(JWKS_KEYS, ({ json }) => received.push(json));
  under.addWorker({ workerId: ++lastWorker, post: main.post.bind(main), on: main.on.bind(main) });
  under.apply([configFor(server.uri)]);
  await until(() => received.length === 1);
  const [key] = (JSON.parse(received[0]!) as { keys: object[] }).keys;
  assert.deepEqual(Object.keys(key!).sort(), ['e', 'kid', 'kty', 'n']);
});

test('neither log nor metrics show the secrets of a URI', async (t) => {
  const server = await serve(t, fails);
  const { under, logged, metrics } = keeper(t);
  under.apply([configFor(`${server.uri.replace('http://', 'http://user:hunter2@')}?code=hunter2`)]);
  await until(() => logged.length > 0);
  assert.doesNotMatch(JSON.stringify([logged, metrics.report()]), /hunter2/);
});

test('a URI that left the configuration is not fetched any more', async (t) => {
  const server = await serve(t, sends(RSA_SET));
  const { under, metrics } = keeper(t, { minFreshMs: 5, defaultFreshMs: 5 });
  under.apply([configFor(server.uri)]);
  await until(() => server.requests >= 2);
  under.apply([]);
  assert.deepEqual(under.status(), []);
  assert(metrics.report().every(({ series }) => series.length === 0));
});

test('end to end: 503 until keys come, a rotated key is found by its first token, a withdrawn one refused', async (t) => {
  const server = await serve(t, fails);
  const { under } = keeper(t, { cooldownMs: 0 });
  const [worker, main] = channelPair();
  const config = configFor(server.uri);
  under.apply([config]);
  under.addWorker({ workerId: ++lastWorker, post: main.post.bind(main), on: main.on.bind(main) });
  const checker = authenticatorOn(worker);
  checker.apply([config], []);
  const judge = async (token: string) => verdict(await checker.authenticate(config.id, bearer(token)));
  const byRsa = signedToken(claims(), rsa.privateKey, 'RS256', { kid: 'rsa' });
  const byEd = signedToken(claims(), ed25519.privateKey, 'EdDSA', { kid: 'ed' });
  assert.equal(await judge(byRsa), 'The keys to check the token with are not available yet.');
  server.answer = sends(RSA_SET);
  await until(() => under.status()[0]?.keys === 1);
  assert.equal(await judge(byRsa), 'accepted');
  server.answer = sends(jwks(jwk(ed25519.publicKey, { kid: 'ed' })));
  assert.equal(await judge(byEd), 'accepted');
  assert.equal(await judge(byRsa), 'No key is known that could have signed the token.');
});

function authenticatorOn(channel: Channel): Authenticator {
  return new Authenticator({ channel, metrics: new Metrics(), now: () => NOW_SECONDS * 1000 });
}
