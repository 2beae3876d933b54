import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBackend, startGateway, startScripted } from '../support/http-harness.ts';

const ok = (body = 'ok', lines = '') =>
  `HTTP/1.1 200 OK\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;

test('pipelined requests are answered in order', async (t) => {
  const backend = await startScripted(t, (head) => ok(head.split(' ')[1]));
  const gateway = await startGateway(t, { backends: [backend], limits: { maxPipelinedRequests: 4 } });
  const client = await gateway.connect();
  let text = '';
  for (let i = 0; i < 50; i++) text += `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`;
  client.send(text);
  for (let i = 0; i < 50; i++) assert.equal((await client.response()).body, `/${i}`);
});

test('pipelined requests that the gateway answers itself keep their order among the others', async (t) => {
  const backend = await startScripted(t, (head) => ok(head.split(' ')[1]));
  const gateway = await startGateway(t, { backends: [backend] });
  const client = await gateway.connect();
  client.send(
    'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n',
  );
  assert.equal((await client.response()).body, '/1');
  assert.equal((await client.response()).status, 204);
  assert.equal((await client.response()).body, '/2');
});

test('a request that arrives byte by byte', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  for (const byte of 'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc') {
    client.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const upstream = await backend.accept();
  assert.match(await upstream.until('\r\n\r\nabc'), /\r\nContent-Length: 3\r\n/);
  for (const byte of 'HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\ndone') {
    upstream.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const response = await client.response();
  assert.equal(response.status, 201);
  assert.equal(response.body, 'done');
});

test('chunked bodies pass both ways with their trailers', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send(
    'POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
  );
  const upstream = await backend.accept();
  const head = await upstream.until('5\r\nhello\r\n');
  assert.match(head, /\r\nTransfer-Encoding: chunked\r\n/);
  assert.match(head, /\r\nTE: trailers\r\nConnection: TE\r\n/);
  client.send('0\r\nX-Sum: 1\r\n\r\n');
  await upstream.until('0\r\nX-Sum: 1\r\n\r\n');
  upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nabc\r\n');
  await client.until('3\r\nabc\r\n');
  upstream.send('2\r\nde\r\n0\r\nX-T: 2\r\n\r\n');
  const response = await client.response();
  assert.equal(response.body, 'abcde');
  assert.equal(response.trailers, 'X-T: 2\r\n');
});

test('a body that ends with the backend connection becomes chunked', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const upstream = await backend.accept();
  await upstream.until('\r\n\r\n');
  upstream.send('HTTP/1.1 200 OK\r\n\r\npart one,');
  await client.until('part one,');
  upstream.send('part two');
  upstream.socket.end();
  const response = await client.response();
  assert.equal(response.headers.get('transfer-encoding'), 'chunked');
  assert.equal(response.body, 'part one,part two');
  assert.equal(gateway.pools.inUse, 0);
});

test('a body that a reset of the backend cuts off never looks complete', async (t) => {
  for (const head of [
    'HTTP/1.1 200 OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n',
  ]) {
    for (const version of ['1.1', '1.0']) {
      const backend = await startBackend(t);
      const gateway = await startGateway(t, { backends: [backend.port] });
      const client = await gateway.connect();
      client.send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
      const upstream = await backend.accept();
      await upstream.until('\r\n\r\n');
      upstream.send(`${head}part`);
      await client.until('part');
      upstream.socket.resetAndDestroy();
      await client.untilClosed();
      assert.equal(client.error?.code, 'ECONNRESET', `${head} to HTTP/${version}`);
      assert.doesNotMatch(client.received, /0\r\n\r\n$/);
      assert.equal(gateway.pools.inUse, 0);
      assert.equal(gateway.records.at(-1)?.reason, 'response_truncated');
    }
  }
});

test('HTTP/1.0 clients get bodies that end with the connection, and no interim responses', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send('GET / HTTP/1.0\r\n\r\n');
  const upstream = await backend.accept();
  const head = await upstream.until('\r\n\r\n');
  assert.match(head, /^GET \/ HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/);
  upstream.send(
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
  );
  const response = await client.response();
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('connection'), 'close');
  assert.equal(response.headers.has('transfer-encoding'), false);
  assert.equal(response.body, 'abcde');
});

test('an HTTP/1.0 client may keep its connection where lengths are known', async (t) => {
  const backend = await startScripted(t, () => ok());
  const gateway = await startGateway(t, { backends: [backend] });
  const client = await gateway.connect();
  for (let i = 0; i < 2; i++) {
    client.send('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
    const response = await client.response();
    assert.equal(response.headers.get('connection'), 'keep-alive');
    assert.equal(response.body, 'ok');
  }
});

test('HEAD, 204 and 304 have no body and keep the connection', async (t) => {
  const backend = await startScripted(t, (head) => {
    if (head.startsWith('HEAD')) return 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n';
    if (head.startsWith('GET /204')) return 'HTTP/1.1 204 No Content\r\n\r\n';
    if (head.startsWith('GET /304'))
      return 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 7\r\n\r\n';
    return ok('last');
  });
  const gateway = await startGateway(t, { backends: [backend] });
  const client = await gateway.connect();
  client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  const toHead = await client.response({ toHead: true });
  assert.equal(toHead.headers.get('content-length'), '1000');
  client.send('GET /204 HTTP/1.1\r\nHost: a\r\n\r\n');
  const noContent = await client.response();
  assert.equal(noContent.status, 204);
  assert.equal(noContent.headers.has('content-length'), false);
  client.send('GET /304 HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.response()).headers.get('etag'), '"x"');
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.response()).body, 'last');
});

test('interim responses pass to HTTP/1.1 clients', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const upstream = await backend.accept();
  await upstream.until('\r\n\r\n');
  upstream.send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
  const hints = await client.response();
  assert.equal(hints.status, 103);
  assert.equal(hints.headers.get('link'), '</a>');
  upstream.send(ok());
  assert.equal((await client.response()).body, 'ok');
});

test('hop-by-hop fields stay on their hop', async (t) => {
  const heads: string[] = [];
  const backend = await startScripted(t, (head) => {
    heads.push(head);
    return ok('', 'Connection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-End: 2\r\n');
  });
  const gateway = await startGateway(t, { backends: [backend] });
  const client = await gateway.connect();
  client.send(
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 3\r\nTE: gzip\r\n' +
      'Proxy-Authorization: x\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\nX-Forwarded-For: 6.6.6.6\r\n' +
      'Forwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX-Last: 9\r\n\r\n',
  );
  const response = await client.response();
  assert.equal(response.headers.get('x-end'), '2');
  assert.equal(response.headers.has('x-hop'), false);
  assert.equal(response.headers.has('keep-alive'), false);
  assert.equal(response.headers.get('connection'), 'close');
  assert.match(heads[0]!, /X-Last: 9/);
  assert.doesNotMatch(heads[0]!, /Secret|Keep-Alive|TE:|Proxy-|Upgrade|Connection|HTTP2|6\.6\.6\.6/);
  await client.untilEnd();
});

test('requests that two servers could read differently are refused, and nothing of them goes on', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const refused: [request: string, status: number][] = [
    ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef', 400],
    ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nabcde', 400],
    ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n', 400],
    ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n', 400],
    ['POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['GET / HTTP/1.1\nHost: a\n\n', 400],
    ['GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\n\r\n', 400],
    ['GET /a/..%2fb HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
    ['PRI * HTTP/2.0\r\n\r\n', 501],
    ['CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 501],
    ['TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 501],
    [`GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`, 431],
    [`GET / HTTP/1.1\r\nHost: a\r\n${'X: 1\r\n'.repeat(120)}\r\n`, 431],
  ];
  for (const [request, status] of refused) {
    const client = await gateway.connect();
    client.send(`${request}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    const response = await client.response();
    assert.equal(response.status, status, request.slice(0, 80));
    assert.equal(response.headers.get('connection'), 'close');
    assert.deepEqual(Object.keys(JSON.parse(response.body).error), ['code', 'message']);
    assert.equal(await client.untilEnd(), '', 'nothing follows');
  }
  assert.equal(backend.accepted, 0);
});

