/** Several `sluice run --members` on one machine: one count, with the real data path and real clients. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { backendPool, edgeGateway, Gateway, ruleList } from '../../support/gateway.ts';
import { freePort } from '../../support/ports.ts';
import { run } from '../../support/processes.ts';
import { until } from '../../support/until.ts';

const CLI = new URL('../../../cli/main.ts', import.meta.url).pathname;
const MAX = 6;

interface Place {
  readonly gateway: Gateway;
  readonly port: number;
}

async function backend(t: TestContext): Promise<number> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  t.after(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

function members(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'members-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function start(t: TestContext, directory: string, backendPort: number): Promise<Place> {
  const port = await freePort();
  const resources = [
    edgeGateway({
      workers: 2,
      listeners: [{ name: 'web', protocol: 'HTTP', port }],
      routes: [{ name: 'all', backend: { pool: 'backend' } }],
      drain: { timeoutSeconds: 0, jitterSeconds: 0 },
    }),
    backendPool('backend', { targets: [{ ip: '127.0.0.1', port: backendPort }] }),
    ruleList({ clientConnectionCountRules: [{ type: 'ThrottleByClientIpRule', maxCount: MAX }] }),
  ];
  const gateway = await Gateway.start(resources, {}, ['--members', directory]);
  t.after(() => gateway.stop());
  return { gateway, port };
}

/** The open socket, or the status of the refusal. */
async function connect(t: TestContext, { port }: Place): Promise<WebSocket | number> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  t.after(() => socket.terminate());
  socket.on('error', () => {});
  const refused = once(socket, 'unexpected-response').then(([, { statusCode }]) => statusCode as number);
  refused.catch(() => {});
  return Promise.race([once(socket, 'open').then(() => socket), refused]);
}

const isOpen = (outcome: WebSocket | number): outcome is WebSocket => outcome instanceof WebSocket;

/** As many as there is room for, spread over the places. */
async function fill(t: TestContext, places: readonly Place[], count: number): Promise<WebSocket[]> {
  const open: WebSocket[] = [];
  let at = 0;
  await until(`${count} are open`, async () => {
    const outcome = await connect(t, places[at++ % places.length]!);
    if (isOpen(outcome)) open.push(outcome);
    return open.length === count;
  });
  return open;
}

test('a limit holds over three gateways, whichever of them ends, and however', async (t) => {
  const [directory, port] = [members(t), await backend(t)];
  const places = [
    await start(t, directory, port),
    await start(t, directory, port),
    await start(t, directory, port),
  ];
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, (_, n) => connect(t, places[n % places.length]!)),
  );
  const open = outcomes.filter(isOpen);
  assert.equal(open.length, MAX);
  assert(outcomes.every((outcome) => isOpen(outcome) || outcome === 429));
  const counted = await Promise.all(
    places.map(({ gateway }) => gateway.metric('sluice_counter_connections')),
  );
  assert.equal(
    counted.reduce((sum, count) => sum + count),
    MAX,
  );

  // Killed: nobody waits for a lease, since the others see that the process is gone.
  const killed = places.shift()!;
  const closed = open
    .filter((socket) => socket.url.includes(`:${killed.port}/`))
    .map((socket) => once(socket, 'close'));
  killed.gateway.process.signal('SIGKILL');
  await Promise.all(closed);
  await fill(t, places, closed.length);
  for (const place of places) assert.equal(await connect(t, place), 429);

  // Stopped as planned: its clients are told to come again, and find room at the other.
  const stopped = places.shift()!;
  const left = (await stopped.gateway.metric('sluice_counter_connections')) as number;
  await stopped.gateway.process.stop('SIGTERM');
  await fill(t, places, left);
  assert.equal(await connect(t, places[0]!), 429);
  assert.equal(await places[0]!.gateway.metric('sluice_counter_owned_shards'), 4);
});

test('a folder that cannot serve ends the start, in words', async (t) => {
  const directory = members(t);
  chmodSync(directory, 0o777);
  const args = [CLI, 'run', '-f', 'examples/chat', '--members', directory];
  const { code, output } = await run(process.execPath, args);
  assert.equal(code, 1);
  assert.match(output, /found mode 777, expected one that only its owner can write/);
});
