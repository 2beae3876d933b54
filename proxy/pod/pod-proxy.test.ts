/** What a process from outside sees too seldom: the moments of a swap. The rest is in `test/feature/pod-proxy.test.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { eventually } from '../../kubernetes/testing/eventually.ts';
import { rig } from '../../kubernetes/testing/rig.ts';
import { freePort } from '../../test/support/ports.ts';
import { listener, port, settings, snapshot } from '../../test/support/snapshots.ts';
import { silentLog } from '../telemetry/log.ts';
import { PodProxy } from './pod-proxy.ts';
import { hashed, indexOf, putSecret } from './testing/stored.ts';

const NAME = 'sluice-chat-snapshot';
const GATEWAY = { namespace: 'chat', name: 'chat' };
const OPTIONS = {
  gateway: GATEWAY,
  pod: 'chat-1',
  snapshotSecret: NAME,
  snapshotVolume: '/nowhere',
  shutdownDelayMs: 0,
  address: '127.0.0.1',
  admin: { host: '127.0.0.1', port: 0 },
  random: () => 0.5,
  log: silentLog,
  accessLogOutput: process.stderr,
};

test('a swap takes no readiness away, and is reported when every worker serves it', async (t) => {
  const { server, transport, clock } = await rig(t);
  const pod = new PodProxy({ ...OPTIONS, transport, clock, status: { host: '127.0.0.1', port: 0 } });
  t.after(() => pod.stop());
  const ports = [port(await freePort(), [listener('web')])];
  const stored = [60_000, 61_000].map((tcpKeepAliveMs) =>
    hashed(snapshot({ gateway: GATEWAY, ports, settings: settings({ workers: 2, tcpKeepAliveMs }) })),
  );
  putSecret(server, 'chat', NAME, indexOf(stored[0]!));
  await pod.start();
  await eventually(() => pod.readiness().ready, 'ready');
  assert.equal(pod.report().snapshot, stored[0]!.hash);

  // Again and again, until one was seen in the middle of it.
  const reasons = new Set<string>();
  for (let swap = 1; reasons.size < 2; swap++) {
    assert.ok(swap < 1_000, 'no swap was seen');
    const next = stored[swap % 2]!;
    putSecret(server, 'chat', NAME, indexOf(next));
    while (pod.report().snapshot !== next.hash) {
      const { ready, reason } = pod.readiness();
      assert.ok(ready, reason);
      reasons.add(reason);
      await turn();
    }
  }
  assert.equal(pod.readiness().reason, '2 of 2 workers serve the newest configuration');
});

test('an address that cannot be had is said, and nothing is left behind', async (t) => {
  const { server, transport, clock } = await rig(t);
  const taken = Number(new URL(server.url).port);
  const pod = new PodProxy({ ...OPTIONS, transport, clock, status: { host: '127.0.0.1', port: taken } });
  await assert.rejects(
    pod.start(),
    new RegExp(`^Error: status: port ${taken} is in use by another process$`),
  );
  assert.equal(clock.pending, 0);
});