test('an invalid chunk ends the exchange and the backend connection', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  const upstream = await backend.accept();
  await upstream.until('hello');
  client.send('5\nworld\r\n0\r\n\r\n');
  assert.equal((await client.response()).status, 400);
  await upstream.untilEnd();
  assert.doesNotMatch(upstream.received, /world/);
  assert.equal(gateway.pools.inUse, 0);
});

test('absolute targets are sent on in origin form, with their own host', async (t) => {
  const heads: string[] = [];
  const backend = await startScripted(t, (head) => {
    heads.push(head);
    return ok();
  });
  const gateway = await startGateway(t, { backends: [backend] });
  const client = await gateway.connect();
  client.send('GET http://b.example/x?y HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.response();
  assert.match(heads[0]!, /^GET \/x\?y HTTP\/1\.1\r\nHost: b\.example\r\n/);
});

test('a backend that speaks no valid HTTP is a 502', async (t) => {
  for (const answer of [
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
    'nonsense\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  ]) {
    const backend = await startScripted(t, () => answer);
    const gateway = await startGateway(t, { backends: [backend] });
    const client = await gateway.connect();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const response = await client.response();
    assert.equal(response.status, 502);
    assert.equal(JSON.parse(response.body).error.code, 'backend_invalid');
    assert.equal(gateway.pools.inUse, 0);
    assert.equal(gateway.upstreams.counts().all, 0);
  }
});

test('bytes behind a response are never taken for the next one', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const upstream = await backend.accept();
  await upstream.until('\r\n\r\n');
  upstream.send(`${ok('one')}${ok('poison')}`);
  assert.equal((await client.response()).body, 'one');
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const second = await backend.accept();
  await second.until('\r\n\r\n');
  second.send(ok('two'));
  assert.equal((await client.response()).body, 'two');
});
