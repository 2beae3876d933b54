import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../../test/support/until.ts';
import type { RuleList } from '../config/snapshot.ts';
import { CounterClient } from '../counter/counter-client.ts';
import { CounterService } from '../counter/counter-service.ts';
import { silentLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { channelPair } from '../workers/channel.ts';
import { Firewall } from './firewall.ts';
import { describeKey } from './key.ts';
import { FirewallTotals, TotalsReporter } from './totals.ts';

const MAX_COUNT = 20;
const LIST: RuleList = {
  id: 'default/per-user',
  mode: 'Enforce',
  failurePolicy: 'Closed',
  countRequests: false,
  retryAfterSeconds: 1,
  countRules: [
    { type: 'ThrottleByClientIpRule', name: 'ip', claimName: null, maxCount: 100_000 },
    { type: 'ThrottleByUserIdRule', name: 'user', claimName: null, maxCount: MAX_COUNT },
  ],
  trafficRules: [],
  maxLifetimeMs: 0,
};

const alice = {
  identity: { userId: 'alice', signatureDigest: 's', claim: () => undefined },
  clientAddress: '192.0.2.1',
};

test('1,000 clients of one user again and again over four workers, leaving while pending and open, through reloads', async () => {
  const service = new CounterService({ metrics: new Metrics() });
  const totals = new FirewallTotals();
  const workers = [1, 2, 3, 4].map((workerId) => {
    const [worker, main] = channelPair();
    const there = { workerId, post: main.post.bind(main), on: main.on.bind(main) };
    service.addWorker(there);
    totals.addWorker(there);
    const firewall = new Firewall({
      counter: new CounterClient({ channel: worker }),
      metrics: new Metrics(),
      totals: new TotalsReporter({ channel: worker }),
      log: silentLog,
    });
    firewall.apply([LIST]);
    return firewall;
  });
  let open = 0;
  let admitted = 0;
  let rejected = 0;
  const clientOf = async (firewall: Firewall, n: number) => {
    const admission = await firewall.admit([LIST.id], 'connection', alice);
    if (!admission.admitted) {
      assert.equal(admission.rule, 'user');
      rejected++;
      return;
    }
    const left = n % 7 === 0;
    if (!left) {
      admitted++;
      open++;
      assert(open <= MAX_COUNT, `${open} are open`);
      for (let i = 0; i < n % 3; i++) await new Promise((resolve) => setImmediate(resolve));
      open--;
    }
    admission.release();
    if (n % 2 === 0) admission.release();
  };
  for (let round = 0; round < 10; round++) {
    const clients = Array.from({ length: 1000 }, (_, n) => clientOf(workers[n % 4]!, n + round));
    if (round % 3 === 0) for (const firewall of workers) firewall.apply([structuredClone(LIST)]);
    await Promise.all(clients);
  }
  assert(admitted >= 10 * (MAX_COUNT / 2), `${admitted} were admitted`);
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(service.summary(3), { connections: 0, keys: 0, top: [] });

  const last = await workers[0]!.admit([LIST.id], 'connection', alice);
  assert(last.admitted);
  const held = service.summary(3).top.map(({ key, count }) => [describeKey(key).value, count]);
  assert.deepEqual(held.sort(), [
    ['192.0.2.1', 1],
    ['alice', 1],
  ]);
  await until('the totals are known', () => totals.of(LIST.id).rejected === rejected);
  assert.deepEqual(totals.of(LIST.id), { connections: 1, rejected, disconnected: 0 });
});
