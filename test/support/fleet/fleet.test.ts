/** That the fleet notices what it is there to notice. */
import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { closed, listening } from '../listening.ts';
import { until } from '../until.ts';
import { type EchoBackend, startEchoBackend } from './echo.ts';
import { Fleet } from './fleet.ts';
import { complaints, openThrough } from './report.ts';

const CLIENTS = 8;
const MAX_WAIT_MS = 2_000;

describe('the fleet', () => {
  let backend: EchoBackend;
  /** Sits in between and breaks what the test tells it to. */
  let between: Server;
  let betweenPort: number;
  const clients: Socket[] = [];

  before(async () => {
    backend = await startEchoBackend({ host: '127.0.0.1', port: 0, name: 'echo' });
    between = createServer((client) => {
      const target = connect(backend.port, '127.0.0.1');
      clients.push(client);
      client.on('error', () => target.destroy()).pipe(target);
      target.on('error', () => client.destroy()).pipe(client);
    });
    betweenPort = await listening(between);
  });
  after(async () => {
    for (const client of clients) client.destroy();
    await closed(between);
    await backend.close();
  });

  async function startFleet(url: string): Promise<Fleet> {
    clients.length = 0;
    const fleet = new Fleet({ url, clients: CLIENTS, intervalMs: 20 });
    await fleet.open();
    await fleet.moreEchoes();
    return fleet;
  }

  test('has nothing to complain about when all goes well', async () => {
    await using fleet = await startFleet(`ws://127.0.0.1:${betweenPort}/`);
    const report = fleet.report();
    assert.deepEqual(complaints(report, { maxWaitMs: MAX_WAIT_MS }), []);
    assert.deepEqual(openThrough(report), new Map([['127.0.0.1', CLIENTS]]));
    assert.ok(report.links.every(({ backend, echoes }) => backend === 'echo' && echoes >= 2));
    await fleet.close();
    assert.deepEqual(complaints(fleet.report(), { maxWaitMs: MAX_WAIT_MS }), []);
  });

  test('notices a reset and a plain end, and comes back', async () => {
    await using fleet = await startFleet(`ws://127.0.0.1:${betweenPort}/`);
    clients[0]!.resetAndDestroy();
    clients[1]!.destroy();
    await until('two are lost', () => fleet.report().links.filter(({ end }) => end !== null).length === 2);
    await fleet.allOpen();
    const found = complaints(fleet.report(), { maxWaitMs: MAX_WAIT_MS });
    assert.equal(found.length, 2);
    assert.match(found.join('\n'), /lost, though its proxy stays: 1006 \(ECONNRESET\)/);
    const window = { fromMs: 0, toMs: Date.now() };
    const gone = new Map([['127.0.0.1', window]]);
    for (const words of complaints(fleet.report(), { gone, maxWaitMs: MAX_WAIT_MS }))
      assert.match(words, /not told to come back: 1006/);
  });

  test('notices an echo that does not come', async () => {
    await using fleet = await startFleet(`ws://127.0.0.1:${betweenPort}/`);
    clients[0]!.unpipe();
    clients[0]!.pause();
    const found = await until('one waits', () => {
      const words = complaints(fleet.report(), { maxWaitMs: 200 });
      return words.length > 0 ? words : null;
    });
    assert.match(found[0]!, /an echo took \d+ ms, more than 200/);
    clients[0]!.destroy();
  });

  test('notices wrong echoes', async () => {
    const liar = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    liar.on('connection', (socket) => {
      socket.send('127.0.0.1 liar');
      socket.on('message', (data) => {
        socket.send(data);
        if (String(data) === '2') socket.send(data);
      });
    });
    await until('it listens', () => liar.address() !== null);
    const { port } = liar.address() as { port: number };
    await using fleet = await startFleet(`ws://127.0.0.1:${port}/`);
    const [words] = await until('one was doubled', () => {
      const found = complaints(fleet.report(), { maxWaitMs: MAX_WAIT_MS });
      return found.length > 0 ? found : null;
    });
    assert.match(words!, /got 2 where 3 was next/);
    liar.close();
  });

  test('knows who was told to come back in time, and counts attempts that fail', async () => {
    const leaving = await startEchoBackend({ host: '127.0.0.1', port: 0, name: 'leaving' });
    await using fleet = await startFleet(`ws://127.0.0.1:${leaving.port}/`);
    const fromMs = Date.now();
    await leaving.close();
    await until('attempts fail', () => fleet.report().failed.length >= CLIENTS);
    const toMs = Date.now();
    const back = await startEchoBackend({ host: '127.0.0.1', port: leaving.port, name: 'back' });
    await fleet.allOpen();
    const report = fleet.report();
    const within = (window: { fromMs: number; toMs: number }): string[] =>
      complaints(report, { gone: new Map([['127.0.0.1', window]]), maxWaitMs: MAX_WAIT_MS });
    assert.deepEqual(
      within({ fromMs, toMs }).map((words) => words.replace(/\d+/g, 'N')),
      ['N attempts to connect failed: N × ECONNREFUSED'],
    );
    assert.equal(within({ fromMs, toMs: fromMs - 1 }).length, CLIENTS + 1);
    fleet.forget();
    assert.equal(fleet.report().links.length, CLIENTS);
    await fleet.close();
    await back.close();
  });
});
