import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { type TestContext, test } from 'node:test';
import { eventually, runUntil } from '../../kubernetes/testing/eventually.ts';
import { ManualClock } from '../../kubernetes/testing/manual-clock.ts';
import { until } from '../../test/support/until.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { ProxyReport } from './report.ts';
import { MAX_READERS, ReportFeed } from './report-feed.ts';
import { StatusServer } from './status-server.ts';

const REPORT: ProxyReport = {
  format: 1,
  gateway: { namespace: 'chat', name: 'chat' },
  pod: 'chat-1',
  snapshot: null,
  ready: false,
  draining: false,
  problem: null,
  listenFailures: [],
  pools: [],
  ruleLists: [],
};

async function setup(t: TestContext) {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const state = { report: REPORT, asked: 0 };
  const feed = new ReportFeed({
    clock,
    metrics,
    report: () => {
      state.asked++;
      return state.report;
    },
  });
  const health = { readiness: () => ({ ready: true, reason: 'fine' }), metrics: async () => '' };
  const server = new StatusServer(health, feed);
  const { port } = await server.listen('127.0.0.1', 0);
  t.after(() => server.close());
  const open = (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) =>
      get({ port, host: '127.0.0.1', path: '/report', agent: false }, resolve).on('error', reject),
    );
  const read = async () => {
    const response = await open();
    const lines: ProxyReport[] = [];
    let rest = '';
    response.on('error', () => {});
    response.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) lines.push(JSON.parse(line) as ProxyReport);
    });
    return { response, lines };
  };
  const metric = (name: string) => metrics.report().find((family) => family.name === name)?.series[0]?.value;
  return { clock, state, feed, port, open, read, metric };
}

test('a reader is told what holds, each change within a second, and again as a sign of life', async (t) => {
  const { clock, state, read } = await setup(t);
  const { response, lines } = await read();
  assert.equal(response.headers['content-type'], 'application/x-ndjson');
  await eventually(() => lines.length === 1, 'at once');
  assert.deepEqual(lines[0], REPORT);
  state.report = { ...REPORT, ready: true };
  clock.advance(999);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(lines.length, 1);
  clock.advance(1);
  await eventually(() => lines.length === 2, 'the change');
  assert.deepEqual(lines[1], state.report);
  clock.advance(9_000);
  clock.advance(1_000);
  await eventually(() => lines.length === 3, 'a sign of life after 10 s');
  assert.deepEqual(lines[2], state.report);
});

test('what is to be told at once is, to all', async (t) => {
  const { state, feed, read } = await setup(t);
  const readers = [await read(), await read()];
  await eventually(() => readers.every(({ lines }) => lines.length === 1), 'both know');
  state.report = { ...REPORT, snapshot: 'abc' };
  feed.changed();
  feed.changed();
  await eventually(() => readers.every(({ lines }) => lines.at(-1)?.snapshot === 'abc'), 'both know');
  assert.deepEqual(
    readers.map(({ lines }) => lines.length),
    [2, 2],
  );
});

test('one that comes later is told what holds by then, and so are the others', async (t) => {
  const { state, read } = await setup(t);
  const first = await read();
  await eventually(() => first.lines.length === 1, 'the first knows');
  state.report = { ...REPORT, ready: true };
  const second = await read();
  await eventually(() => second.lines.length === 1 && first.lines.length === 2, 'both know');
  const third = await read();
  await eventually(() => third.lines.length === 1, 'the third knows');
  assert.deepEqual([first.lines.length, second.lines.length], [2, 1]);
});

test('nothing is looked at while nobody reads', async (t) => {
  const { clock, state, feed, read, metric } = await setup(t);
  const { response } = await read();
  assert.equal(metric('sluice_report_readers'), 1);
  response.destroy();
  await eventually(() => metric('sluice_report_readers') === 0, 'gone');
  clock.advance(1_000);
  const { asked } = state;
  clock.advance(60_000);
  feed.changed();
  assert.equal(state.asked, asked);
  assert.equal(clock.pending, 0);
  const again = await read();
  state.report = { ...REPORT, ready: true };
  await runUntil(clock, () => again.lines.at(-1)?.ready === true, 'followed again');
});

test('there is room for so many readers', async (t) => {
  const { open } = await setup(t);
  const readers = await Promise.all(Array.from({ length: MAX_READERS }, open));
  assert.ok(readers.every(({ statusCode }) => statusCode === 200));
  const refused = await open();
  assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [503, '10']);
  refused.resume();
  readers[0]?.destroy();
  await until('there is room again', async () => (await open()).statusCode === 200);
});

test('a reader that does not read costs one line, holds up nobody, and is dropped after a while', async (t) => {
  const { clock, state, open, read, metric } = await setup(t);
  const large = (n: number): ProxyReport => ({ ...REPORT, problem: `${n} ${'x'.repeat(4 << 20)}` });
  state.report = large(0);
  const slow = await open();
  slow.pause();
  const ended = new Promise((resolve) => slow.on('close', resolve));
  slow.on('error', () => {});
  const { lines } = await read();
  for (let n = 1; n <= 5; n++) {
    state.report = large(n);
    clock.advance(1_000);
    await eventually(() => lines.at(-1)?.problem === state.report.problem, `line ${n}`);
  }
  assert.equal(metric('sluice_report_readers_dropped_total'), 0);
  for (let second = 0; second < 30; second++) clock.advance(1_000);
  assert.equal(metric('sluice_report_readers_dropped_total'), 1);
  slow.resume();
  await ended;
});

test('a slow reader that comes round gets the newest', async (t) => {
  const { clock, state, feed, open } = await setup(t);
  state.report = { ...REPORT, problem: 'x'.repeat(4 << 20) };
  const slow = await open();
  slow.pause();
  for (const ready of [true, false, true]) {
    state.report = { ...REPORT, ready };
    clock.advance(1_000);
  }
  let text = '';
  slow.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  slow.resume();
  await eventually(() => text.split('\n').length === 3, 'two lines');
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ProxyReport);
  assert.deepEqual(
    lines.map(({ ready }) => ready),
    [false, true],
  );
  feed.close();
  await new Promise((resolve) => slow.on('end', resolve));
});
