import assert from 'node:assert/strict';
import { createServer, type Server as HttpServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { listening } from '../support/listening.ts';
import { type Front, ways } from '../support/ways.ts';

const TRANSPORTS = {
  WebSocket: ['websocket'],
  polling: ['polling'],
  'polling, then WebSocket': ['polling', 'websocket'],
};
const CLIENTS = 6;

interface Instance {
  readonly name: string;
  readonly http: HttpServer;
  readonly io: Server;
  readonly port: number;
}

async function startInstance(name: string): Promise<Instance> {
  const http = createServer();
  const server = new Server(http, { maxHttpBufferSize: 4e6 });
  server.on('connection', (socket) => {
    socket.on('echo', (value: unknown, answer: (value: unknown) => void) => answer(value));
    socket.on('where', (answer: (name: string) => void) => answer(name));
    socket.on('burst', (count: number) => {
      for (let i = 0; i < count; i++) socket.emit('item', i);
    });
  });
  return { name, http, io: server, port: await listening(http) };
}

for (const way of ways) {
  describe(`socket.io, ${way.name}`, () => {
    let instances: Instance[];
    let front: Front | undefined;

    before(async () => {
      instances = await Promise.all((way.balances ? ['a', 'b'] : ['a']).map(startInstance));
      front = await way.open(
        instances.map(({ port }) => port),
        { pool: { affinity: { cookie: { name: 'stick' } } } },
      );
    });
    after(async () => {
      await front?.[Symbol.asyncDispose]();
      await Promise.all(instances.map((instance) => instance.io.close()));
    });

    const connect = async (transports: string[]): Promise<Socket> => {
      // `withCredentials` makes the client keep cookies outside a browser as well.
      const socket = io(front!.url, {
        transports,
        forceNew: true,
        reconnection: false,
        withCredentials: true,
      });
      await new Promise<void>((resolve, reject) => {
        socket.on('connect', resolve);
        socket.on('connect_error', reject);
      });
      return socket;
    };

    for (const [name, transports] of Object.entries(TRANSPORTS)) {
      test(`${name}: text, binary and bursts`, async () => {
        const socket = await connect(transports);
        try {
          assert.equal(await socket.emitWithAck('echo', 'grüße 🌍'), 'grüße 🌍');
          const bytes = Buffer.alloc(1_000_000, 'abc');
          assert.deepEqual(Buffer.from(await socket.emitWithAck('echo', bytes)), bytes);
          const items: number[] = [];
          const all = new Promise<void>((resolve) => {
            socket.on('item', (item: number) => {
              items.push(item);
              if (items.length === 500) resolve();
            });
          });
          socket.emit('burst', 500);
          await all;
          assert.deepEqual(
            items,
            Array.from({ length: 500 }, (_, i) => i),
          );
        } finally {
          socket.disconnect();
        }
      });

      test(`${name}: each client stays with its instance, and all instances serve`, async () => {
        const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => connect(transports)));
        try {
          const where = (): Promise<string[]> => Promise.all(sockets.map((s) => s.emitWithAck('where')));
          const first = await where();
          assert.deepEqual([...new Set(first)].sort(), instances.map((instance) => instance.name).sort());
          for (let round = 0; round < 10; round++) assert.deepEqual(await where(), first);
        } finally {
          for (const socket of sockets) socket.disconnect();
        }
      });
    }
  });
}
