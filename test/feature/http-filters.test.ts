import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  endpointOf,
  type GatewayOptions,
  poolOf,
  startBackend,
  startGateway,
  startScripted,
} from '../support/http-harness.ts';
import { backend, listener, port, route, settings } from '../support/snapshots.ts';

const ok = (body = 'ok', lines = '') =>
  `HTTP/1.1 200 OK\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;

/** What a backend gets of a request, and the client of the answer. */
async function pass(
  t: Parameters<typeof startGateway>[0],
  options: GatewayOptions,
  request: string,
  answer = ok(),
): Promise<{ head: string; status: number; headers: ReadonlyMap<string, string>; body: string }> {
  let head = '';
  const upstream = await startScripted(t, (received) => {
    head = received;
    return answer;
  });
  const gateway = await startGateway(t, { backends: [upstream], ...options });
  const client = await gateway.connect();
  client.send(request);
  const { status, headers, body } = await client.response();
  return { head, status, headers, body };
}

const GET = 'GET /a/b?q=1 HTTP/1.1\r\nHost: a.example:8080\r\nX-Old: 1\r\nX-Gone: 2\r\n\r\n';

test('header modifiers of rule and backend, both ways', async (t) => {
  const result = await pass(
    t,
    {
      filters: {
        requestHeaders: {
          set: [{ name: 'X-Old', value: 'new' }],
          add: [{ name: 'X-Add', value: '1' }],
          remove: ['x-gone'],
        },
        responseHeaders: { set: [{ name: 'Server', value: 's' }], add: [], remove: ['x-internal'] },
      },
      rule: {
        backends: [
          backend('default/app', 1, {
            requestHeaders: { set: [], add: [{ name: 'X-Add', value: '2' }], remove: [] },
            responseHeaders: { set: [], add: [{ name: 'X-Via', value: 'b' }], remove: [] },
          }),
        ],
      },
    },
    GET,
    ok('ok', 'Server: hidden\r\nX-Internal: 1\r\nX-Stays: 1\r\n'),
  );
  assert.match(result.head, /\r\nX-Old: new\r\n/);
  assert.match(result.head, /\r\nX-Add: 1\r\nX-Add: 2\r\n/);
  assert.doesNotMatch(result.head, /X-Gone|X-Old: 1/);
  assert.equal(result.headers.get('server'), 's');
  assert.equal(result.headers.get('x-via'), 'b');
  assert.equal(result.headers.get('x-stays'), '1');
  assert.equal(result.headers.has('x-internal'), false);
});

test('a field that a server could take for another is not passed on, either way', async (t) => {
  const { head, headers } = await pass(
    t,
    {},
    'GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 6.6.6.6\r\nContent_Length: 9\r\nX_Custom: kept\r\n\r\n',
    ok('ok', 'Set_Cookie: a=b\r\nX_Other: kept\r\n'),
  );
  assert.doesNotMatch(head, /6\.6\.6\.6|Content_Length/);
  assert.match(head, /X_Custom: kept/);
  assert.equal(headers.has('set_cookie'), false);
  assert.equal(headers.get('x_other'), 'kept');
});

test('path and host are rewritten, and what is no URI character is encoded', async (t) => {
  for (const [path, value, expected] of [
    ['ReplacePrefixMatch', '/new', '/new/b?q=1'],
    ['ReplaceFullPath', '/all', '/all?q=1'],
    ['ReplaceFullPath', '/ä b', '/%C3%A4%20b?q=1'],
  ] as const) {
    const { head } = await pass(
      t,
      {
        filters: { rewrite: { hostname: 'b.example', path: { type: path, value } } },
        listener: { hosts: [{ hostname: '*', routes: [route('/a', 0)] }] },
      },
      GET,
    );
    assert(head.startsWith(`GET ${expected} HTTP/1.1\r\nHost: b.example\r\n`), head);
  }
});

test('redirects need no backend', async (t) => {
  const { status, headers } = await pass(
    t,
    {
      filters: {
        redirect: { scheme: 'https', hostname: null, path: null, port: null, statusCode: 301 },
      },
      rule: { backends: [] },
    },
    GET,
  );
  assert.equal(status, 301);
  assert.equal(headers.get('location'), 'https://a.example/a/b?q=1');
  assert.equal(headers.get('content-length'), '0');
});

test('Host as the pool asks for it', async (t) => {
  const ask = async (hostHeader: NonNullable<GatewayOptions['pool']>['hostHeader']) => {
    const { head } = await pass(t, { pool: { hostHeader: hostHeader! } }, GET);
    return /\r\nHost: (.*)\r\n/.exec(head)?.[1];
  };
  assert.equal(await ask({ from: 'Client' }), 'a.example:8080');
  assert.match((await ask({ from: 'Target' })) ?? '', /^127\.0\.0\.1:\d+$/);
  assert.equal(await ask({ from: 'Override', value: 'o.example' }), 'o.example');
});

test('forwarded fields of trusted proxies are believed and extended', async (t) => {
  const forwardedHeaders = { trustedHops: 1, emit: 'Both' } as const;
  const gatewayOptions = { settings: { ...settings(), forwardedHeaders } };
  const { head } = await pass(
    t,
    gatewayOptions,
    'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n\r\n',
  );
  assert.match(head, /\r\nX-Forwarded-For: 9\.9\.9\.9, 127\.0\.0\.1\r\n/);
  assert.match(head, /\r\nX-Forwarded-Proto: https\r\n/);
  assert.match(head, /\r\nForwarded: .*for=127\.0\.0\.1/);
});

test('a mirrored request carries the same head and body, and its answer goes nowhere', async (t) => {
  const main = await startBackend(t);
  const shadow = await startBackend(t);
  const gateway = await startGateway(t, {
    backends: [main.port],
    filters: { mirrors: [{ pool: 'default/shadow', numerator: 1, denominator: 1 }] },
  });
  gateway.pools.endpoints.set('default/shadow', [endpointOf(poolOf('default/shadow'), shadow.port)]);
  const client = await gateway.connect();
  for (let i = 0; i < 2; i++) {
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nbody');
    const [mine, copy] = await Promise.all([main.accept(), shadow.accept()]);
    client.send('more');
    const expected = await mine.until('\r\n\r\nbodymore');
    assert.equal(await copy.until('\r\n\r\nbodymore'), expected);
    copy.send('HTTP/1.1 500 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
    mine.send(ok('mine', 'Connection: close\r\n'));
    assert.equal((await client.response()).body, 'mine');
    await copy.untilEnd();
  }
  while (gateway.pools.inUse > 0) await turn();
});

test('a mirror that cannot be reached, hangs or dies does not matter to the request', async (t) => {
  const main = await startScripted(t, () => ok());
  for (const act of ['hang', 'reset', 'close'] as const) {
    const shadow = await startBackend(t);
    const gateway = await startGateway(t, {
      backends: [main],
      filters: {
        mirrors: [
          { pool: 'default/shadow', numerator: 1, denominator: 1 },
          { pool: 'default/none', numerator: 1, denominator: 1 },
          { pool: null, numerator: 1, denominator: 1 },
        ],
      },
    });
    gateway.pools.endpoints.set('default/shadow', [endpointOf(poolOf('default/shadow'), shadow.port)]);
    if (act === 'close') shadow.close();
    const client = await gateway.connect();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await client.response()).status, 200);
    if (act === 'reset') (await shadow.accept()).socket.resetAndDestroy();
    if (act === 'hang') {
      await (await shadow.accept()).until('\r\n\r\n');
      gateway.clock.advance(30_000);
    }
    while (gateway.pools.inUse > 0) await turn();
  }
});

test('a mirror that does not keep up with the body is dropped, the request is not slowed down', async (t) => {
  let stalled: Socket | undefined;
  const shadow = createTcpServer({ pauseOnConnect: true }, (socket) => {
    stalled = socket.on('error', () => {});
  });
  shadow.listen(0, '127.0.0.1');
  await once(shadow, 'listening');
  t.after(() => {
    stalled?.destroy();
    shadow.close();
  });
  const main = await startBackend(t);
  const gateway = await startGateway(t, {
    backends: [main.port],
    filters: { mirrors: [{ pool: 'default/shadow', numerator: 1, denominator: 1 }] },
  });
  const shadowPort = (shadow.address() as AddressInfo).port;
  gateway.pools.endpoints.set('default/shadow', [endpointOf(poolOf('default/shadow'), shadowPort)]);
  const client = await gateway.connect();
  const size = 30_000_000;
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`);
  const upstream = await main.accept();
  let received = 0;
  upstream.socket.removeAllListeners('data');
  upstream.socket.on('data', (chunk) => {
    received += chunk.length;
  });
  client.socket.write(Buffer.alloc(size, 'x'));
  while (received < size) await turn();
  upstream.send(ok('done'));
  assert.equal((await client.response()).body, 'done');
  assert.equal(gateway.pools.inUse, 0);
});

