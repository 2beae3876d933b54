import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { TestAuthority } from '../test/support/certificates.ts';
import { systemClock } from './clock.ts';
import { TooLargeError, TransportError } from './errors.ts';
import { eventually } from './testing/eventually.ts';
import { FakeApiServer } from './testing/fake-api-server.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { CONFIG_MAPS, CONFIG_MAPS_PATH, configMap, FixedCredentials, rig } from './testing/rig.ts';
import type { ApiRequest } from './transport.ts';
import { UndiciTransport } from './undici-transport.ts';

const LIST: ApiRequest = {
  what: 'list configmaps',
  method: 'GET',
  path: CONFIG_MAPS_PATH,
  headTimeoutMs: 5_000,
};
const LIMITS = { timeoutMs: 5_000, maxBytes: 1 << 20 };

const isTransportError = (words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof TransportError, String(error));
  assert.match(error.message, words);
  return true;
};

test('requests one after the other share connections', async (t) => {
  const { transport, server } = await rig(t);
  for (let i = 0; i < 200; i++) await (await transport.send(LIST)).text(LIMITS);
  // The next request may be sent just before the connection of the last one is free again.
  assert.ok(server.connections <= 2, `${server.connections} connections`);
});

test('a watch does not stand in the way of others, and leaves nothing behind when it is given up', async (t) => {
  const { transport, server } = await rig(t);
  const controller = new AbortController();
  for (let i = 0; i < 20; i++) {
    const path = `${CONFIG_MAPS_PATH}?watch=true&resourceVersion=100`;
    const watch = await transport.send({ ...LIST, path, signal: controller.signal });
    await (await transport.send(LIST)).text(LIMITS);
    if (i % 2 === 0) watch.discard();
    else {
      server.put(CONFIG_MAPS, configMap('a', String(i)));
      for await (const _line of watch.lines({ maxLineBytes: 1 << 20 })) break;
    }
    await eventually(() => server.watches.size === 0, 'the connection is closed');
  }
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
});

test('giving up and time limits end a request, before and after its head', async (t) => {
  const { transport, server, clock } = await rig(t);
  const aborted = new AbortController();
  aborted.abort();
  await assert.rejects(
    transport.send({ ...LIST, signal: aborted.signal }),
    isTransportError(/list configmaps: given up/),
  );

  server.fault = () => ({ kind: 'hang' });
  const early = new AbortController();
  const unanswered = assert.rejects(
    transport.send({ ...LIST, signal: early.signal }),
    isTransportError(/given up/),
  );
  await eventually(() => server.requests.length === 1, 'the request');
  early.abort();
  await unanswered;
  const late = assert.rejects(transport.send(LIST), isTransportError(/no answer within 5000 ms/));
  await eventually(() => server.requests.length === 2, 'the request');
  clock.advance(5_000);
  await late;

  server.fault = () => undefined;
  const path = `${CONFIG_MAPS_PATH}?watch=true&resourceVersion=100`;
  const endless = await transport.send({ ...LIST, path });
  const incomplete = assert.rejects(
    endless.text(LIMITS),
    isTransportError(/was not complete within 5000 ms/),
  );
  clock.advance(5_000);
  await incomplete;
  await eventually(() => clock.pending === 0 || server.watches.size === 0, 'all is over');
});

test('answers and lines have a maximum size', async (t) => {
  const { transport, server } = await rig(t);
  server.put(CONFIG_MAPS, configMap('a', 'x'.repeat(5_000)));
  await assert.rejects((await transport.send(LIST)).text({ ...LIMITS, maxBytes: 5_000 }), TooLargeError);
  const watch = await transport.send({ ...LIST, path: `${CONFIG_MAPS_PATH}?watch=true&resourceVersion=100` });
  await assert.rejects(async () => {
    for await (const line of watch.lines({ maxLineBytes: 5_000 })) assert.fail(line);
  }, TooLargeError);
});

test('a connection that is cut in the middle of an answer is an error, not the end', async (t) => {
  const { transport, server } = await rig(t);
  server.chunkBytes = 10;
  const watch = await transport.send({ ...LIST, path: `${CONFIG_MAPS_PATH}?watch=true&resourceVersion=100` });
  server.put(CONFIG_MAPS, configMap('a', '1'));
  const lines: string[] = [];
  await assert.rejects(
    async () => {
      for await (const line of watch.lines({ maxLineBytes: 5_000 })) {
        lines.push(line);
        for (const open of server.watches) open.cut();
      }
    },
    isTransportError(/list configmaps: /),
  );
  assert.equal(lines.length, 1);
});

