import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { failed } from '../../proxy/authentication/failure.ts';
import type { AuthenticationResult } from '../../proxy/authentication/identity.ts';
import type { Admission, AdmissionKind } from '../../proxy/firewall/firewall.ts';
import { type Gateway, startBackend, startGateway, startScripted } from '../support/http-harness.ts';
import { until } from '../support/until.ts';

const ok = (body = 'ok') => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const WEBSOCKET =
  'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const ACCEPTED =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';
const EVENTS = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

const identity: AuthenticationResult = {
  ok: true,
  identity: { userId: 'u', signatureDigest: '', claim: () => undefined },
};

/** A firewall with so many slots. */
class Slots {
  held = 0;
  expired = 0;
  readonly asked: AdmissionKind[] = [];
  /** What closes the connections that were admitted last, by the order of their admission. */
  readonly closers: (() => void)[] = [];
  readonly maxLifetimeMs: number;
  readonly #max: number;

  constructor(max: number, maxLifetimeMs = 0) {
    this.#max = max;
    this.maxLifetimeMs = maxLifetimeMs;
  }

  admit = (kind: AdmissionKind): Admission => {
    this.asked.push(kind);
    if (this.held >= this.#max) {
      return {
        admitted: false,
        status: 429,
        reason: 'too_many_connections',
        ruleList: 'l',
        rule: 'r',
        message: 'At most so many connections.',
        retryAfterSeconds: 7,
      };
    }
    const place = this.held++;
    let released = false;
    return {
      admitted: true,
      maxLifetimeMs: this.maxLifetimeMs,
      expired: () => this.expired++,
      onRevoked: (close) => {
        this.closers[place] = close;
      },
      release: () => {
        if (!released) this.held--;
        released = true;
      },
    };
  };

  later = async (kind: AdmissionKind): Promise<Admission> => {
    await turn();
    return this.admit(kind);
  };
}

async function settled(gateway: Gateway): Promise<void> {
  await gateway.registry.whenEmpty();
  assert.equal(gateway.pools.inUse, 0);
}

test('the order at connect: address, token, route, count, backend', async (t) => {
  const slots = new Slots(0);
  const options = {
    backends: [await startScripted(t, () => ok())],
    authenticate: () => failed('missing_token'),
    admit: slots.admit,
  };
  const deny = { allow: [], deny: ['127.0.0.0/8'] };
  const rule = { accessControl: deny, authentication: 'jwt', ruleLists: ['l'] };
  const gateway = await startGateway(t, { ...options, rule });
  const client = await gateway.connect();
  const status = async (next: Parameters<Gateway['apply']>[0]) => {
    gateway.apply(next);
    client.send(GET);
    return (await client.response()).status;
  };
  assert.equal(await status({ rule }), 403);
  assert.equal(await status({ rule: { ...rule, accessControl: null } }), 401);
  const noRoute = { hosts: [], authentication: 'jwt' };
  assert.equal(await status({ listener: { ...noRoute, accessControl: deny } }), 403);
  assert.equal(await status({ listener: noRoute }), 401);
  assert.equal(await status({ listener: { hosts: [] } }), 404);
  assert.equal(await status({ rule: { ruleLists: ['l'] } }), 429);
  assert.equal(await status({}), 200);
});

test('a missing token is challenged without an error code, a wrong one with', async (t) => {
  for (const [kind, status, challenge] of [
    ['missing_token', 401, /^Bearer$/],
    ['expired', 401, /^Bearer error="invalid_token", error_description="[^"]+"$/],
    ['keys_unavailable', 503, null],
  ] as const) {
    for (const authenticate of [() => failed(kind), async () => failed(kind)]) {
      const gateway = await startGateway(t, { authenticate, rule: { authentication: 'jwt' } });
      const client = await gateway.connect();
      client.send('GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer hush\r\n\r\n');
      const response = await client.response();
      assert.equal(response.status, status);
      if (challenge !== null) assert.match(response.headers.get('www-authenticate') ?? '', challenge);
      else assert.equal(response.headers.has('retry-after'), true);
      assert.doesNotMatch(JSON.stringify([...response.headers, response.body]), /hush/);
    }
  }
});

test('a refusal of the count says when to come again', async (t) => {
  const slots = new Slots(0);
  const gateway = await startGateway(t, { rule: { ruleLists: ['l'] }, admit: slots.later });
  const client = await gateway.connect();
  client.send(GET);
  const response = await client.response();
  assert.equal(response.status, 429);
  assert.equal(response.headers.get('retry-after'), '7');
  assert.deepEqual(JSON.parse(response.body), {
    error: { code: 'too_many_connections', message: 'At most so many connections.' },
  });
});

