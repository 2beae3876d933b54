import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type Client,
  type Gateway,
  startBackend,
  startGateway,
  startScripted,
} from '../support/http-harness.ts';
import { backend } from '../support/snapshots.ts';

const ok = (body = 'ok') => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

/** A port that refuses connections. */
async function refusingPort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function refusedWith(client: Client, status: number, code: string): Promise<void> {
  const response = await client.response();
  assert.equal(response.status, status);
  assert.equal(JSON.parse(response.body).error.code, code);
}

/** Moves the clock on in steps as ticks come, until the condition holds. */
async function passUntil(gateway: Gateway, condition: () => boolean): Promise<number> {
  let passedMs = 0;
  while (!condition()) {
    assert(passedMs < 200_000, 'nothing happened in all that time');
    gateway.clock.advance(100);
    passedMs += 100;
    for (let i = 0; i < 5; i++) await turn();
  }
  return passedMs;
}

test('a backend that refuses the connection is a 502', async (t) => {
  const gateway = await startGateway(t, { backends: [await refusingPort()] });
  const client = await gateway.connect();
  client.send(GET);
  await refusedWith(client, 502, 'connect_failed');
  assert.equal(gateway.pools.inUse, 0);
  assert.equal(gateway.records.at(-1)?.reason, 'connect_refused');
  assert.deepEqual(
    gateway.pools.outcomes.map(([, outcome]) => outcome),
    ['connect_failed'],
  );
});

test('another endpoint is tried when one refuses, whatever the method is', async (t) => {
  const good = await startScripted(t, () => ok());
  const gateway = await startGateway(t, { backends: [await refusingPort(), good] });
  for (let i = 0; i < 4; i++) {
    const client = await gateway.connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
    assert.equal((await client.response()).status, 200);
  }
  assert(gateway.pools.outcomes.some(([, outcome]) => outcome === 'connect_failed'));
  assert.equal(gateway.pools.inUse, 0);
});

test('a backend that leaves in the middle of the TLS handshake counts as one that cannot be reached', async (t) => {
  for (const leave of [
    (socket: net.Socket) => socket.end(),
    (socket: net.Socket) => socket.once('data', () => socket.end()),
    (socket: net.Socket) => socket.once('data', () => socket.resetAndDestroy()),
  ]) {
    const server = net.createServer((socket) => {
      socket.on('error', () => {}).resume();
      leave(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    const gateway = await startGateway(t, { backends: [port, port], pool: { protocol: 'HTTPS' } });
    const client = await gateway.connect();
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
    await refusedWith(client, 502, 'connect_failed');
    assert.equal(gateway.records.at(-1)?.reason, 'connect_reset');
    // Nothing was sent, so the other endpoint was tried.
    assert.deepEqual(
      gateway.pools.outcomes.map(([, outcome]) => outcome),
      ['connect_failed', 'connect_failed'],
    );
    assert.equal(gateway.pools.inUse, 0);
  }
});

test('a pool without a usable endpoint is a 503 at once, with Retry-After', async (t) => {
  const gateway = await startGateway(t);
  gateway.pools.unavailable = { endpoint: null, reason: 'no_healthy_target', description: '' };
  const client = await gateway.connect();
  client.send(GET);
  const response = await client.response();
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '5');
  assert.equal(JSON.parse(response.body).error.code, 'no_healthy_target');
});

test('a route without a backend that exists is a 500', async (t) => {
  for (const backends of [[], [backend(null)]]) {
    const gateway = await startGateway(t, { rule: { backends } });
    const client = await gateway.connect();
    client.send(GET);
    await refusedWith(client, 500, 'invalid_backend');
  }
});

test('502, 503 and 504 of a backend count against its endpoint, other answers do not', async (t) => {
  for (const [status, outcome] of [
    [500, 'success'],
    [501, 'success'],
    [502, 'server_error'],
    [503, 'server_error'],
    [504, 'server_error'],
    [505, 'success'],
  ] as const) {
    const port = await startScripted(t, () => `HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`);
    const gateway = await startGateway(t, { backends: [port] });
    const client = await gateway.connect();
    client.send(GET);
    assert.equal((await client.response()).status, status);
    assert.deepEqual(
      gateway.pools.outcomes.map(([, reported]) => reported),
      [outcome],
      String(status),
    );
  }
});

test('a backend that dies before it answers is a 502', async (t) => {
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, { backends: [upstreams.port] });
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const client = await gateway.connect();
    client.send(GET);
    const upstream = await upstreams.accept();
    await upstream.until('\r\n\r\n');
    upstream.socket[leave]();
    await refusedWith(client, 502, 'backend_failed');
  }
  assert.equal(gateway.pools.inUse, 0);
});

