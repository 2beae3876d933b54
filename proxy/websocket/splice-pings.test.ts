import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { Reader } from '../../test/support/sockets.ts';
import { controlFrame, PING, PONG } from './frames.ts';
import { assertGone, frame, OFF, parse, setUp } from './test-support.ts';

test('an idle client is pinged; its pong goes no further, however it is cut', async (t) => {
  const setup = await setUp(t, { frames: true, settings: { ...OFF, pingIntervalMs: 500 } });
  const { client, backend, clock } = setup;
  const [toClient, toBackend] = [new Reader(client), new Reader(backend)];
  for (let cut = 0; cut <= 14; cut++) {
    const before = toClient.received.length;
    clock.advance(500);
    await toClient.bytes(before + 10);
    const ping = parse(toClient.received.subarray(before))[0]!;
    assert.equal(ping.opcode, PING);
    const pong = controlFrame(PONG, ping.payload, randomBytes(4));
    const text = frame(1, Buffer.from(`after ${cut}`), { masked: true });
    const seen = toBackend.received.length;
    client.write(pong.subarray(0, cut));
    // A round trip through the other direction: the first part was read on its own.
    backend.write(frame(1, Buffer.from('round')));
    await toClient.bytes(before + 10 + 7);
    client.write(Buffer.concat([pong.subarray(cut), text]));
    await toBackend.bytes(seen + text.length);
    assert.deepEqual(toBackend.received.subarray(seen), text, `cut at ${cut}`);
  }
  client.resetAndDestroy();
  await assertGone(setup);
});

test('pongs that are not for the gateway pass', async (t) => {
  const setup = await setUp(t, { frames: true, settings: { ...OFF, pingIntervalMs: 500 } });
  const { client, backend, clock } = setup;
  const [toClient, toBackend] = [new Reader(client), new Reader(backend)];
  clock.advance(500);
  await toClient.bytes(10);
  const others = Buffer.concat([
    controlFrame(PONG, Buffer.alloc(0), randomBytes(4)),
    controlFrame(PONG, randomBytes(8), randomBytes(4)),
    controlFrame(PONG, randomBytes(125), randomBytes(4)),
    frame(PONG, randomBytes(1000), { masked: true }),
    frame(1, Buffer.from('text'), { masked: true, fin: false }),
    controlFrame(PONG, randomBytes(7), randomBytes(4)),
    frame(0, Buffer.from('more'), { masked: true }),
  ]);
  for (const byte of others) {
    client.write(Uint8Array.of(byte));
    if (byte % 16 === 0) await new Promise(setImmediate);
  }
  await toBackend.bytes(others.length);
  assert.deepEqual(toBackend.received, others);
  client.end(controlFrame(PONG, randomBytes(8), randomBytes(4)).subarray(0, 9));
  await toBackend.end();
  assert.equal(toBackend.received.length, others.length + 9);
});

test('a client that does not answer is given up', async (t) => {
  const setup = await setUp(t, {
    frames: true,
    settings: { ...OFF, pingIntervalMs: 500, pongTimeoutMs: 200 },
  });
  const { client, clock, splice } = setup;
  const toClient = new Reader(client);
  clock.advance(500);
  await toClient.bytes(10);
  clock.advance(199);
  assert.equal(splice.end, null);
  clock.advance(1);
  await assertGone(setup);
  assert.equal(splice.end, 'pong_timeout');
});

test('a client that takes none of the bytes that wait for it is given up, one that takes some is not', async (t) => {
  const setup = await setUp(t, {
    frames: true,
    settings: { ...OFF, pingIntervalMs: 500, pongTimeoutMs: 200 },
  });
  const { client, backend, clock, splice } = setup;
  client.pause();
  const large = frame(2, randomBytes(30_000_000));
  backend.write(large);
  while (splice.client.writableLength === 0) await new Promise(setImmediate);
  clock.advance(500); // No ping: it would wait behind the bytes.
  let received = 0;
  client.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > 10_000_000 && received < 11_000_000) client.pause();
  });
  client.resume();
  while (received < 10_000_000) await new Promise(setImmediate);
  clock.advance(200);
  assert.equal(splice.end, null);
  client.pause();
  while (splice.client.writableLength === 0) await new Promise(setImmediate);
  clock.advance(500);
  clock.advance(200);
  await assertGone(setup);
  assert.equal(splice.end, 'pong_timeout');
});

test('a ping waits for the end of the frame that is under way', async (t) => {
  const setup = await setUp(t, { frames: true, settings: { ...OFF, pingIntervalMs: 500 } });
  const { client, backend, clock } = setup;
  const toClient = new Reader(client);
  const large = frame(2, randomBytes(70_000));
  backend.write(large.subarray(0, 50_000));
  await toClient.bytes(50_000);
  clock.advance(500);
  backend.write(Buffer.concat([large.subarray(50_000), frame(1, Buffer.from('next'))]));
  await toClient.bytes(large.length + 10 + 6);
  assert.deepEqual(
    parse(toClient.received).map(({ opcode, payload }) => [opcode, payload.length]),
    [
      [2, 70_000],
      [PING, 8],
      [1, 4],
    ],
  );
});
