/** The splice between a WebSocket client and server that know nothing of it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import tls from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { TestAuthority } from '../../test/support/certificates.ts';
import { listen } from '../../test/support/sockets.ts';
import type { Clock } from '../http/clock.ts';
import { SERVICE_RESTART, type Splice, type SpliceSettings } from './splice.ts';
import { Splicer } from './splicer.ts';

/** Ticks as often as it can, so that pings come between everything. */
const eager: Clock = {
  now: () => performance.now(),
  everyTick(callback) {
    const timer = setInterval(() => callback(performance.now()), 1);
    return () => clearInterval(timer);
  },
  after() {
    throw new Error('not used');
  },
};

const SETTINGS: SpliceSettings = {
  pingIntervalMs: 1,
  pongTimeoutMs: 20_000,
  idleTimeoutMs: 0,
  halfCloseTimeoutMs: 5000,
};

/** Passes one head on; resolves with what came behind it. */
async function passHead(from: Socket, to: Socket): Promise<Buffer> {
  let head = Buffer.alloc(0);
  for (;;) {
    const [chunk] = (await once(from, 'data')) as [Buffer];
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) continue;
    from.pause();
    to.write(head.subarray(0, end + 4));
    return head.subarray(end + 4);
  }
}

async function setUp(t: TestContext, secure: boolean) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 100 } });
  await once(server, 'listening');
  const { port: backendPort } = server.address() as { port: number };
  const splicer = new Splicer(eager);
  const splices: Splice[] = [];
  const serve = async (client: Socket) => {
    client.on('error', () => {});
    const upstream = connect({ port: backendPort, host: '127.0.0.1', allowHalfOpen: true });
    upstream.on('error', () => {});
    const clientHead = await passHead(client, upstream);
    const upstreamHead = await passHead(upstream, client);
    splices.push(
      splicer.splice(client, upstream, {
        settings: SETTINGS,
        frames: true,
        clientHead,
        upstreamHead,
        onClose: () => {},
      }),
    );
  };
  const ca = secure ? await TestAuthority.create() : null;
  const leaf = await ca?.issue({ addresses: ['127.0.0.1'] });
  const proxy =
    leaf === undefined
      ? createServer({ allowHalfOpen: true }, serve)
      : tls.createServer({ allowHalfOpen: true, cert: leaf.chainPem, key: leaf.keyPem }, serve);
  const port = await listen(proxy);
  t.after(() => {
    proxy.close();
    server.close();
    for (const socket of server.clients) socket.terminate();
  });
  const open = async () => {
    const url = `${secure ? 'wss' : 'ws'}://127.0.0.1:${port}`;
    const client = new WebSocket(url, ca === null ? {} : { ca: ca.caPem });
    t.after(() => client.terminate());
    const [[backend]] = (await Promise.all([once(server, 'connection'), once(client, 'open')])) as [
      [WebSocket],
      unknown,
    ];
    return { client, backend };
  };
  const allGone = async () => {
    while (splicer.size > 0) await new Promise(setImmediate);
  };
  return { open, splices, allGone };
}

for (const secure of [false, true]) {
  const over = secure ? 'over TLS' : 'in clear text';

  test(`messages of all sizes come back ${over}, with pings between them that nobody sees`, async (t) => {
    const { open, splices, allGone } = await setUp(t, secure);
    const { client, backend } = await open();
    const seen = { client: 0, backend: 0, pings: 0 };
    client.on('ping', () => seen.pings++);
    client.on('pong', () => seen.client++);
    backend.on('ping', () => seen.backend++);
    backend.on('pong', () => seen.backend++);
    backend.on('message', (data, isBinary) => backend.send(data, { binary: isBinary }));
    const { resolve, promise: pinged } = Promise.withResolvers<unknown>();
    client.once('ping', resolve);
    await pinged;
    for (const size of [0, 1, 125, 126, 127, 1000, 65_535, 65_536, 300_000, 2_000_000]) {
      const message = size % 2 === 0 ? randomBytes(size) : Buffer.alloc(size, 'text ');
      const echo = once(client, 'message');
      if (size > 3) {
        client.send(message.subarray(0, size >> 1), { fin: false, binary: true });
        client.send(message.subarray(size >> 1), { fin: true, binary: true });
      } else client.send(message, { binary: true });
      const [data] = (await echo) as [Buffer];
      assert(data.equals(message), `${size} bytes`);
    }
    assert(seen.pings > 0);
    assert.deepEqual([seen.client, seen.backend], [0, 0]);
    const closed = Promise.all([once(client, 'close'), once(backend, 'close')]);
    client.close(4000, 'bye');
    const [[code, reason], [backendCode]] = await closed;
    assert.deepEqual([code, String(reason), backendCode], [4000, 'bye', 4000]);
    await allGone();
    assert.notEqual(splices[0]!.end, 'pong_timeout');
  });

  test(`a drained connection gets 1012 ${over}, its backend 1001, in the middle of messages`, async (t) => {
    const { open, splices, allGone } = await setUp(t, secure);
    const { client, backend } = await open();
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    backend.on('error', (error) => errors.push(error));
    const piece = randomBytes(100_000);
    const timer = setInterval(() => {
      for (const side of [client, backend]) if (side.readyState === 1) side.send(piece, { fin: false });
    }, 1);
    t.after(() => clearInterval(timer));
    while (splices[0]!.bytesOut < 1_000_000) await new Promise(setImmediate);
    const closed = Promise.all([once(client, 'close'), once(backend, 'close')]);
    splices[0]!.close(SERVICE_RESTART, 'please reconnect');
    const [[code, reason], [backendCode]] = await closed;
    clearInterval(timer);
    assert.deepEqual([code, String(reason), backendCode], [1012, 'please reconnect', 1001]);
    assert.deepEqual(errors, []);
    await allGone();
  });
}