test('a preflight is answered before authentication', async (t) => {
  const cors = {
    allowOrigins: ['https://app.example'],
    allowCredentials: true,
    allowMethods: ['GET'],
    allowHeaders: ['authorization'],
    exposeHeaders: [],
    maxAgeSeconds: 60,
  };
  const gateway = await startGateway(t, {
    rule: { authentication: 'jwt' },
    filters: { cors },
    authenticate: () => failed('missing_token'),
  });
  const client = await gateway.connect();
  client.send(
    'OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n\r\n',
  );
  const preflight = await client.response();
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get('access-control-allow-origin'), 'https://app.example');
  client.send('GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://app.example\r\n\r\n');
  const refused = await client.response();
  assert.equal(refused.status, 401);
  assert.equal(refused.headers.get('access-control-allow-origin'), 'https://app.example');
});

test('slots come back when exchanges end, in whatever way', async (t) => {
  for (const admit of ['admit', 'later'] as const) {
    const slots = new Slots(1);
    const upstreams = await startBackend(t);
    const gateway = await startGateway(t, {
      backends: [upstreams.port],
      rule: { ruleLists: ['l'], authentication: 'jwt' },
      authenticate: () => identity,
      admit: slots[admit],
    });
    const client = await gateway.connect();
    client.send(GET);
    const upstream = await upstreams.accept();
    await upstream.until('\r\n\r\n');
    assert.equal(slots.held, 1);
    upstream.send(ok());
    await client.response();
    assert.equal(slots.held, 0);
    for (const leave of ['end', 'resetAndDestroy'] as const) {
      const leaving = await gateway.connect();
      leaving.send(GET);
      while (slots.held === 0) await turn();
      leaving.socket[leave]();
      while (slots.held === 1) await turn();
    }
    assert.deepEqual(slots.asked, ['request', 'request', 'request']);
  }
});

test('a client that leaves while its admission is pending leaves nothing behind', async (t) => {
  const slots = new Slots(5);
  const pending = Promise.withResolvers<void>();
  const gateway = await startGateway(t, {
    rule: { ruleLists: ['l'] },
    admit: async (kind) => {
      await pending.promise;
      return slots.admit(kind);
    },
  });
  const client = await gateway.connect();
  client.send(GET);
  while (gateway.registry.size === 0) await turn();
  await turn();
  client.socket.resetAndDestroy();
  await settled(gateway);
  pending.resolve();
  await turn();
  assert.deepEqual([slots.asked.length, slots.held], [1, 0]);
});

test('a WebSocket holds its slot until the client is gone', async (t) => {
  const slots = new Slots(1);
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, {
    backends: [upstreams.port],
    rule: { ruleLists: ['l'] },
    admit: slots.later,
  });
  const client = await gateway.connect();
  client.send(WEBSOCKET);
  const upstream = await upstreams.accept();
  await upstream.until('\r\n\r\n');
  upstream.send(ACCEPTED);
  await client.until('\r\n\r\n');
  const second = await gateway.connect();
  second.send(WEBSOCKET);
  assert.equal((await second.response()).status, 429);
  second.socket.end();
  client.socket.resetAndDestroy();
  await settled(gateway);
  assert.equal(slots.held, 0);
  assert.deepEqual(slots.asked, ['connection', 'connection']);
});

