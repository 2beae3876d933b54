import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { startBackend, startGateway, startScripted } from '../support/http-harness.ts';

const ok = (body = 'ok') => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const POST = 'POST / HTTP/1.1\r\nHost: a\r\n';

test('Expect: 100-continue is asked of the backend, and its 100 goes to the client', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send(`${POST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`);
  const upstream = await backend.accept();
  assert.match(await upstream.until('\r\n\r\n'), /\r\nExpect: 100-continue\r\n/);
  upstream.send('HTTP/1.1 100 Continue\r\n\r\n');
  assert.equal((await client.response()).status, 100);
  client.send('body');
  await upstream.until('body');
  upstream.send(ok());
  const response = await client.response();
  assert.equal(response.status, 200);
  assert.equal(response.headers.has('connection'), false);
});

test('a final answer in the place of 100 closes the connection, since the body may never come', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send(`${POST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`);
  const upstream = await backend.accept();
  await upstream.until('\r\n\r\n');
  upstream.send('HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n');
  const response = await client.response();
  assert.equal(response.status, 417);
  assert.equal(response.headers.get('connection'), 'close');
  await client.untilEnd();
  await upstream.untilEnd();
});

test('a client that expects 100 and sends its body anyway', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send(`${POST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\nbody`);
  const upstream = await backend.accept();
  await upstream.until('\r\n\r\nbody');
  upstream.send(ok());
  assert.equal((await client.response()).status, 200);
});

test('a 100 that nobody asked for is not passed on, and none goes to HTTP/1.0', async (t) => {
  const backend = await startScripted(t, () => `HTTP/1.1 100 Continue\r\n\r\n${ok()}`);
  const gateway = await startGateway(t, { backends: [backend] });
  const client = await gateway.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await client.response()).status, 200);
  client.send('POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n');
  assert.equal((await client.response()).status, 200);
});

test('the gateway refuses without waiting for the body of a client that expects 100', async (t) => {
  const gateway = await startGateway(t, { listener: { hosts: [] } });
  const client = await gateway.connect();
  client.send(`${POST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`);
  const response = await client.response();
  assert.equal(response.status, 404);
  assert.equal(response.headers.get('connection'), 'close');
  await client.untilEnd();
});

test('after a refusal a short body is read away and the connection stays', async (t) => {
  const gateway = await startGateway(t, { listener: { hosts: [] } });
  const client = await gateway.connect();
  client.send(`${POST}Content-Length: 10\r\n\r\n`);
  const response = await client.response();
  assert.equal(response.status, 404);
  assert.equal(response.headers.has('connection'), false);
  client.send(`0123456789${POST}Content-Length: 0\r\n\r\n`);
  assert.equal((await client.response()).status, 404);
});

test('after a refusal of a long body the client can read the answer while it is still sending', async (t) => {
  const gateway = await startGateway(t, { limits: { maxRequestBodyBytes: 1000 } });
  const client = await gateway.connect();
  client.send(`${POST}Content-Length: 500000\r\n\r\n`);
  client.send('x'.repeat(400_000));
  const response = await client.response();
  assert.equal(response.status, 413);
  assert.equal(response.headers.get('connection'), 'close');
  await client.untilEnd();
  assert.equal(client.error, null);
});

test('a chunked body that grows too long is refused on the way', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port], limits: { maxRequestBodyBytes: 10 } });
  const client = await gateway.connect();
  client.send(`${POST}Transfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n`);
  const upstream = await backend.accept();
  await upstream.until('01234567');
  client.send('8\r\n01234567\r\n');
  assert.equal((await client.response()).status, 413);
  await upstream.untilEnd();
  assert.equal(gateway.pools.inUse, 0);
});

test('an answer that comes before the end of the request body', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send(`${POST}Content-Length: 20\r\n\r\n0123456789`);
  const upstream = await backend.accept();
  await upstream.until('0123456789');
  upstream.send(ok('early'));
  assert.equal((await client.response()).body, 'early');
  await upstream.untilEnd();
  client.send(`0123456789${POST}Content-Length: 0\r\n\r\n`);
  const second = await backend.accept();
  assert.match(await second.until('\r\n\r\n'), /^POST \/ HTTP\/1\.1\r\n/);
  second.send(ok('next'));
  assert.equal((await client.response()).body, 'next');
});

test('both bodies can be under way at the same time', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send(`${POST}Transfer-Encoding: chunked\r\n\r\n`);
  const upstream = await backend.accept();
  await upstream.until('\r\n\r\n');
  upstream.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  await client.until('\r\n\r\n');
  for (let i = 0; i < 5; i++) {
    client.send(`2\r\nq${i}\r\n`);
    await upstream.until(`q${i}`);
    upstream.send(`2\r\na${i}\r\n`);
    await client.until(`a${i}`);
  }
  client.send('0\r\n\r\n');
  await upstream.until('0\r\n\r\n');
  upstream.send('0\r\n\r\n');
  assert.equal((await client.response()).body, 'a0a1a2a3a4');
});

