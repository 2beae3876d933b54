import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { eventually, runUntil } from '../../kubernetes/testing/eventually.ts';
import { ManualClock } from '../../kubernetes/testing/manual-clock.ts';
import type { ProxyReport } from '../../proxy/pod/report.ts';
import { ReportFollower } from './report-follower.ts';

const REPORT: ProxyReport = {
  format: 1,
  gateway: { namespace: 'default', name: 'chat' },
  pod: 'chat-1',
  snapshot: null,
  ready: false,
  draining: false,
  problem: null,
  listenFailures: [],
  pools: [],
  ruleLists: [],
};

/** A pod whose report the test writes by hand. */
async function setUp(t: TestContext) {
  const open: ServerResponse[] = [];
  let status = 200;
  const server = createServer((_request, response) => {
    response.writeHead(status);
    response.flushHeaders();
    open.push(response);
    if (status !== 200) response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const clock = new ManualClock();
  let changes = 0;
  const follower = new ReportFollower({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/report`,
    clock,
    random: () => 0.5,
    onChange: () => changes++,
  });
  t.after(() => {
    follower.stop();
    server.closeAllConnections();
    server.close();
  });
  return {
    clock,
    follower,
    open,
    changes: () => changes,
    answer: (next: number) => (status = next),
    say: (report: object | string) =>
      open.at(-1)!.write(`${typeof report === 'string' ? report : JSON.stringify(report)}\n`),
  };
}

test('each new report is told of, and a repeated one is not', async (t) => {
  const { follower, open, say, changes } = await setUp(t);
  await eventually(() => open.length === 1, 'a connection');
  assert.deepEqual([follower.report, follower.problem], [null, null]);
  say(REPORT);
  await eventually(() => follower.report !== null, 'a report');
  say(REPORT);
  say({ ...REPORT, ready: true });
  await eventually(() => follower.report?.ready === true, 'the next report');
  assert.equal(changes(), 2);
});

test('a connection that breaks is opened again; the last report is believed for a while', async (t) => {
  const { clock, follower, open, say } = await setUp(t);
  await eventually(() => open.length === 1, 'a connection');
  say(REPORT);
  await eventually(() => follower.report !== null, 'a report');
  open[0]!.destroy();
  await runUntil(clock, () => open.length === 2, 'a second connection');
  assert.notEqual(follower.report, null);
  say({ ...REPORT, ready: true });
  await eventually(() => follower.report?.ready === true, 'a report on the second connection');
});

test('a pod that does not answer any more has no report, and the reason is said', async (t) => {
  const { clock, follower, open, say, answer } = await setUp(t);
  await eventually(() => open.length === 1, 'a connection');
  say(REPORT);
  await eventually(() => follower.report !== null, 'a report');
  answer(503);
  open[0]!.destroy();
  const tookMs = await runUntil(clock, () => follower.report === null, 'the report is given up');
  assert.ok(tookMs >= 10_000, `given up after ${tookMs} ms`);
  assert.match(follower.problem ?? '', /found status 503, expected 200/);
});

test('a pod that falls silent is asked anew', async (t) => {
  const { clock, open, follower, say } = await setUp(t);
  await eventually(() => open.length === 1, 'a connection');
  say(REPORT);
  await eventually(() => follower.report !== null, 'a report');
  await runUntil(clock, () => open.length === 2, 'a second connection');
});

test('a report of another format, or that is none, is a problem in words', async (t) => {
  const { clock, follower, open, say } = await setUp(t);
  await eventually(() => open.length === 1, 'a connection');
  say({ ...REPORT, format: 2 });
  await runUntil(clock, () => follower.problem !== null, 'a problem');
  assert.match(follower.problem ?? '', /found a report of format 2, expected 1/);
  await runUntil(clock, () => open.length > 1, 'another try');
  say('{');
  await runUntil(clock, () => /JSON/.test(follower.problem ?? ''), 'another problem');
});
