/**
 * After very many connections, WebSockets and requests mixed and ended in every way, the gateway has as many open
 * files as before and about as much memory. 100,000 in CI, or where `SLUICE_TEST_FULL` is `true`; else a fifth of it.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Gateway } from '../support/gateway.ts';
import { closed, listening } from '../support/listening.ts';
import { freePort } from '../support/ports.ts';
import { RawWebSocket, RawWebSocketServer } from '../support/raw-web-socket.ts';
import { until } from '../support/until.ts';
import { resourcesFor } from '../support/ways.ts';

const FULL = process.env.CI === 'true' || process.env.SLUICE_TEST_FULL === 'true';
const CONNECTIONS = FULL ? 100_000 : 20_000;
const AT_ONCE = 128;
/** One address has too few ports for so many connections in so short a time. */
const CLIENT_ADDRESSES = 32;
const MEGABYTE = 1 << 20;

describe('churn', { skip: !existsSync('/proc/self/fd') && 'open files are counted in /proc' }, () => {
  const backend = new RawWebSocketServer();
  let gateway: Gateway;
  let port: number;

  before(async () => {
    const backendPort = await listening(backend.http);
    port = await freePort();
    const resources = resourcesFor(port, null, [backendPort], {
      gateway: { webSocket: { halfCloseTimeoutSeconds: 1 } },
      pool: { connections: { idleTimeoutSeconds: 1 } },
      rules: { clientConnectionCountRules: [{ type: 'ThrottleByClientIpRule', maxCount: 10_000 }] },
    });
    // Small heaps, or what is merely not yet collected would hide what is never collected.
    gateway = await Gateway.start(resources, {
      NODE_OPTIONS: '--max-old-space-size=64 --max-semi-space-size=2',
    });
  });
  after(async () => {
    await gateway?.stop();
    await closed(backend.http);
  });

  const openFiles = async (): Promise<number> => (await readdir(`/proc/${gateway.process.pid}/fd`)).length;
  const residentBytes = async (): Promise<number> => {
    const status = await readFile(`/proc/${gateway.process.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
  };

  const webSocket = async (i: number): Promise<void> => {
    const socket = new RawWebSocket({ port, target: '/', localAddress: addressOf(i) });
    assert.equal(await socket.answered, 101);
    if (i % 3 === 0) socket.reset();
    else if (i % 3 === 1) socket.finish();
    else socket.close();
    await socket.gone;
  };
  const request = (i: number): Promise<void> =>
    new Promise((resolve, reject) => {
      let answer = '';
      const socket = connect({ host: '127.0.0.1', port, localAddress: addressOf(i) });
      // One third asks the gateway to close, one third closes after the answer, one third does not wait for it.
      socket.write(`GET / HTTP/1.1\r\nHost: test\r\n${i % 3 === 0 ? 'Connection: close\r\n' : ''}\r\n`);
      if (i % 3 === 1) socket.once('connect', () => setImmediate(() => socket.resetAndDestroy()));
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1');
        if (i % 3 === 2 && answer.endsWith('ok')) socket.end();
      });
      socket.on('error', reject);
      socket.on('close', () => {
        if (i % 3 === 1 || answer.startsWith('HTTP/1.1 200')) resolve();
        else reject(new Error(`the answer was ${JSON.stringify(answer)}`));
      });
    });
  const churn = async (connections: number): Promise<void> => {
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < connections) {
        const i = next++;
        await (i % 2 === 0 ? webSocket(i >> 1) : request(i >> 1));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    await until(
      'the gateway has no connection left',
      async () => (await gateway.metric('sluice_connections')) === 0,
    );
  };

  test(`${CONNECTIONS} connections leave nothing behind`, async (t) => {
    // What is made once is made now: code, pooled connections, buffers.
    await churn(1_000);
    await until('connections to the backend are closed', async () => (await connectionsOf(backend)) === 0);
    const idle = await openFiles();
    const started = performance.now();
    await churn(CONNECTIONS / 2);
    const half = await residentBytes();
    await churn(CONNECTIONS / 2);
    const seconds = (performance.now() - started) / 1000;
    await until('as many open files as before', async () => (await openFiles()) <= idle);
    const end = await residentBytes();
    t.diagnostic(`${Math.round(CONNECTIONS / seconds)} connections/s; ${idle} open files when idle`);
    t.diagnostic(
      `resident: ${Math.round(half / MEGABYTE)} MB half way, ${Math.round(end / MEGABYTE)} MB at the end`,
    );
    assert.ok(
      end < half + 20 * MEGABYTE,
      `memory grew from ${half} to ${end} bytes with ${CONNECTIONS / 2} connections`,
    );
    assert.equal(await gateway.metric('sluice_counter_connections'), 0);
    assert.equal(await gateway.metric('sluice_worker_restarts_total'), 0);
  });
});

const addressOf = (i: number): string => `127.0.0.${2 + (i % CLIENT_ADDRESSES)}`;

function connectionsOf({ http }: RawWebSocketServer): Promise<number> {
  return new Promise((resolve, reject) => {
    http.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
  });
}