test('a backend that dies in the middle of its head is a 502, and the request is not sent again', async (t) => {
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, { backends: [upstreams.port] });
  const client = await gateway.connect();
  client.send(GET);
  const upstream = await upstreams.accept();
  await upstream.until('\r\n\r\n');
  upstream.send('HTTP/1.1 200 O');
  await turn();
  upstream.socket.end();
  await refusedWith(client, 502, 'backend_failed');
  assert.equal(upstreams.accepted, 1);
});

/** Makes a connection that has served once, and closes it when the next request is on it. */
async function staleConnection(t: Parameters<typeof startBackend>[0], request: string) {
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, { backends: [upstreams.port] });
  const client = await gateway.connect();
  client.send(GET);
  const upstream = await upstreams.accept();
  await upstream.until('\r\n\r\n');
  upstream.received = '';
  upstream.send(ok());
  await client.response();
  client.send(request);
  await upstream.until('\r\n\r\n');
  upstream.socket.resetAndDestroy();
  return { upstreams, client, gateway };
}

test('a connection that was closing when it was used again does not fail an idempotent request', async (t) => {
  for (const request of [GET, 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody']) {
    const { upstreams, client, gateway } = await staleConnection(t, request);
    const second = await upstreams.accept();
    await second.until(request.slice(-4));
    second.send(ok('again'));
    assert.equal((await client.response()).body, 'again');
    assert.equal(gateway.pools.inUse, 0);
    assert.deepEqual(
      gateway.pools.outcomes.map(([, outcome]) => outcome),
      ['success', 'success'],
    );
  }
});

test('a request that is not idempotent is never sent a second time by itself', async (t) => {
  const { upstreams, client } = await staleConnection(
    t,
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
  );
  await refusedWith(client, 502, 'backend_failed');
  assert.equal(upstreams.accepted, 1);
});

test('an idle connection that the backend closes, or on which it speaks unasked, is dropped', async (t) => {
  for (const act of [(c: Client) => c.socket.end(), (c: Client) => c.send('HTTP/1.1 408 Timeout\r\n\r\n')]) {
    const upstreams = await startBackend(t);
    const gateway = await startGateway(t, { backends: [upstreams.port] });
    const client = await gateway.connect();
    client.send(GET);
    const upstream = await upstreams.accept();
    await upstream.until('\r\n\r\n');
    upstream.send(ok());
    await client.response();
    assert.equal(gateway.upstreams.counts().idle, 1);
    act(upstream);
    await upstream.untilEnd();
    assert.deepEqual(gateway.upstreams.counts(), { idle: 0, all: 0 });
  }
});

test('idle connections are kept within their limits', async (t) => {
  const upstreams = await startScripted(t, (head) =>
    head.includes('/hint') ? `HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n` : ok(),
  );
  const limits = {
    connectTimeoutMs: 5000,
    idleTimeoutMs: 60_000,
    responseHeaderTimeoutMs: 0,
    streamIdleTimeoutMs: 0,
    maxPerTarget: 0,
    maxIdlePerTarget: 100,
    maxRequestsPerConnection: 2,
  };
  const gateway = await startGateway(t, { backends: [upstreams], pool: { connections: limits } });
  const client = await gateway.connect();
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    await client.response();
    assert.equal(gateway.upstreams.counts().idle, i === 0 ? 1 : 0);
  }
  client.send('GET /hint HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.response();
  gateway.clock.advance(3900);
  assert.equal(gateway.upstreams.counts().idle, 1);
  gateway.clock.advance(200);
  assert.equal(gateway.upstreams.counts().idle, 0);
  client.send(GET);
  await client.response();
  gateway.clock.advance(59_000);
  assert.equal(gateway.upstreams.counts().idle, 1);
  gateway.clock.advance(1100);
  assert.equal(gateway.upstreams.counts().idle, 0);
});

const RETRY = { attempts: 2, codes: [503], backoffMs: 25 };

test('a route retries the statuses that it names, at other endpoints, with the body', async (t) => {
  const asked: string[] = [];
  const bad = await startBackend(t);
  const good = await startBackend(t);
  const gateway = await startGateway(t, { backends: [bad.port, good.port], rule: { retry: RETRY } });
  const client = await gateway.connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody');
  const first = await bad.accept();
  asked.push(await first.until('\r\n\r\nbody'));
  first.send('HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy');
  await first.untilEnd();
  gateway.clock.advance(30);
  const second = await good.accept();
  asked.push(await second.until('\r\n\r\nbody'));
  assert.equal(asked[0], asked[1]);
  second.send(ok('good'));
  assert.equal((await client.response()).body, 'good');
  assert.equal(gateway.pools.inUse, 0);
});

test('the last answer counts when the attempts are used up', async (t) => {
  let asked = 0;
  const busy = await startScripted(t, () => {
    asked++;
    return 'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy';
  });
  const gateway = await startGateway(t, { backends: [busy], rule: { retry: RETRY } });
  const client = await gateway.connect();
  client.send(GET);
  await passUntil(gateway, () => client.received.endsWith('busy'));
  assert.equal((await client.response()).status, 503);
  assert.equal(asked, 3);
});

test('a body that is too long to keep is not sent again', async (t) => {
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, { backends: [upstreams.port], rule: { retry: RETRY } });
  const client = await gateway.connect();
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`);
  const upstream = await upstreams.accept();
  await upstream.untilBytes(100_000);
  upstream.send('HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy');
  assert.equal((await client.response()).body, 'busy');
});

test('a client that leaves between two attempts ends the exchange', async (t) => {
  const busy = await startScripted(t, () => 'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
  const gateway = await startGateway(t, { backends: [busy], rule: { retry: RETRY } });
  const client = await gateway.connect();
  client.send(GET);
  while (gateway.pools.outcomes.length === 0) await turn();
  client.socket.resetAndDestroy();
  while (gateway.records.length === 0) await turn();
  gateway.clock.advance(1000);
  assert.equal(gateway.pools.outcomes.length, 1);
  assert.equal(gateway.pools.inUse, 0);
});

test('timeouts of the route and the pool are 504s', async (t) => {
  const connections = {
    connectTimeoutMs: 5000,
    idleTimeoutMs: 60_000,
    responseHeaderTimeoutMs: 0,
    streamIdleTimeoutMs: 0,
    maxPerTarget: 0,
    maxIdlePerTarget: 100,
    maxRequestsPerConnection: 0,
  };
  const cases = [
    { options: { rule: { timeouts: { requestMs: 2000, backendRequestMs: 0 } } }, code: 'request_deadline' },
    { options: { rule: { timeouts: { requestMs: 0, backendRequestMs: 2000 } } }, code: 'backend_timeout' },
    {
      options: { pool: { connections: { ...connections, responseHeaderTimeoutMs: 2000 } } },
      code: 'backend_timeout',
    },
  ];
  for (const { options, code } of cases) {
    const upstreams = await startBackend(t);
    const gateway = await startGateway(t, { backends: [upstreams.port], ...options });
    const client = await gateway.connect();
    client.send(GET);
    const upstream = await upstreams.accept();
    await upstream.until('\r\n\r\n');
    gateway.clock.advance(1900);
    await turn();
    assert.equal(client.received, '');
    await passUntil(gateway, () => client.received.includes('504'));
    await refusedWith(client, 504, code);
    await upstream.untilEnd();
    assert.equal(gateway.pools.inUse, 0);
  }
});

test('a connection that is not there in time is a 504', async (t) => {
  // It accepts, and then says nothing of TLS.
  const silent = await startBackend(t);
  const gateway = await startGateway(t, { backends: [silent.port], pool: { protocol: 'HTTPS' } });
  const client = await gateway.connect();
  client.send(GET);
  const upstream = await silent.accept();
  assert((await passUntil(gateway, () => client.received.includes('\r\n\r\n'))) >= 5000);
  await refusedWith(client, 504, 'connect_timeout');
  assert.equal(gateway.records.at(-1)?.reason, 'connect_timed_out');
  await upstream.untilEnd();
  assert.equal(gateway.pools.inUse, 0);
});

test('a response that falls silent is broken off', async (t) => {
  const upstreams = await startBackend(t);
  const connections = {
    connectTimeoutMs: 5000,
    idleTimeoutMs: 60_000,
    responseHeaderTimeoutMs: 0,
    streamIdleTimeoutMs: 3000,
    maxPerTarget: 0,
    maxIdlePerTarget: 100,
    maxRequestsPerConnection: 0,
  };
  const gateway = await startGateway(t, { backends: [upstreams.port], pool: { connections } });
  const client = await gateway.connect();
  client.send(GET);
  const upstream = await upstreams.accept();
  await upstream.until('\r\n\r\n');
  upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
  await client.until('part');
  assert((await passUntil(gateway, () => client.closed)) >= 3000);
  assert.equal(client.error?.code, 'ECONNRESET');
  assert.equal(gateway.pools.inUse, 0);
});

test('a head that is not there in time is a 408; a connection that asks nothing is closed silently', async (t) => {
  const gateway = await startGateway(t, { limits: { requestHeaderTimeoutMs: 5000 } });
  const slow = await gateway.connect();
  const silent = await gateway.connect();
  slow.send('GET / HTTP/1.1\r\nHos');
  await turn();
  const passedMs = await passUntil(gateway, () => slow.received.includes('\r\n\r\n') && silent.ended);
  assert(passedMs >= 5000 && passedMs < 6000, `${passedMs}`);
  await refusedWith(slow, 408, 'request_timeout');
  assert.equal(silent.received, '');
});

test('a head that trickles does not gain time by that', async (t) => {
  const gateway = await startGateway(t, { limits: { requestHeaderTimeoutMs: 5000 } });
  const client = await gateway.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n');
  let passedMs = 0;
  while (client.received === '') {
    client.send('X: 1\r\n');
    await turn();
    gateway.clock.advance(100);
    for (let i = 0; i < 5; i++) await turn();
    passedMs += 100;
    assert(passedMs < 6000);
  }
  await refusedWith(client, 408, 'request_timeout');
});

test('idle connections are closed after their time, and not before', async (t) => {
  const upstream = await startScripted(t, () => ok());
  const gateway = await startGateway(t, { backends: [upstream], limits: { keepAliveTimeoutMs: 5000 } });
  const client = await gateway.connect();
  client.send(GET);
  await client.response();
  const passedMs = await passUntil(gateway, () => client.ended);
  assert(passedMs >= 5000 && passedMs < 6000, `${passedMs}`);
  assert.equal(client.received, '');
});

test('a request body that falls silent is a 408', async (t) => {
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, {
    backends: [upstreams.port],
    limits: { requestBodyIdleTimeoutMs: 5000 },
  });
  const client = await gateway.connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart');
  const upstream = await upstreams.accept();
  await upstream.until('part');
  assert((await passUntil(gateway, () => client.received.includes('408'))) >= 5000);
  await refusedWith(client, 408, 'request_timeout');
  await upstream.untilEnd();
  assert.equal(gateway.pools.inUse, 0);
});
