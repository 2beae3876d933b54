import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../test/support/until.ts';
import { type Channel, channelPair } from '../workers/channel.ts';
import { FirewallTotals, TotalsReporter } from './totals.ts';

test('what workers did is added up, and stays when one of them is gone; what it held does not', async () => {
  const totals = new FirewallTotals();
  const workers = [1, 2].map((workerId) => {
    const [worker, main] = channelPair();
    totals.addWorker({ workerId, post: main.post.bind(main), on: main.on.bind(main) });
    return new TotalsReporter({ channel: worker });
  });
  assert.deepEqual(totals.of('default/few'), { connections: 0, rejected: 0, disconnected: 0 });
  for (const [index, worker] of workers.entries()) {
    Object.assign(worker.of('default/few'), { connections: 3, rejected: 10 + index, disconnected: 1 });
    worker.changed('default/few');
  }
  await until('both have told', () => totals.of('default/few').connections === 6);
  assert.deepEqual(totals.of('default/few'), { connections: 6, rejected: 21, disconnected: 2 });
  totals.removeWorker(2);
  assert.deepEqual(totals.of('default/few'), { connections: 3, rejected: 21, disconnected: 2 });
});

test('a thousand changes are one message', async () => {
  const posted: unknown[] = [];
  const channel: Channel = { post: (_, payload) => void posted.push(payload), on: () => {} };
  const reporter = new TotalsReporter({ channel });
  for (let i = 1; i <= 1000; i++) {
    reporter.of('default/few').connections = i;
    reporter.changed('default/few');
  }
  await until('told', () => posted.length > 0);
  assert.deepEqual(posted, [[['default/few', { connections: 1000, rejected: 0, disconnected: 0 }]]]);
});
