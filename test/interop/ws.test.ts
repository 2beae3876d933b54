import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { type ClientOptions, type RawData, WebSocket, WebSocketServer } from 'ws';
import { demoTls } from '../support/gateway.ts';
import { closed, listening } from '../support/listening.ts';
import { type Front, ways } from '../support/ways.ts';

const MEGABYTE = 1_000_000;

for (const way of ways) {
  describe(`ws, ${way.name}`, () => {
    let http: Server;
    let webSockets: WebSocketServer;
    let front: Front | undefined;

    before(async () => {
      http = createServer();
      webSockets = new WebSocketServer({
        server: http,
        maxPayload: 32 * MEGABYTE,
        perMessageDeflate: { threshold: 0 },
        handleProtocols: (offered) => (offered.has('second') ? 'second' : false),
        verifyClient: ({ req }, answer) => answer(req.url !== '/refused', 418, 'No tea', { 'X-Why': 'pot' }),
      });
      webSockets.on('connection', (socket, request: IncomingMessage) => {
        if (request.url?.startsWith('/close/')) {
          const [code, reason] = request.url.slice('/close/'.length).split('/');
          socket.close(Number(code), reason);
        }
        if (request.url === '/terminate') socket.terminate();
        if (request.url === '/early') socket.send('sent with the handshake');
        if (request.url === '/url') socket.send(JSON.stringify([request.url, request.headers['x-custom']]));
        socket.on('message', (data, binary) => socket.send(data, { binary }));
        socket.on('error', () => socket.terminate());
      });
      front = await way.open([await listening(http)], { tls: true });
    });
    after(async () => {
      for (const socket of webSockets.clients) socket.terminate();
      await front?.[Symbol.asyncDispose]();
      await closed(http);
    });

    const open = async (path = '/', options: ClientOptions & { protocols?: string[] } = {}) => {
      const socket = new WebSocket(`${front!.wsUrl}${path}`, options.protocols, options);
      await once(socket, 'open');
      return socket;
    };
    const echo = async (socket: WebSocket, data: string | Buffer): Promise<[RawData, boolean]> => {
      const answer = once(socket, 'message');
      socket.send(data);
      return (await answer) as [RawData, boolean];
    };

    for (const perMessageDeflate of [false, true]) {
      const how = perMessageDeflate ? 'compressed' : 'plain';

      test(`${how}: text and binary keep their kind and content`, async () => {
        const socket = await open('/', { perMessageDeflate });
        assert.equal(socket.extensions.includes('permessage-deflate'), perMessageDeflate);
        for (const text of ['', 'a', 'grüße 🌍', 'x'.repeat(125), 'x'.repeat(126), 'x'.repeat(65_536)]) {
          const [data, binary] = await echo(socket, text);
          assert.deepEqual([data.toString(), binary], [text, false]);
        }
        for (const bytes of [randomBytes(0), randomBytes(1), randomBytes(65_535), randomBytes(65_537)]) {
          const [data, binary] = await echo(socket, bytes);
          assert.ok(binary && bytes.equals(data as Buffer));
        }
        socket.close();
        await once(socket, 'close');
      });

      test(`${how}: a message of 10 MB`, async () => {
        const socket = await open('/', { perMessageDeflate, maxPayload: 32 * MEGABYTE });
        const bytes = Buffer.concat([randomBytes(MEGABYTE), Buffer.alloc(9 * MEGABYTE, 'sluice')]);
        const [data] = await echo(socket, bytes);
        assert.ok(bytes.equals(data as Buffer));
        socket.close();
        await once(socket, 'close');
      });
    }

    test('many messages arrive in order', async () => {
      const socket = await open();
      const received: number[] = [];
      const all = new Promise<void>((resolve) => {
        socket.on('message', (data) => received.push(Number(data)) === 5_000 && resolve());
      });
      for (let i = 0; i < 5_000; i++) socket.send(String(i));
      await all;
      assert.ok(received.every((value, index) => value === index));
      socket.terminate();
    });

    test('a message in fragments', async () => {
      const socket = await open('/', { perMessageDeflate: false });
      const answer = once(socket, 'message');
      for (let i = 0; i < 10; i++) socket.send(`part ${i} `, { fin: i === 9 });
      const expected = Array.from({ length: 10 }, (_, i) => `part ${i} `).join('');
      assert.equal(String((await answer)[0]), expected);
      socket.terminate();
    });

    test('ping and pong', async () => {
      const socket = await open();
      socket.ping('are you there');
      assert.equal(String((await once(socket, 'pong'))[0]), 'are you there');
      socket.terminate();
    });

    test('the subprotocol that the server picks', async () => {
      const socket = await open('/', { protocols: ['first', 'second', 'third'] });
      assert.equal(socket.protocol, 'second');
      socket.terminate();
    });

    test('path, query and header fields reach the server', async () => {
      const socket = new WebSocket(`${front!.wsUrl}/url`, { headers: { 'X-Custom': 'yes' } });
      const [data] = await once(socket, 'message');
      assert.deepEqual(JSON.parse(String(data)), ['/url', 'yes']);
      socket.terminate();
    });

    test('a message right behind the handshake', async () => {
      for (let i = 0; i < 50; i++) {
        const socket = new WebSocket(`${front!.wsUrl}/early`);
        const [data] = await once(socket, 'message');
        assert.equal(String(data), 'sent with the handshake');
        socket.terminate();
      }
    });

    for (const [code, reason] of [
      [1000, 'done'],
      [1001, 'away'],
      [1008, 'policy'],
      [1012, 'restart'],
      [3000, 'registered'],
      [4999, 'private'],
    ] as const) {
      test(`close code ${code} from the server`, async () => {
        const socket = new WebSocket(`${front!.wsUrl}/close/${code}/${reason}`);
        const [got, why] = await once(socket, 'close');
        assert.deepEqual([got, String(why)], [code, reason]);
      });

      test(`close code ${code} from the client`, async () => {
        const seen = new Promise<[number, string]>((resolve) => {
          webSockets.once('connection', (socket) => {
            socket.once('close', (got, why) => resolve([got, String(why)]));
          });
        });
        const socket = await open();
        socket.close(code, reason);
        assert.deepEqual(await seen, [code, reason]);
      });
    }

    test('a server that vanishes', async () => {
      const socket = new WebSocket(`${front!.wsUrl}/terminate`);
      const [code] = await once(socket, 'close');
      assert.equal(code, 1006);
    });

    test('a client that vanishes', async () => {
      const gone = new Promise<number>((resolve) => {
        webSockets.once('connection', (socket) => socket.once('close', resolve));
      });
      const socket = await open();
      socket.terminate();
      assert.equal(await gone, 1006);
    });

    test('a handshake that the server refuses', async () => {
      const socket = new WebSocket(`${front!.wsUrl}/refused`);
      const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
      assert.equal(response.statusCode, 418);
      assert.equal(response.headers['x-why'], 'pot');
      response.resume();
      await once(response, 'end');
    });

    if (way.balances) {
      test('over TLS', async () => {
        const socket = new WebSocket(`wss://localhost:${front!.tlsPort}/`, { ca: demoTls.ca });
        await once(socket, 'open');
        const bytes = randomBytes(MEGABYTE);
        const [data] = await echo(socket, bytes);
        assert.ok(bytes.equals(data as Buffer));
        socket.close(1000);
        assert.equal((await once(socket, 'close'))[0], 1000);
      });
    }
  });
}
