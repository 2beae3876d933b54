/** `sluice run` as a process: gateways that come and go, signals in every phase, and standard streams that close. */
import assert from 'node:assert/strict';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { stringify } from 'yaml';
import { backendPool, edgeGateway, Gateway, type Resource, ruleList } from '../support/gateway.ts';
import { closed, listening } from '../support/listening.ts';
import { freePort } from '../support/ports.ts';
import { run, startProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';

const CLI = new URL('../../cli/main.ts', import.meta.url).pathname;

let backend: Server;
let webSockets: WebSocketServer;
let backendPort = 0;

before(async () => {
  backend = createServer((request, response) => response.end(`backend ${request.url}`));
  webSockets = new WebSocketServer({ server: backend });
  backendPort = await listening(backend);
});
after(async () => {
  for (const socket of webSockets.clients) socket.terminate();
  await closed(backend);
});

const gatewayOn = (port: number, name = 'test', spec: object = {}): Resource =>
  edgeGateway(
    {
      workers: 1,
      listeners: [{ name: 'web', protocol: 'HTTP', port }],
      routes: [{ name: 'all', backend: { pool: 'backend' } }],
      drain: { timeoutSeconds: 3600, jitterSeconds: 0 },
      ...spec,
    },
    name,
  );
const pool = (): Resource => backendPool('backend', { targets: [{ ip: '127.0.0.1', port: backendPort }] });

async function open(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  await once(socket, 'open');
  socket.on('error', () => {});
  return socket;
}

/** The status of a refused WebSocket, or 101. */
async function attempt(port: number): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  socket.on('error', () => {});
  const { promise, resolve } = Promise.withResolvers<number>();
  socket.on('open', () => resolve(101));
  socket.on('unexpected-response', (_request, response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
  });
  const status = await promise;
  socket.terminate();
  return status;
}

async function connections(gateway: Gateway): Promise<{ total: number; counted: number }> {
  const answer = (await (await fetch(`${gateway.adminUrl}/connections`)).json()) as {
    total: number;
    counted: { connections: number };
  };
  return { total: answer.total, counted: answer.counted.connections };
}

describe('a gateway that is removed', () => {
  test('shows its connections while it drains, and they count when it is put back at once', async () => {
    const [port, other] = [await freePort(), await freePort()];
    const limit = ruleList({ clientConnectionCountRules: [{ type: 'ThrottleByClientIpRule', maxCount: 1 }] });
    const rest = [pool(), limit, gatewayOn(other, 'other')];
    await using gateway = await Gateway.start([gatewayOn(port), ...rest]);
    const socket = await open(port);
    await gateway.apply(rest);
    await until('its port is closed', () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        () => false,
        () => true,
      ),
    );
    assert.deepEqual(await connections(gateway), { total: 1, counted: 1 });
    assert.equal(await gateway.metric('sluice_websockets'), 1);
    await gateway.apply([gatewayOn(port), ...rest]);
    await until('it is served again', () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        (response) => response.ok,
        () => false,
      ),
    );
    assert.equal(await attempt(port), 429);
    // Both gateways use the pool, and each has its own view of it.
    assert.equal(await gateway.metric('sluice_pool_endpoints'), 3);
    socket.terminate();
    await until('its series go with it', async () => (await gateway.metric('sluice_pool_endpoints')) === 2);
    await until('the place is free', async () => (await connections(gateway)).counted === 0);
    assert.equal(await attempt(port), 101);
  });

  test('does not hold up the second SIGTERM', async () => {
    const [port, other] = [await freePort(), await freePort()];
    await using gateway = await Gateway.start([gatewayOn(port), gatewayOn(other, 'other'), pool()]);
    const socket = await open(port);
    await gateway.apply([gatewayOn(other, 'other'), pool()]);
    await until('its port is closed', () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        () => false,
        () => true,
      ),
    );
    gateway.process.signal('SIGTERM');
    await until('it drains', () => gateway.process.output.includes('draining; once more'));
    assert.equal(socket.readyState, WebSocket.OPEN);
    gateway.process.signal('SIGTERM');
    assert.deepEqual(await gateway.process.exited, { code: 0, signal: null });
  });
});

