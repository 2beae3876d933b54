import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { Reader, socketPair } from '../../test/support/sockets.ts';
import type { Clock } from '../http/clock.ts';
import { CLOSE, controlFrame, FrameReader, PING, PONG } from './frames.ts';
import { SERVICE_RESTART, type Splice, type SpliceOptions, Splicer, type SpliceSettings } from './splice.ts';

const OFF: SpliceSettings = {
  pingIntervalMs: 0,
  pongTimeoutMs: 100,
  idleTimeoutMs: 0,
  halfCloseTimeoutMs: 1000,
};

/** A clock that stands still until it is moved. */
class ManualClock implements Clock {
  #nowMs = 1000;
  readonly #ticks = new Set<(nowMs: number) => void>();

  now(): number {
    return this.#nowMs;
  }

  everyTick(callback: (nowMs: number) => void): () => void {
    this.#ticks.add(callback);
    return () => this.#ticks.delete(callback);
  }

  after(): () => void {
    throw new Error('not used');
  }

  get ticking(): boolean {
    return this.#ticks.size > 0;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const callback of this.#ticks) callback(this.#nowMs);
  }
}

interface Setup {
  readonly client: Socket;
  readonly backend: Socket;
  readonly splice: Splice;
  readonly splicer: Splicer;
  readonly clock: ManualClock;
  readonly closed: Promise<void>;
  readonly closeCalls: () => number;
}

async function setUp(t: TestContext, options: Partial<SpliceOptions> = {}): Promise<Setup> {
  const [client, near] = await socketPair(t);
  const [upstream, backend] = await socketPair(t);
  const clock = new ManualClock();
  const splicer = new Splicer(clock);
  const { promise, resolve } = Promise.withResolvers<void>();
  let calls = 0;
  const splice = splicer.splice(near, upstream, {
    settings: OFF,
    frames: false,
    ...options,
    onClose: () => {
      calls++;
      resolve();
    },
  });
  return { client, backend, splice, splicer, clock, closed: promise, closeCalls: () => calls };
}

/** Everything is over, and the splice was reported once. */
async function assertGone({ splice, splicer, clock, closed, closeCalls }: Setup): Promise<void> {
  await closed;
  while (splicer.size > 0) await new Promise(setImmediate);
  assert(splice.client.destroyed && splice.upstream.destroyed);
  assert.equal(closeCalls(), 1);
  assert.equal(clock.ticking, false);
}

function frame(opcode: number, payload: Uint8Array, { fin = true, masked = false } = {}): Buffer {
  const header = [(fin ? 0x80 : 0) | opcode];
  const mask = masked ? 0x80 : 0;
  const { length } = payload;
  if (length < 126) header.push(mask | length);
  else if (length < 65_536) header.push(mask | 126, length >> 8, length & 255);
  else
    header.push(
      mask | 127,
      0,
      0,
      0,
      0,
      length >>> 24,
      (length >> 16) & 255,
      (length >> 8) & 255,
      length & 255,
    );
  const key = masked ? randomBytes(4) : Buffer.alloc(4);
  const body = Buffer.from(payload);
  for (let i = 0; i < length; i++) body[i]! ^= key[i & 3]!;
  return Buffer.concat(masked ? [Buffer.from(header), key, body] : [Buffer.from(header), body]);
}

interface Parsed {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

/** Complete frames of a stream, unmasked. */
function parse(stream: Buffer): Parsed[] {
  const reader = new FrameReader();
  const found: Parsed[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = reader.read(stream, at);
    if (!reader.atBoundary) break;
    const payload = Buffer.from(stream.subarray(end - reader.payloadLength, end));
    if (reader.masked) {
      const key = stream.subarray(end - reader.payloadLength - 4, end - reader.payloadLength);
      for (let i = 0; i < payload.length; i++) payload[i]! ^= key[i & 3]!;
    }
    found.push({ opcode: reader.opcode, fin: reader.fin, payload });
    at = end;
  }
  return found;
}

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
