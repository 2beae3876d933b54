import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBackend, startGateway, startScripted } from '../support/http-harness.ts';

const hello = () => 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Backend: a\r\n\r\nhello';

test('a request goes to the backend and its answer comes back', async (t) => {
  const heads: string[] = [];
  const backend = await startScripted(t, (head) => {
    heads.push(head);
    return hello();
  });
  const gateway = await startGateway(t, { backends: [backend] });
  const client = await gateway.connect();
  client.send(
    'GET /a/b?c=d HTTP/1.1\r\nHost: Example.test:8080\r\nX-Custom: 1\r\nConnection: keep-alive\r\n\r\n',
  );
  const response = await client.response();
  assert.equal(response.statusLine, 'HTTP/1.1 200 OK');
  assert.equal(response.body, 'hello');
  assert.equal(response.headers.get('x-backend'), 'a');
  assert.equal(
    heads[0],
    'GET /a/b?c=d HTTP/1.1\r\nHost: Example.test:8080\r\nX-Custom: 1\r\nX-Forwarded-For: 127.0.0.1\r\n' +
      'X-Forwarded-Proto: http\r\nX-Forwarded-Host: Example.test:8080\r\nX-Forwarded-Port: 8080\r\n\r\n',
  );
  assert.equal(gateway.pools.inUse, 0);
});

test('connections are used again on both sides', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const upstream = await backend.accept();
  for (let i = 0; i < 3; i++) {
    await upstream.until('\r\n\r\n');
    upstream.received = '';
    upstream.send(hello());
    assert.equal((await client.response()).status, 200);
    if (i < 2) client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  }
  assert.equal(backend.accepted, 1);
});

test('a WebSocket handshake joins both sides', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send(
    'GET /hub HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, superchat\r\n' +
      'Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n',
  );
  const upstream = await backend.accept();
  const head = await upstream.until('\r\n\r\n');
  assert.match(head, /\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
  assert.match(head, /\r\nSec-WebSocket-Protocol: chat, superchat\r\n/);
  assert.match(head, /\r\nSec-WebSocket-Extensions: permessage-deflate\r\n/);
  upstream.received = '';
  upstream.send(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Protocol: chat\r\n' +
      'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi',
  );
  const answer = await client.until('\x81\x02hi');
  assert.match(answer, /^HTTP\/1.1 101 Switching Protocols\r\n/);
  assert.match(answer, /\r\nSec-WebSocket-Protocol: chat\r\n/);
  client.send('\x81\x82\0\0\0\0yo');
  await upstream.until('yo');
  assert.equal(gateway.registry.countsByKind().websocket, 1);
  assert.equal(gateway.pools.inUse, 1);
  client.socket.destroy();
  await upstream.untilEnd();
  upstream.socket.end();
  await gateway.registry.whenEmpty();
  assert.equal(gateway.pools.inUse, 0);
  assert.equal(gateway.records.at(-1)?.status, 101);
});
