import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import test from 'node:test';
import { Reader, socketPair } from '../../test/support/sockets.ts';
import { CLOSE, controlFrame, PONG } from './frames.ts';
import { SERVICE_RESTART } from './splice.ts';
import { Splicer } from './splicer.ts';
import { assertGone, frame, ManualClock, OFF, parse, setUp } from './test-support.ts';

test('passes bytes both ways, with what was read before', async (t) => {
  const setup = await setUp(t, { clientHead: Buffer.from('ab'), upstreamHead: Buffer.from('xy') });
  const { client, backend, splice } = setup;
  const [toClient, toBackend] = [new Reader(client), new Reader(backend)];
  client.write('cd');
  backend.write('z');
  await Promise.all([toBackend.bytes(4), toClient.bytes(3)]);
  assert.equal(toBackend.received.toString(), 'abcd');
  assert.equal(toClient.received.toString(), 'xyz');
  assert.deepEqual([splice.bytesIn, splice.bytesOut], [4, 3]);
  client.end();
  await toBackend.end();
  backend.end();
  await toClient.end();
  await assertGone(setup);
  assert.equal(splice.end, 'client_closed');
});

test('keeps one direction open when the other is closed', async (t) => {
  const setup = await setUp(t);
  const { client, backend } = setup;
  const [toClient, toBackend] = [new Reader(client), new Reader(backend)];
  client.end('question');
  await toBackend.end();
  assert.equal(toBackend.received.toString(), 'question');
  backend.end('answer after the client has closed its side');
  await toClient.end();
  assert.equal(toClient.received.toString(), 'answer after the client has closed its side');
  await assertGone(setup);
});

test('what the backend said before it left reaches a slow client whole', async (t) => {
  const [upstream, backend] = await socketPair(t);
  const written: string[] = [];
  const release: (() => void)[] = [];
  const client = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString());
      release.push(done);
    },
  });
  let closed = 0;
  const splicer = new Splicer(new ManualClock());
  splicer.splice(client, upstream, { settings: OFF, frames: false, onClose: () => closed++ });
  client.push('question');
  client.push(null);
  backend.resume();
  await once(backend, 'end');
  backend.end('answer');
  await once(upstream, 'close');
  assert.deepEqual(written, ['answer']);
  assert.equal(client.destroyed, false);
  release[0]!();
  await once(client, 'close');
  assert.equal(client.writableFinished, true);
  assert.equal(closed, 1);
  assert.equal(splicer.size, 0);
});

for (const [who, end] of [
  ['client', 'client_closed'],
  ['backend', 'upstream_closed'],
] as const) {
  test(`a peer that never answers the FIN of the ${who} is given up after the half-close timeout`, async (t) => {
    const setup = await setUp(t);
    const other = who === 'client' ? setup.backend : setup.client;
    const reader = new Reader(other);
    setup[who].resume().end();
    await reader.end();
    setup.clock.advance(999);
    assert.equal(setup.closeCalls(), 0);
    setup.clock.advance(1);
    await assertGone(setup);
    assert.equal(setup.splice.end, end);
  });

  test(`a reset by the ${who} ends both`, async (t) => {
    const setup = await setUp(t);
    const other = new Reader(who === 'client' ? setup.backend : setup.client);
    setup[who].resetAndDestroy();
    await assertGone(setup);
    assert.equal(setup.splice.end, who === 'client' ? 'client_error' : 'upstream_error');
    await other.until(() => other.ended || other.closed);
  });
}

test('a socket that is gone before the splice begins is noticed', async (t) => {
  const [client, near] = await socketPair(t);
  const [upstream] = await socketPair(t);
  near.destroy();
  await once(near, 'close');
  const splicer = new Splicer(new ManualClock());
  let closed = 0;
  splicer.splice(near, upstream, { settings: OFF, frames: false, onClose: () => closed++ });
  await once(upstream, 'close');
  assert.equal(closed, 1);
  assert.equal(splicer.size, 0);
  client.destroy();
});

test('100 MB to a slow reader: complete, and little of it in memory at a time', async (t) => {
  const setup = await setUp(t, { frames: true });
  const { client, backend, splice } = setup;
  const total = 100 * 1024 * 1024;
  const message = randomBytes(1024 * 1024);
  const sent = createHash('sha256');
  const received = createHash('sha256');
  const sending = (async () => {
    const piece = frame(2, message.subarray(0, message.length - 10));
    for (let left = total; left > 0; left -= piece.length) {
      const part = piece.subarray(0, Math.min(left, piece.length));
      sent.update(part);
      if (!backend.write(part)) await once(backend, 'drain');
    }
    backend.end();
  })();
  let count = 0;
  let waiting = 0;
  for await (const chunk of client as AsyncIterable<Buffer>) {
    count += chunk.length;
    received.update(chunk);
    waiting = Math.max(waiting, splice.client.writableLength);
    // Slow: the event loop turns, and the sender gets ahead as far as it may.
    if (count % 7 === 0) await new Promise(setImmediate);
  }
  await sending;
  assert.equal(count, total);
  assert.equal(received.digest('hex'), sent.digest('hex'));
  assert(waiting < 1024 * 1024, `${waiting} bytes waited`);
  client.end();
  await assertGone(setup);
});

