import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { startGateway } from '../support/http-harness.ts';

/** A small generator of numbers in [0, 1), the same for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
}

/** Answers every request with its own method, path and body, in varying framing. */
async function startEcho(t: { after(callback: () => void): void }, random: () => number): Promise<number> {
  const server = http.createServer((request, response) => {
    let body = `${request.method} ${request.url} `;
    request.setEncoding('latin1');
    request.on('data', (text) => {
      body += text;
    });
    request.on('error', () => {});
    request.on('end', () => {
      const kind = random();
      if (kind < 0.3) response.setHeader('Content-Length', body.length);
      else if (kind < 0.4) response.setHeader('Connection', 'close');
      for (let at = 0; at < body.length; ) {
        const size = 1 + Math.floor(random() * 3000);
        response.write(body.slice(at, at + size), 'latin1');
        at += size;
      }
      response.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function randomRequest(random: () => number, id: number): { wire: string; echo: string } {
  const length = random() < 0.3 ? 0 : Math.floor(random() ** 3 * 100_000);
  const body = String.fromCharCode(97 + (id % 26)).repeat(length);
  const head = `${length === 0 ? 'GET' : 'POST'} /${id} HTTP/1.1\r\nHost: a\r\n`;
  const echo = `${length === 0 ? 'GET' : 'POST'} /${id} ${body}`;
  if (length === 0) return { wire: `${head}\r\n`, echo };
  if (random() < 0.5) return { wire: `${head}Content-Length: ${length}\r\n\r\n${body}`, echo };
  let chunks = '';
  for (let at = 0; at < length; ) {
    const size = Math.min(length - at, 1 + Math.floor(random() * 5000));
    chunks += `${size.toString(16)}\r\n${body.slice(at, at + size)}\r\n`;
    at += size;
  }
  return { wire: `${head}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`, echo };
}

test('pipelined requests cut at any place come back whole and in order', async (t) => {
  for (let seed = 1; seed <= 8; seed++) {
    const random = generator(seed);
    const gateway = await startGateway(t, { backends: [await startEcho(t, random)] });
    const client = await gateway.connect();
    const requests = Array.from({ length: 40 }, (_, id) => randomRequest(random, id));
    const wire = requests.map((request) => request.wire).join('');
    const sending = (async () => {
      for (let at = 0; at < wire.length; ) {
        const size = 1 + Math.floor(random() ** 4 * 60_000);
        client.send(wire.slice(at, at + size));
        at += size;
        if (random() < 0.5) await turn();
      }
    })();
    for (const { echo } of requests) {
      const response = await client.response();
      assert.equal(response.status, 200, `seed ${seed}`);
      assert.equal(response.body === echo, true, `seed ${seed}: ${echo.slice(0, 20)}`);
    }
    await sending;
    assert.equal(gateway.pools.inUse, 0);
  }
});

test('nothing is left behind by clients and backends that leave at any moment', async (t) => {
  const random = generator(7);
  let held = 0;
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => {
      // A reset after a shutdown keeps Node's event loop from ever finishing.
      if (socket.writableEnded) return;
      const kind = random();
      if (kind < 0.1) socket.resetAndDestroy();
      else if (kind < 0.2) socket.end();
      else if (kind < 0.3) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart');
      else if (kind < 0.4)
        socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n');
      else if (kind < 0.5) return;
      else if (kind < 0.6) socket.end('HTTP/1.1 200 OK\r\n\r\nuntil close');
      else if (kind < 0.65) socket.write('nonsense\r\n\r\n');
      else if (kind < 0.7) socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n');
      else socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const gateway = await startGateway(t, {
    backends: [(server.address() as AddressInfo).port],
    rule: {
      ruleLists: ['l'],
      retry: { attempts: 1, codes: [503], backoffMs: 10 },
      timeouts: { requestMs: 3000, backendRequestMs: 2000 },
    },
    admit: async () => {
      if (random() < 0.5) await turn();
      held++;
      let released = false;
      return {
        admitted: true,
        maxLifetimeMs: 0,
        expired: () => {},
        onRevoked: () => {},
        release: () => {
          assert.equal(released, false, 'released twice');
          released = true;
          held--;
        },
      };
    },
  });
  const clients: Promise<void>[] = [];
  for (let i = 0; i < 400; i++) {
    clients.push(
      (async () => {
        const socket = net.connect({ port: gateway.port, host: '127.0.0.1' });
        socket.on('error', () => {});
        socket.on('data', () => {});
        await once(socket, 'connect');
        const { wire } = randomRequest(random, i);
        socket.write(random() < 0.7 ? wire : wire.slice(0, Math.floor(random() * wire.length)), 'latin1');
        for (let turns = Math.floor(random() * 50); turns > 0; turns--) await turn();
        const kind = random();
        if (kind < 0.3) socket.resetAndDestroy();
        else if (kind < 0.6) socket.end();
        else if (kind < 0.8) socket.destroy();
        // Not `once`: it fails for the errors that are expected here.
        if (!socket.closed) await new Promise((resolve) => socket.on('close', resolve));
      })(),
    );
    if (i % 20 === 0) await turn();
  }
  let done = false;
  void Promise.all(clients).then(() => {
    done = true;
  });
  while (!done || gateway.registry.size > 0) {
    gateway.clock.advance(100);
    await turn();
  }
  assert.equal(held, 0);
  assert.equal(gateway.pools.inUse, 0);
  const { idle, all } = gateway.upstreams.counts();
  assert.equal(idle, all, 'connections that nobody uses and nobody keeps');
});