test('new credentials are used once when the server says 401, for writes too', async (t) => {
  const { transport, server, credentials } = await rig(t);
  const { current } = credentials;
  const as = (token: string) => ({ ...current, headers: { authorization: `Bearer ${token}` } });
  server.tokens = new Set(['new']);
  credentials.current = as('old');
  credentials.onInvalidate = () => {
    credentials.current = as('new');
  };
  const body = JSON.stringify(configMap('a', '1'));
  const request = { ...LIST, method: 'POST', contentType: 'application/json', body } as const;
  assert.equal((await transport.send(request)).status, 201);
  server.tokens = new Set(['none']);
  assert.equal((await transport.send(request)).status, 401);
  assert.equal(server.requests.length, 3, 'credentials that stay the same are not tried again');
});

test('TLS: client certificates, a replaced CA, and words for what fails', async (t) => {
  const authority = await TestAuthority.create();
  const leaf = await authority.issue({ dnsNames: ['kubernetes'], addresses: ['127.0.0.1'] });
  const client = await authority.issue({ commonName: 'jane', usage: 'client' });
  const clock = new ManualClock();
  const tls = { cert: leaf.chainPem, key: leaf.keyPem, ca: authority.caPem, requestCert: true };
  const server = new FakeApiServer({ clock, tls });
  await server.start();
  const unverified = { rejectUnauthorized: true };
  const credentials = new FixedCredentials({
    server: server.url,
    tls: unverified,
    headers: {},
    proxyUrl: null,
  });
  const transport = new UndiciTransport(credentials, clock);
  t.after(async () => {
    await transport.close();
    await server.stop();
  });
  await assert.rejects(transport.send(LIST), isTransportError(/list configmaps: .*certificate/));

  const identity = {
    ca: authority.caPem,
    cert: client.chainPem,
    key: client.keyPem,
    rejectUnauthorized: true,
  };
  credentials.current = { ...credentials.current, tls: identity };
  let peer = '';
  server.fault = ({ connection }) => {
    const socket = [...server.sockets].find(([, number]) => number === connection)?.[0] as TLSSocket;
    peer = socket.getPeerCertificate().subject?.CN?.toString() ?? '';
    return undefined;
  };
  const path = `${CONFIG_MAPS_PATH}?watch=true&resourceVersion=100`;
  const watch = await transport.send({ ...LIST, path });
  assert.equal(peer, 'jane');

  const other = await authority.issue({ commonName: 'joe', usage: 'client' });
  credentials.current = {
    ...credentials.current,
    tls: { ...identity, cert: other.chainPem, key: other.keyPem },
  };
  await (await transport.send(LIST)).text(LIMITS);
  assert.equal(peer, 'joe');
  server.put(CONFIG_MAPS, configMap('a', '1'));
  for await (const line of watch.lines({ maxLineBytes: 1 << 20 })) {
    assert.match(line, /ADDED/, 'what was under way goes on');
    break;
  }
  await eventually(() => server.sockets.size === 1, 'the old connections are closed');

  const stranger = await TestAuthority.create('Another CA');
  credentials.current = { ...credentials.current, tls: { ca: stranger.caPem, rejectUnauthorized: true } };
  await assert.rejects(
    transport.send(LIST),
    isTransportError(/UNABLE_TO_VERIFY|unable to verify|self.signed/i),
  );
  credentials.current = { ...credentials.current, tls: { ...identity, servername: 'elsewhere' } };
  await assert.rejects(transport.send(LIST), isTransportError(/elsewhere/));
  credentials.current = { ...credentials.current, tls: { ...identity, servername: 'kubernetes' } };
  assert.equal((await transport.send(LIST)).status, 200);
});

/** A CONNECT proxy. */
async function startProxy(t: TestContext): Promise<{ url: string; tunnels: string[] }> {
  const tunnels: string[] = [];
  const open = new Set<net.Socket>();
  const proxy = http.createServer();
  proxy.on('connect', (request, client: net.Socket) => {
    tunnels.push(request.url ?? '');
    const upstream = net.connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    for (const socket of [upstream, client]) {
      open.add(socket);
      socket.on('error', () => {});
    }
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.after(() => {
    for (const socket of open) socket.destroy();
    proxy.close();
  });
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, tunnels };
}

test('a proxy is used where the credentials name one', async (t) => {
  const proxy = await startProxy(t);
  const authority = await TestAuthority.create();
  const leaf = await authority.issue({ addresses: ['127.0.0.1'] });
  const server = new FakeApiServer({ clock: systemClock, tls: { cert: leaf.chainPem, key: leaf.keyPem } });
  await server.start();
  const tls = { ca: authority.caPem, rejectUnauthorized: true };
  const credentials = new FixedCredentials({ server: server.url, tls, headers: {}, proxyUrl: proxy.url });
  const transport = new UndiciTransport(credentials, systemClock);
  t.after(async () => {
    await transport.close();
    await server.stop();
  });
  await (await transport.send(LIST)).text(LIMITS);
  assert.deepEqual(proxy.tunnels, [server.url.slice('https://'.length)]);
});