test('a WebSocket that the backend refuses is an ordinary answer', async (t) => {
  const slots = new Slots(1);
  const upstreams = await startScripted(t, () => 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  const gateway = await startGateway(t, {
    backends: [upstreams],
    rule: { ruleLists: ['l'] },
    admit: slots.admit,
  });
  const client = await gateway.connect();
  client.send(WEBSOCKET);
  const response = await client.response();
  assert.equal(response.status, 403);
  assert.equal(response.body, 'no');
  assert.equal(slots.held, 0);
  client.send(GET);
  assert.equal((await client.response()).status, 403);
});

test('a handshake that is not in order reaches no backend, and a wrong acceptance no client', async (t) => {
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, { backends: [upstreams.port] });
  for (const [from, to, status] of [
    ['Version: 13', 'Version: 12', 426],
    ['dGhlIHNhbXBsZSBub25jZQ==', 'c2hvcnQ=', 400],
    ['GET /', 'POST /', 400],
    ['\r\n\r\n', '\r\nContent-Length: 1\r\n\r\n', 400],
  ] as const) {
    const client = await gateway.connect();
    client.send(WEBSOCKET.replace(from, to));
    const response = await client.response();
    assert.equal(response.status, status);
    if (status === 426) {
      assert.equal(response.headers.get('sec-websocket-version'), '13');
      // Upgrade concerns this connection only, and Connection has to say so (RFC 9110 §7.8).
      assert.equal(response.headers.get('upgrade'), 'websocket');
      assert.match(response.headers.get('connection') ?? '', /\bUpgrade\b/);
    }
  }
  assert.equal(upstreams.accepted, 0);
  const client = await gateway.connect();
  client.send(WEBSOCKET);
  const upstream = await upstreams.accept();
  await upstream.until('\r\n\r\n');
  upstream.send(ACCEPTED.replace('s3p', 'xxx'));
  assert.equal((await client.response()).status, 502);
  assert.equal(gateway.records.at(-1)?.reason, 'websocket_accept_mismatch');
  assert.equal(gateway.pools.inUse, 0);
});

test('bytes that either side sends early are not lost', async (t) => {
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, { backends: [upstreams.port] });
  const client = await gateway.connect();
  client.send(`${WEBSOCKET}\x81\x83\0\0\0\0abc`);
  const upstream = await upstreams.accept();
  await upstream.until('\r\n\r\n');
  upstream.send(`${ACCEPTED}\x81\x03def`);
  await upstream.until('\x81\x83\0\0\0\0abc');
  await client.until('\x81\x03def');
});

test('an event stream counts as a connection, also when only its answer shows what it is', async (t) => {
  const slots = new Slots(2);
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, {
    backends: [upstreams.port],
    rule: { ruleLists: ['l'] },
    admit: slots.later,
  });
  const announced = await gateway.connect();
  announced.send('GET / HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n');
  const first = await upstreams.accept();
  first.send(`${EVENTS}9\r\ndata: 1\n\n\r\n`);
  await announced.until('data: 1\n\n');
  assert.deepEqual(slots.asked, ['connection']);
  const surprising = await gateway.connect();
  surprising.send(GET);
  const second = await upstreams.accept();
  second.send(`${EVENTS}9\r\ndata: 2\n\n\r\n`);
  await surprising.until('data: 2\n\n');
  assert.deepEqual(slots.asked, ['connection', 'request', 'connection']);
  assert.equal(slots.held, 2);
  assert.equal(gateway.registry.countsByKind()['event-stream'], 2);
  // FIN of a client with an open stream: it has left.
  announced.socket.end();
  await first.untilEnd();
  assert.equal(slots.held, 1);
});

test('an event stream that has no room is refused, and its backend connection closed', async (t) => {
  for (const admit of ['admit', 'later'] as const) {
    const slots = new Slots(1);
    const upstreams = await startBackend(t);
    const gateway = await startGateway(t, {
      backends: [upstreams.port],
      rule: { ruleLists: ['l'] },
      admit: (kind) => {
        if (kind === 'connection') slots.held = 1;
        return slots[admit](kind);
      },
    });
    const client = await gateway.connect();
    client.send(GET);
    const upstream = await upstreams.accept();
    await upstream.until('\r\n\r\n');
    upstream.send(`${EVENTS}9\r\ndata: 1\n\n\r\n`);
    const response = await client.response();
    assert.equal(response.status, 429);
    await upstream.untilEnd();
    assert.equal(gateway.pools.inUse, 0);
  }
});

test('the lifetime of an event stream ends it in order; a WebSocket is told to come again', async (t) => {
  const slots = new Slots(2, 5000);
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, {
    backends: [upstreams.port],
    rule: { ruleLists: ['l'] },
    admit: slots.admit,
  });
  const events = await gateway.connect();
  events.send('GET / HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n');
  const first = await upstreams.accept();
  first.send(`${EVENTS}9\r\ndata: 1\n\n\r\n`);
  await events.until('data: 1\n\n');
  const socket = await gateway.connect();
  socket.send(WEBSOCKET);
  const second = await upstreams.accept();
  second.send(ACCEPTED);
  await socket.until('\r\n\r\n');
  gateway.clock.advance(4900);
  await turn();
  assert.equal(slots.held, 2);
  gateway.clock.advance(200);
  const response = await events.response();
  assert.equal(response.body, 'data: 1\n\n');
  await first.untilEnd();
  assert.equal(slots.held, 1);
  assert.equal(slots.expired, 2);
  // A close frame with code 1012.
  await socket.until('\x03\xf4');
});