test('cookie affinity adds its cookie; a handshake answer is read for query affinity', async (t) => {
  const heads: string[] = [];
  const upstream = await startScripted(t, (head) => {
    heads.push(head);
    return 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n3\r\n:1}\r\n0\r\n\r\n';
  });
  const gateway = await startGateway(t, { backends: [upstream] });
  gateway.pools.setCookie = 'S=1; Path=/';
  gateway.pools.learned = [];
  const client = await gateway.connect();
  client.send('POST /negotiate HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nContent-Length: 0\r\n\r\n');
  const response = await client.response();
  assert.equal(response.headers.get('set-cookie'), 'S=1; Path=/');
  assert.equal(response.body, '{"a":1}');
  assert.deepEqual(gateway.pools.learned, ['{"a":1}']);
  assert.doesNotMatch(heads[0]!, /Accept-Encoding/);
});

test('backends by TLS are checked, and failures are told in the log, not to the client', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const keyFile = join(folder, 'key.pem');
  const certFile = join(folder, 'cert.pem');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...[
        '-subj',
        '/CN=backend',
        '-addext',
        'subjectAltName=DNS:backend.test',
        '-keyout',
        keyFile,
        '-out',
        certFile,
      ],
    ],
    { stdio: 'ignore' },
  );
  const pem = readFileSync(certFile, 'utf8');
  const server = createServer({ key: readFileSync(keyFile), cert: pem }, (request, response) => {
    response.end(`${request.headers.host} over TLS`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const tls = {
    ca: { pem },
    sni: 'backend.test',
    subjectAltNames: [],
    clientCertificate: null,
    minVersion: 'TLSv1.2',
  } as const;
  const backends = [(server.address() as AddressInfo).port];
  const ask = async (changes: object) => {
    const gateway = await startGateway(t, {
      backends,
      pool: { protocol: 'HTTPS', tls: { ...tls, ...changes } },
    });
    const client = await gateway.connect();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    return { response: await client.response(), reason: gateway.records.at(-1)?.reason };
  };
  assert.equal((await ask({})).response.body, 'a over TLS');
  const wrongName = await ask({ sni: 'other.test' });
  assert.equal(wrongName.response.status, 502);
  assert.equal(wrongName.reason, 'connect_name_mismatch');
  const unknownCa = await ask({ ca: 'WellKnown' });
  assert.equal(unknownCa.response.status, 502);
  assert.equal(unknownCa.reason, 'connect_self_signed');
  assert.doesNotMatch(unknownCa.response.body, /self|certificate|127/);
});

test('requests are counted by rule and status class, refusals by reason', async (t) => {
  const gateway = await startGateway(t, {
    backends: [await startScripted(t, () => ok('hello'))],
    snapshot: {
      ports: [port(8080, [listener('web', { hosts: [{ hostname: '*', routes: [route('/yes', 0)] }] })])],
    },
  });
  const client = await gateway.connect();
  client.send('GET /yes HTTP/1.1\r\nHost: a\r\n\r\nGET /no HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.response()).status, 200);
  assert.equal((await client.response()).status, 404);
  const value = (name: string, ...labels: string[]) =>
    gateway.metrics
      .report()
      .find((family) => family.name === name)
      ?.series.find((series) => series.labels.join() === labels.join())?.value;
  assert.equal(value('sluice_requests_total', 'test/rule', '2xx'), 1);
  assert.equal(value('sluice_requests_in_flight', 'test/rule'), 0);
  assert.equal(value('sluice_rejections_total', 'no_route', ''), 1);
  assert.equal(value('sluice_connections', 'http'), 1);
  const [record] = gateway.records;
  assert.equal(record?.bytesIn, 'GET /yes HTTP/1.1\r\nHost: a\r\n\r\n'.length);
  assert.equal(record?.bytesOut, ok('hello').length);
  assert.equal(record?.path, '/yes');
});