test('a paused socket is set going', async (t) => {
  const [client, near] = await socketPair(t);
  const [upstream, backend] = await socketPair(t);
  near.pause();
  upstream.pause();
  const splicer = new Splicer(new ManualClock());
  splicer.splice(near, upstream, { settings: OFF, frames: false, onClose: () => {} });
  const [toClient, toBackend] = [new Reader(client), new Reader(backend)];
  client.write('a');
  backend.write('b');
  await Promise.all([toClient.bytes(1), toBackend.bytes(1)]);
  near.destroy();
  upstream.destroy();
});

test('closes in order while a large fragmented message is in flight', async (t) => {
  const setup = await setUp(t, { frames: true });
  const { client, backend, splice } = setup;
  const [toClient, toBackend] = [new Reader(client), new Reader(backend)];
  const fragment = frame(2, randomBytes(200_000), { fin: false });
  const upload = frame(2, randomBytes(100_000), { fin: false, masked: true });
  backend.write(fragment.subarray(0, 100_000));
  client.write(upload.subarray(0, 60_000));
  await Promise.all([toClient.bytes(100_000), toBackend.bytes(60_000)]);
  splice.close(SERVICE_RESTART, 'restarting');
  splice.close(SERVICE_RESTART, 'twice is once');
  backend.write(Buffer.concat([fragment.subarray(100_000), frame(0, Buffer.from('dropped'))]));
  client.write(Buffer.concat([upload.subarray(60_000), frame(0, Buffer.from('dropped'), { masked: true })]));
  await Promise.all([toClient.bytes(fragment.length + 14), toBackend.bytes(upload.length + 8)]);
  const [sent, closing, ...rest] = parse(toClient.received);
  assert.equal(sent!.payload.length, 200_000);
  assert.equal(closing!.opcode, CLOSE);
  assert.equal(closing!.payload.readUInt16BE(0), 1012);
  assert.equal(closing!.payload.toString('utf8', 2), 'restarting');
  assert.equal(rest.length, 0);
  const [uploaded, leaving, ...others] = parse(toBackend.received);
  assert.equal(uploaded!.payload.length, 100_000);
  assert.deepEqual([leaving!.opcode, leaving!.payload.readUInt16BE(0)], [CLOSE, 1001]);
  assert.equal(others.length, 0);
  // The client answers, the gateway closes its side of the connection: no reset.
  client.write(controlFrame(CLOSE, closing!.payload.subarray(0, 2), randomBytes(4)));
  await toClient.end();
  client.end();
  backend.end();
  await toBackend.end();
  await assertGone(setup);
  assert.equal(splice.end, 'closed_by_gateway');
});

test('a client that does not answer the close frame is closed after the timeout', async (t) => {
  const setup = await setUp(t, { frames: true });
  const { client, splice, clock } = setup;
  const toClient = new Reader(client);
  splice.close(SERVICE_RESTART, '');
  await toClient.bytes(4);
  clock.advance(1000);
  await assertGone(setup);
  await toClient.until(() => toClient.ended || toClient.closed);
});

test('adds no close frame to a finished close handshake', async (t) => {
  const setup = await setUp(t, { frames: true });
  const { client, backend, splice, clock } = setup;
  const [toClient, toBackend] = [new Reader(client), new Reader(backend)];
  client.write(controlFrame(CLOSE, Buffer.from([3, 232]), randomBytes(4)));
  await toBackend.bytes(8);
  backend.write(controlFrame(CLOSE, Buffer.from([3, 232]), null));
  await toClient.bytes(4);
  splice.close(SERVICE_RESTART, 'restarting');
  await toClient.end();
  assert.equal(toClient.received.length, 4);
  assert.equal(toBackend.received.length, 8);
  clock.advance(1000);
  await assertGone(setup);
});

test('nobody says anything: the idle timeout closes', async (t) => {
  const setup = await setUp(t, {
    frames: true,
    settings: { ...OFF, idleTimeoutMs: 5000, pingIntervalMs: 1000 },
  });
  const { client, splice, clock } = setup;
  const toClient = new Reader(client);
  for (let second = 1; second < 5; second++) {
    clock.advance(1000);
    await toClient.bytes(10 * second);
    client.write(controlFrame(PONG, parse(toClient.received)[0]!.payload, randomBytes(4)));
    const { bytesIn } = splice;
    while (splice.bytesIn === bytesIn) await new Promise(setImmediate);
  }
  clock.advance(1000);
  await toClient.bytes(44);
  assert.deepEqual(parse(toClient.received).at(-1)?.payload.readUInt16BE(0), 1001);
  assert.equal(splice.end, 'idle_timeout');
  client.end();
  clock.advance(1000);
  await assertGone(setup);
});

test('without frames, closing is a FIN to both', async (t) => {
  const setup = await setUp(t);
  const { client, backend, splice } = setup;
  const [toClient, toBackend] = [new Reader(client), new Reader(backend)];
  splice.close(SERVICE_RESTART, 'unused');
  await Promise.all([toClient.end(), toBackend.end()]);
  client.end('late');
  backend.end('late');
  await assertGone(setup);
  assert.equal(toClient.received.length + toBackend.received.length, 0);
});
