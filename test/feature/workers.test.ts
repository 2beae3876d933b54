/** Several data-path workers of one proxy: counts over all of them, and a worker that crashes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { after, before, test } from 'node:test';
import { SignJWT } from 'jose';
import { WebSocket, WebSocketServer } from 'ws';
import { stringify } from 'yaml';
import { compile } from '../../operator/compile/index.ts';
import { loadResources } from '../../operator/resources/index.ts';
import { CounterService } from '../../proxy/counter/counter-service.ts';
import { GatewayProxy } from '../../proxy/gateway-proxy.ts';
import { silentLog } from '../../proxy/telemetry/log.ts';
import { Metrics } from '../../proxy/telemetry/metrics.ts';
import { backendPool, edgeGateway, type Resource, ruleList, secret } from '../support/gateway.ts';
import { closed, listening } from '../support/listening.ts';
import { freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

const KEY = 'a signing key that is long enough for HS256';
const LIMIT = 6;

let backend: Server;
let webSockets: WebSocketServer;
let backendPort = 0;

before(async () => {
  backend = createServer();
  webSockets = new WebSocketServer({ server: backend });
  backendPort = await listening(backend);
});
after(async () => {
  for (const socket of webSockets.clients) socket.terminate();
  await closed(backend);
});

function resources(port: number, maxCount = LIMIT, more: readonly object[] = []): Resource[] {
  return [
    edgeGateway({
      workers: 3,
      listeners: [{ name: 'web', protocol: 'HTTP', port }],
      authentication: {
        jwt: {
          providers: [{ name: 'app', keys: { secretRef: { name: 'key', key: 'key' } } }],
          from: [{ query: 'access_token' }],
        },
      },
      routes: [{ name: 'all', backend: { pool: 'backend' } }],
    }),
    backendPool('backend', { targets: [{ ip: '127.0.0.1', port: backendPort }] }),
    secret('key', { key: KEY }),
    ruleList({
      clientConnectionCountRules: [...(more as []), { type: 'ThrottleByUserIdRule', maxCount }],
    }),
  ];
}

const token = (user: string): Promise<string> =>
  new SignJWT({ sub: user })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(KEY));

async function apply(proxy: GatewayProxy, written: readonly Resource[]): Promise<void> {
  const loaded = loadResources(written.map((resource) => stringify(resource)).join('---\n'), 'test.yaml');
  const { snapshots, diagnostics } = compile({ resources: loaded.resources, now: Date.now() });
  assert.deepEqual(diagnostics, []);
  assert.deepEqual(await proxy.apply(snapshots[0]!), []);
}

async function startProxy(
  written: readonly Resource[],
): Promise<GatewayProxy & { counter: CounterService } & AsyncDisposable> {
  const counter = new CounterService({ metrics: new Metrics() });
  const proxy = new GatewayProxy({
    address: '127.0.0.1',
    affinityKey: new Uint8Array(32),
    log: silentLog,
    counter,
    accessLogOutput: process.stderr,
  });
  await apply(proxy, written);
  return Object.assign(proxy, { counter, [Symbol.asyncDispose]: () => proxy.stop() });
}

/** @returns the open socket, or the status of the refusal */
async function connect(port: number, accessToken: string): Promise<WebSocket | number> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/?access_token=${accessToken}`);
  const { promise, resolve } = Promise.withResolvers<WebSocket | number>();
  socket.on('open', () => resolve(socket));
  socket.on('unexpected-response', (_request, response) => {
    resolve(response.statusCode ?? 0);
    response.destroy();
  });
  socket.on('error', () => resolve(0));
  return promise;
}

const isOpen = (result: WebSocket | number): result is WebSocket => typeof result !== 'number';

test('a limit is exact over all workers', async () => {
  const port = await freePort();
  await using _proxy = await startProxy(resources(port));
  const ada = await token('ada');
  const results = await Promise.all(Array.from({ length: 60 }, () => connect(port, ada)));
  const open = results.filter(isOpen);
  assert.equal(open.length, LIMIT);
  assert.deepEqual(new Set(results.filter((result) => !isOpen(result))), new Set([429]));
  // Another user is not concerned.
  assert.ok(isOpen(await connect(port, await token('grace'))));
});

test('the slots of a worker that crashed come back, the others stay, and the worker is replaced', async () => {
  const port = await freePort();
  await using proxy = await startProxy(resources(port, 30));
  const ada = await token('ada');
  const open = (await Promise.all(Array.from({ length: 30 }, () => connect(port, ada)))).filter(isOpen);
  assert.equal(open.length, 30);
  assert.equal(await connect(port, ada), 429);
  const closedSockets = new Set<WebSocket>();
  for (const socket of open) {
    socket.on('error', () => {});
    socket.on('close', () => closedSockets.add(socket));
  }
  const [crashed] = proxy.supervisor.workerIds();
  await proxy.supervisor.crash(crashed!);
  await until('the worker is replaced', () => {
    const ids = proxy.supervisor.workerIds();
    return ids.length === 3 && !ids.includes(crashed!) && proxy.readiness().ready === 3;
  });
  // What the crash closed is what can be opened again, no more and no less.
  await until(
    'the count is that of open sockets',
    () => proxy.counter.summary(1).connections === 30 - closedSockets.size,
  );
  const results = await Promise.all(Array.from({ length: 40 }, () => connect(port, ada)));
  assert.equal(results.filter(isOpen).length, closedSockets.size);
  assert.ok(closedSockets.size < 30, 'connections of other workers were closed');
});

test('edits keep the count: another rule, another order, a lower maximum', async () => {
  const port = await freePort();
  await using proxy = await startProxy(resources(port));
  const ada = await token('ada');
  const open = (await Promise.all(Array.from({ length: LIMIT }, () => connect(port, ada)))).filter(isOpen);
  assert.equal(open.length, LIMIT);
  await apply(proxy, resources(port, LIMIT, [{ type: 'ThrottleByClientIpRule', maxCount: 100 }]));
  assert.equal(await connect(port, ada), 429);
  await apply(proxy, resources(port, LIMIT - 2));
  assert.equal(open.filter((socket) => socket.readyState === WebSocket.OPEN).length, LIMIT);
  open[0]?.close();
  await once(open[0]!, 'close');
  await until('the slot is given back', () => proxy.counter.summary(1).connections === LIMIT - 1);
  assert.equal(await connect(port, ada), 429);
  await apply(proxy, resources(port, LIMIT));
  assert.ok(isOpen(await connect(port, ada)));
});

test('more workers start at once, fewer take effect at the next start', async () => {
  const port = await freePort();
  await using proxy = await startProxy(resources(port));
  const [gateway, ...rest] = resources(port);
  const spec = (gateway as unknown as { spec: object }).spec;
  const socket = await connect(port, await token('grace'));
  assert.ok(isOpen(socket));
  for (const [workers, running] of [
    [1, 3],
    [4, 4],
  ] as const) {
    await apply(proxy, [{ ...gateway!, spec: { ...spec, workers } } as Resource, ...rest]);
    assert.equal(proxy.supervisor.workerIds().length, running);
    assert.ok(isOpen(await connect(port, await token(`user of ${workers}`))));
  }
  const pong = once(socket, 'pong');
  socket.ping();
  await pong;
});