/** Settles once a number no longer changes over many turns of the event loop. */
async function settled(read: () => number): Promise<number> {
  let last = -1;
  let same = 0;
  while (same < 200) {
    await turn();
    const now = read();
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}

const BODY_BYTES = 200 * 1024 * 1024;

test('a client that does not read slows the backend down, and memory stays bounded', async (t) => {
  let sent = 0;
  const chunk = Buffer.alloc(65_536, 'x');
  const server = net.createServer((socket) => {
    const pump = () => {
      while (sent < BODY_BYTES) {
        sent += chunk.length;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on('drain', pump);
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY_BYTES}\r\n\r\n`);
      pump();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const gateway = await startGateway(t, { backends: [(server.address() as net.AddressInfo).port] });
  const socket = net.connect({ port: gateway.port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  socket.pause();
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const stalledAt = await settled(() => sent);
  assert(stalledAt < 40 * 1024 * 1024, `the backend sent ${stalledAt} bytes to a client that reads nothing`);
  const before = process.memoryUsage().arrayBuffers;
  assert(before < 60 * 1024 * 1024, `${before} bytes of buffers`);
  let received = 0;
  socket.on('data', (data) => {
    received += data.length;
  });
  socket.resume();
  while (received < BODY_BYTES) await turn();
  assert.equal(sent, BODY_BYTES);
});

test('a backend that does not read slows the client down', async (t) => {
  let upstream: net.Socket | undefined;
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    upstream = socket;
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    upstream?.destroy();
    server.close();
  });
  const gateway = await startGateway(t, { backends: [(server.address() as net.AddressInfo).port] });
  const socket = net.connect({ port: gateway.port, host: '127.0.0.1' });
  t.after(() => socket.destroy());
  socket.write(`${POST}Content-Length: ${BODY_BYTES}\r\n\r\n`);
  let sent = 0;
  const chunk = Buffer.alloc(65_536, 'x');
  const pump = () => {
    while (sent < BODY_BYTES) {
      sent += chunk.length;
      if (!socket.write(chunk)) return;
    }
  };
  socket.on('drain', pump);
  pump();
  const stalledAt = await settled(() => sent);
  assert(stalledAt < 40 * 1024 * 1024, `the client sent ${stalledAt} bytes to a backend that reads nothing`);
  let received = 0;
  upstream!.on('data', (data) => {
    received += data.length;
  });
  upstream!.resume();
  while (received < BODY_BYTES) await turn();
  upstream!.write(ok('done'));
  socket.setEncoding('latin1');
  let answer = '';
  socket.on('data', (text) => {
    answer += text;
  });
  while (!answer.endsWith('done')) await turn();
});

test('requests sent far ahead wait in the socket of the client', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port], limits: { maxPipelinedRequests: 8 } });
  const client = await gateway.connect();
  client.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\n');
  const upstream = await backend.accept();
  await upstream.until('\r\n\r\n');
  const request = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(900)}\r\n\r\n`;
  let sent = 0;
  const pump = () => {
    while (sent < 40_000) {
      sent++;
      if (!client.socket.write(request)) return;
    }
  };
  client.socket.on('drain', pump);
  pump();
  assert((await settled(() => sent)) < 40_000, 'the client was not slowed down');
});

test('a client that closes its sending side still gets the answer', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  client.socket.end();
  const upstream = await backend.accept();
  await upstream.until('\r\n\r\n');
  upstream.send(ok('late'));
  assert.equal((await client.response()).body, 'late');
  await client.untilEnd();
});

test('a client that leaves in the middle of its body takes the backend connection with it', async (t) => {
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const backend = await startBackend(t);
    const gateway = await startGateway(t, { backends: [backend.port] });
    const client = await gateway.connect();
    client.send(`${POST}Content-Length: 100\r\n\r\npart`);
    const upstream = await backend.accept();
    await upstream.until('part');
    client.socket[leave]();
    await upstream.untilEnd();
    assert.equal(gateway.pools.inUse, 0);
    assert.equal(gateway.records.at(-1)?.reason, 'client_gone');
    assert.equal(gateway.upstreams.counts().all, 0);
  }
});

test('a client that leaves in the middle of the answer takes the backend connection with it', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const upstream = await backend.accept();
  await upstream.until('\r\n\r\n');
  upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
  await client.until('part');
  client.socket.resetAndDestroy();
  await upstream.untilEnd();
  assert.equal(gateway.pools.inUse, 0);
  assert.equal(gateway.records.at(-1)?.reason, 'client_gone');
});

test('events of a stream go out at once', async (t) => {
  const backend = await startBackend(t);
  const gateway = await startGateway(t, { backends: [backend.port] });
  const client = await gateway.connect();
  client.send('GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n');
  const upstream = await backend.accept();
  await upstream.until('\r\n\r\n');
  upstream.send('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
  await client.until('\r\n\r\n');
  for (let i = 0; i < 3; i++) {
    upstream.send(`9\r\ndata: ${i}\n\n\r\n`);
    await client.until(`data: ${i}\n\n`);
  }
});