test('who loses its slot is closed so that it comes again: a WebSocket by 1012, an event stream in order', async (t) => {
  const slots = new Slots(2);
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, {
    backends: [upstreams.port],
    rule: { ruleLists: ['l'] },
    admit: slots.later,
  });
  const webSocket = await gateway.connect();
  webSocket.send(WEBSOCKET);
  const first = await upstreams.accept();
  first.send(`${ACCEPTED}\x81\x03def`);
  await webSocket.until('\x81\x03def');
  const events = await gateway.connect();
  events.send(GET);
  const second = await upstreams.accept();
  second.send(`${EVENTS}9\r\ndata: 1\n\n\r\n`);
  await events.until('data: 1\n\n');
  assert.equal(slots.held, 2);
  for (const close of slots.closers) close();
  await webSocket.until('\x03\xf4please reconnect');
  // What the backend says from now on is not for this client, which need not even answer.
  first.send('\x81\x03ghi');
  await events.until('0\r\n\r\n');
  gateway.clock.advance(200);
  await webSocket.untilEnd();
  assert.doesNotMatch(webSocket.received, /ghi/);
  await until('both slots are back', () => slots.held === 0);
});

test('a WebSocket that loses its slot in the middle of a frame is broken off', async (t) => {
  const slots = new Slots(1);
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, {
    backends: [upstreams.port],
    rule: { ruleLists: ['l'] },
    admit: slots.admit,
  });
  const client = await gateway.connect();
  client.send(WEBSOCKET);
  const upstream = await upstreams.accept();
  upstream.send(`${ACCEPTED}\x81\x05ab`);
  await client.until('\x81\x05ab');
  slots.closers[0]!();
  gateway.clock.advance(200);
  await client.untilEnd();
  await settled(gateway);
  assert.equal(slots.held, 0);
});

test('a request that loses its slot is answered with 503, or broken off where the answer has begun', async (t) => {
  const slots = new Slots(2);
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, {
    backends: [upstreams.port],
    rule: { ruleLists: ['l'] },
    admit: slots.admit,
  });
  const waiting = await gateway.connect();
  waiting.send(GET);
  await (await upstreams.accept()).until('\r\n\r\n');
  const begun = await gateway.connect();
  begun.send(GET);
  const upstream = await upstreams.accept();
  upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
  await begun.until('abc');
  for (const close of slots.closers) close();
  const refused = await waiting.response();
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  await begun.untilEnd();
  await until('both slots are back', () => slots.held === 0);
});

test('a reload: the exchange in progress keeps its rule, the next request has the new one', async (t) => {
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, { backends: [upstreams.port] });
  const client = await gateway.connect();
  client.send(GET);
  const upstream = await upstreams.accept();
  await upstream.until('\r\n\r\n');
  gateway.apply({ listener: { hosts: [] } });
  upstream.send(ok('old'));
  assert.equal((await client.response()).body, 'old');
  client.send(GET);
  assert.equal((await client.response()).status, 404);
});

test('draining closes idle connections at once, and the others after their answer', async (t) => {
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, { backends: [upstreams.port] });
  const idle = await gateway.connect();
  const busy = await gateway.connect();
  busy.send(GET);
  const upstream = await upstreams.accept();
  await upstream.until('\r\n\r\n');
  gateway.side.drain();
  await idle.untilEnd();
  assert.equal(idle.received, '');
  upstream.send(ok());
  const response = await busy.response();
  assert.equal(response.headers.get('connection'), 'close');
  await busy.untilEnd();
  idle.socket.end();
  busy.socket.end();
  await settled(gateway);
});

test('closing the connections that are left ends event streams in order and cuts other answers after a while', async (t) => {
  const upstreams = await startBackend(t);
  const gateway = await startGateway(t, { backends: [upstreams.port] });
  const events = await gateway.connect();
  events.send(GET);
  (await upstreams.accept()).send(EVENTS);
  await events.until('\r\n\r\n');
  const endless = await gateway.connect();
  endless.send(GET);
  (await upstreams.accept()).send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
  await endless.until('part');
  gateway.registry.closeAll('shutdown');
  assert.equal((await events.response()).body, '');
  await events.untilEnd();
  gateway.clock.advance(9900);
  await turn();
  assert.equal(endless.closed, false);
  gateway.clock.advance(200);
  await endless.untilClosed();
  assert.equal(endless.error?.code, 'ECONNRESET');
});