test('the counts of two gateways that one rule list names are one count', async () => {
  const [port, other] = [await freePort(), await freePort()];
  const limit = {
    ...ruleList({}),
    spec: {
      targetRefs: ['test', 'other'].map((name) => ({ group: 'sluice.dev', kind: 'EdgeGateway', name })),
      clientConnectionCountRules: [{ type: 'ThrottleByClientIpRule', maxCount: 1 }],
    },
  };
  await using gateway = await Gateway.start([gatewayOn(port), gatewayOn(other, 'other'), pool(), limit]);
  const socket = await open(port);
  assert.equal(await attempt(other), 429);
  assert.equal(await gateway.metric('sluice_counter_connections'), 1);
  socket.terminate();
});

test('SIGTERM during the start ends it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  try {
    const resources = [gatewayOn(await freePort(), 'a'), gatewayOn(await freePort(), 'b'), pool()];
    await writeFile(join(folder, 'gateway.yaml'), resources.map((one) => stringify(one)).join('---\n'));
    const admin = `127.0.0.1:${await freePort()}`;
    await using process_ = await startProcess({
      command: process.execPath,
      args: [CLI, 'run', '-f', folder, '--admin', admin],
      ready: async () => (await fetch(`http://${admin}/healthz`)).ok,
    });
    process_.signal('SIGTERM');
    assert.deepEqual(await process_.exited, { code: 0, signal: null });
    assert.doesNotMatch(process_.output, /listener web|admin:/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('an address to bind that is none is wrong usage, also an empty one, which would open every address', async () => {
  for (const address of ['', 'nowhere.example', '127.0.0.1:80']) {
    const result = await run(process.execPath, [CLI, 'run', '-f', '/dev/null', '--address', address]);
    assert.equal(result.code, 2, address);
    assert.match(result.output, /Expected an IP address such as 127\.0\.0\.1 or ::/);
  }
});

for (const stream of ['stdout', 'stderr'] as const) {
  test(`traffic goes on when nobody reads ${stream} any more`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
    const port = await freePort();
    const admin = `127.0.0.1:${await freePort()}`;
    const resources = [gatewayOn(port, 'test', { accessLog: { mode: 'All' } }), pool()];
    const file = join(folder, 'gateway.yaml');
    await writeFile(file, resources.map((one) => stringify(one)).join('---\n'));
    const child = spawn(process.execPath, [CLI, 'run', '-f', folder, '--admin', admin]);
    const exited = once(child, 'exit');
    child.stdout.resume();
    child.stderr.resume();
    const get = (url: string): Promise<string | null> =>
      fetch(url).then(
        (response) => (response.ok ? response.text() : null),
        () => null,
      );
    try {
      await until('it is ready', () => get(`http://${admin}/readyz`));
      child[stream].destroy();
      await until('the loss is counted, or the error logged', async () => {
        await get(`http://127.0.0.1:${port}/`);
        await writeFile(file, `kind: [ # ${performance.now()}`);
        const metrics = (await get(`http://${admin}/metrics`)) ?? '';
        if (stream === 'stderr') return /sluice_config_reloads_total\{result="errors"\} [2-9]/.test(metrics);
        return /sluice_access_log_dropped_bytes_total [1-9]/.test(metrics);
      });
      assert.equal(await get(`http://127.0.0.1:${port}/x`), 'backend /x');
      assert.equal(child.exitCode, null);
    } finally {
      child.kill('SIGTERM');
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true });
    }
  });
}

describe('started by a program with a channel to it', () => {
  const start = async (): Promise<ReturnType<typeof fork>> => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-test-'));
    const resources = [gatewayOn(await freePort()), pool()];
    await writeFile(join(folder, 'gateway.yaml'), resources.map((one) => stringify(one)).join('---\n'));
    const admin = `127.0.0.1:${await freePort()}`;
    const child = fork(CLI, ['run', '-f', folder, '--admin', admin], { stdio: 'ignore' });
    child.once('exit', () => void rm(folder, { recursive: true, force: true }));
    await until('it serves', async () => (await fetch(`http://${admin}/readyz`).catch(() => null))?.ok);
    return child;
  };

  test('it ends when it is told to', async () => {
    const child = await start();
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  test('it ends when the channel does', async () => {
    const child = await start();
    child.disconnect();
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});
