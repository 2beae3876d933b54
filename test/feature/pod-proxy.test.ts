/** `sluice proxy` as a process: what it does when its snapshot, its endpoints and its API server come and go. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { SignJWT } from 'jose';
import { WebSocket, WebSocketServer } from 'ws';
import { storeSnapshot } from '../../proxy/config/stored-snapshot.ts';
import { ENDPOINT_SLICES } from '../../proxy/pod/slices.ts';
import { endpointSlice } from '../../proxy/pod/testing/slices.ts';
import { indexOf, putSecret } from '../../proxy/pod/testing/stored.ts';
import { backendPool, edgeGateway, type Resource, ruleList, secret } from '../support/gateway.ts';
import { closed, listening } from '../support/listening.ts';
import { POD, Pod, SNAPSHOT_SECRET, snapshotOf } from '../support/pod-proxy.ts';
import { accepts, freePort } from '../support/ports.ts';
import { until } from '../support/until.ts';

const KEY = 'a signing key that is long enough for HS256';

interface Backend {
  readonly server: Server;
  readonly port: number;
}

const backends: Backend[] = [];

before(async () => {
  for (const name of ['first', 'second']) {
    const server = createServer((_request, response) => response.end(name));
    new WebSocketServer({ server }).on('connection', (socket) => {
      socket.on('message', (data) => socket.send(`${name} ${String(data)}`));
    });
    backends.push({ server, port: await listening(server) });
  }
});
after(async () => {
  for (const { server } of backends) await closed(server);
});

type GatewaySpec = Parameters<typeof edgeGateway>[0];
type PoolSpec = Parameters<typeof backendPool>[1];

function resources(
  port: number,
  gateway: Partial<GatewaySpec> = {},
  pool: Partial<PoolSpec> = {},
): Resource[] {
  return [
    edgeGateway({
      workers: 2,
      listeners: [{ name: 'web', protocol: 'HTTP', port }],
      routes: [{ name: 'all', backend: { pool: 'backend' } }],
      drain: { timeoutSeconds: 0, jitterSeconds: 0 },
      ...gateway,
    }),
    backendPool('backend', { targets: [{ ip: '127.0.0.1', port: backends[0]!.port }], ...pool }),
  ];
}

const onService: Partial<PoolSpec> = {
  targets: [{ serviceRef: { name: 'web', port: 80 } }],
  drain: { timeoutSeconds: 0, jitterSeconds: 0 },
};

/** A slice with one backend. */
function slice(index: number, conditions = {}) {
  const { port } = backends[index]!;
  return {
    ...endpointSlice(
      'web',
      { '127.0.0.1': conditions },
      { name: `web-${index}`, namespace: 'default', ports: [{ name: '', port }] },
    ),
  };
}

async function open(port: number, query = ''): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/${query}`);
  socket.on('error', () => {});
  await once(socket, 'open');
  return socket;
}

async function echo(socket: WebSocket, text: string): Promise<string> {
  const answer = once(socket, 'message');
  socket.send(text);
  return String((await answer)[0]);
}

const body = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/`)).text();

async function problems(pod: Pod): Promise<string> {
  const answer = (await (await fetch(`${pod.adminUrl}/config`)).json()) as { problems: { text: string }[] };
  return answer.problems.map(({ text }) => text).join('\n');
}

describe('the snapshot', () => {
  test('is read from its Secret, and followed under open WebSockets', async () => {
    const [port, other] = [await freePort(), await freePort()];
    const first = snapshotOf(resources(port));
    await using pod = await Pod.start(first);
    using reader = pod.follow();
    await pod.ready();
    assert.equal(await body(port), 'first');
    const socket = await open(port);
    assert.equal((await reader.until('it serves the first', ({ ready }) => ready)).snapshot, first.hash);

    const second = snapshotOf(
      resources(port, {
        listeners: [
          { name: 'web', protocol: 'HTTP', port },
          { name: 'other', protocol: 'HTTP', port: other },
        ],
      }),
    );
    pod.store(second);
    const report = await reader.until('it serves the second', ({ snapshot }) => snapshot === second.hash);
    assert.equal(report.ready, true);
    assert.equal(await body(other), 'first');
    assert.equal(await echo(socket, 'still here'), 'first still here');
    assert.ok(
      reader.reports.every(({ snapshot, ready }) => ready === (snapshot !== null)),
      'a swap takes no readiness away',
    );
    const fingerprint = Number.parseInt(second.hash.slice(0, 12), 16);
    assert.match(await pod.metrics(), new RegExp(`^sluice_snapshot_fingerprint ${fingerprint}$`, 'm'));
    socket.terminate();
  });

  test('that is broken leaves the last good one in force, and that is said', async () => {
    const port = await freePort();
    const good = snapshotOf(resources(port));
    await using pod = await Pod.start(good);
    using reader = pod.follow();
    await pod.ready();
    putSecret(pod.server, 'default', SNAPSHOT_SECRET, {
      ...indexOf(snapshotOf(resources(port, { workers: 1 }))),
      'snapshot.gz': Buffer.from('{"key": "private"}'),
    });
    const report = await reader.until('it is said', ({ problem }) => problem !== null);
    assert.match(report.problem ?? '', /damaged compression/);
    assert.deepEqual([report.snapshot, report.ready], [good.hash, true]);
    assert.equal(await body(port), 'first');
    assert.match(await problems(pod), /damaged compression/);
    assert.match(await pod.metrics(), /^sluice_config_last_reload_successful 0$/m);
    assert.ok(!pod.process.output.includes('private'));

    pod.store(good);
    await reader.until('it heals', ({ problem }) => problem === null);
    assert.equal(await problems(pod), '');
  });

  test('may be in parts, written before the index', async () => {
    const port = await freePort();
    const [first, second] = [snapshotOf(resources(port)), snapshotOf(resources(port, { workers: 3 }))];
    await using pod = await Pod.start(null);
    using reader = pod.follow();
    await reader.until('it waits', ({ problem }) => /there is no Secret/.test(problem ?? ''));
    assert.deepEqual(await pod.readiness(), {
      status: 503,
      text: `there is no Secret default/${SNAPSHOT_SECRET} yet\n`,
    });
    for (const [snapshot, previousSlot] of [
      [first, null],
      [second, 'a'],
    ] as const) {
      const { index, parts } = storeSnapshot(snapshot, { previousSlot, maxSecretBytes: 300 });
      for (const { suffix, data } of parts)
        putSecret(pod.server, 'default', `${SNAPSHOT_SECRET}-${suffix}`, data);
      putSecret(pod.server, 'default', SNAPSHOT_SECRET, index);
      await reader.until('it is served', (report) => report.snapshot === snapshot.hash);
    }
    assert.equal(await body(port), 'first');
  });

  test('comes from the volume while the API server is away, and is followed once it is back', async () => {
    const port = await freePort();
    const [mounted, newest] = [snapshotOf(resources(port)), snapshotOf(resources(port, { workers: 3 }))];
    await using pod = await Pod.start(newest, { serverIsAway: true, volume: indexOf(mounted) });
    using reader = pod.follow();
    await reader.until('it serves', ({ snapshot, ready }) => ready && snapshot === mounted.hash);
    assert.equal(await body(port), 'first');
    const socket = await open(port);
    await pod.server.start();
    await reader.until('it serves the newest', ({ snapshot }) => snapshot === newest.hash);
    assert.equal(await echo(socket, 'still here'), 'first still here');
    socket.terminate();
  });

  test('stays in force while the API server is away, and watches are resumed', async () => {
    const port = await freePort();
    await using pod = await Pod.start(snapshotOf(resources(port)));
    using reader = pod.follow();
    await pod.ready();
    const socket = await open(port);
    await pod.server.stop();
    await until('it notices', async () =>
      /^sluice_watch_failures_total\{watch="snapshot"\} [1-9]/m.test(await pod.metrics()),
    );
    assert.equal((await pod.readiness()).status, 200);
    assert.equal(await body(port), 'first');
    const next = snapshotOf(resources(port, { workers: 3 }));
    pod.store(next);
    await pod.server.start();
    await reader.until('it follows', ({ snapshot }) => snapshot === next.hash);
    assert.equal(await echo(socket, 'still here'), 'first still here');
    socket.terminate();
  });
});

describe('endpoints of a Service', () => {
  test('come and go: what is gone is drained, what is not ready merely rests', async () => {
    const port = await freePort();
    await using pod = await Pod.start(null);
    const put = (index: number, conditions = {}) => pod.server.put(ENDPOINT_SLICES, slice(index, conditions));
    put(0);
    pod.store(snapshotOf(resources(port, {}, onService)));
    using reader = pod.follow();
    await pod.ready();
    const socket = await open(port);
    assert.equal(await echo(socket, 'a'), 'first a');

    put(1);
    const both = await reader.until('two endpoints', ({ pools }) => pools[0]?.healthy === 2);
    assert.deepEqual(both.pools, [{ id: 'default/backend', healthy: 2, total: 2, problem: null }]);
    await until('both answer', async () => (await body(port)) === 'second');

    put(0, { ready: false, serving: false });
    const resting = await reader.until('one is not ready', ({ pools }) => pools[0]?.healthy === 1);
    assert.deepEqual(resting.pools[0], {
      id: 'default/backend',
      healthy: 1,
      total: 2,
      problem: 'it is not ready',
    });
    await until('the other gets all', async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, () => body(port)));
      return answers.every((answer) => answer === 'second');
    });
    assert.equal(await echo(socket, 'b'), 'first b');

    const close = once(socket, 'close');
    put(0, { ready: false, serving: true, terminating: true });
    assert.equal((await close)[0], 1012);
    pod.server.delete(ENDPOINT_SLICES, 'default', 'web-0');
    pod.server.delete(ENDPOINT_SLICES, 'default', 'web-1');
    const none = await reader.until('none is left', ({ pools }) => pools[0]?.total === 0);
    assert.match(none.pools[0]?.problem ?? '', /no EndpointSlices of Service default\/web/);
    assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 503);
    assert.equal((await pod.readiness()).status, 200, 'a pool that is down is not the pod');
  });

  test('are known before the pod is ready', async () => {
    const port = await freePort();
    const listed = Promise.withResolvers<void>();
    await using pod = await Pod.start(null);
    pod.server.put(ENDPOINT_SLICES, slice(0));
    pod.server.fault = ({ path }) =>
      path.includes('endpointslices') ? { kind: 'delay', until: listed.promise } : undefined;
    pod.store(snapshotOf(resources(port, {}, onService)));
    await until('they are asked for', () =>
      pod.server.requests.some(({ path }) => /endpointslices/.test(path)),
    );
    assert.equal((await pod.readiness()).status, 503);
    listed.resolve();
    await pod.ready();
    assert.equal(await body(port), 'first');
  });
});

describe('the order to stop', () => {
  const long = { drain: { timeoutSeconds: 3600, jitterSeconds: 0 } };

  test('takes readiness away at once, and drains when nobody sends anything any more', async () => {
    const port = await freePort();
    await using pod = await Pod.start(snapshotOf(resources(port)), { shutdownDelaySeconds: 2 });
    using reader = pod.follow();
    await pod.ready();
    const socket = await open(port);
    const close = once(socket, 'close');
    pod.process.signal('SIGTERM');
    const report = await reader.until('it is said', ({ draining }) => draining);
    assert.equal(report.ready, false);
    assert.deepEqual(await pod.readiness(), { status: 503, text: 'draining\n' });
    assert.equal(await body(port), 'first', 'connections are accepted on');
    assert.equal(await echo(socket, 'and kept'), 'first and kept');
    assert.equal((await close)[0], 1012);
    assert.equal(await accepts(port), false);
    assert.deepEqual(await pod.process.exited, { code: 0, signal: null });
    await until('the report ends', () => reader.ended);
  });

  test('given twice ends at once, while it waits', async () => {
    const port = await freePort();
    await using pod = await Pod.start(snapshotOf(resources(port, long)), { shutdownDelaySeconds: 3600 });
    await pod.ready();
    await open(port);
    pod.process.signal('SIGTERM');
    await until('it drains', async () => (await pod.readiness()).text === 'draining\n');
    pod.process.signal('SIGTERM');
    assert.deepEqual(await pod.process.exited, { code: 0, signal: null });
  });

  test('given twice ends at once, while it drains', async () => {
    const port = await freePort();
    await using pod = await Pod.start(snapshotOf(resources(port, long)));
    await pod.ready();
    const socket = await open(port);
    pod.process.signal('SIGTERM');
    await until('its port is closed', async () => !(await accepts(port)));
    assert.equal(socket.readyState, WebSocket.OPEN);
    assert.equal((await pod.readiness()).status, 503, 'the status port is still there');
    pod.process.signal('SIGTERM');
    assert.deepEqual(await pod.process.exited, { code: 0, signal: null });
  });

  test('does not wait where nothing was ever served', async () => {
    await using pod = await Pod.start(null, { shutdownDelaySeconds: 3600 });
    pod.process.signal('SIGTERM');
    assert.deepEqual(await pod.process.exited, { code: 0, signal: null });
  });
});

test('what the pod shows and says: numbers to the cluster, users on loopback alone', async () => {
  const [port, taken] = [await freePort(), createServer()];
  const takenPort = await listening(taken);
  const jwt = {
    providers: [{ name: 'app', keys: { secretRef: { name: 'key', key: 'key' } } }],
    from: [{ query: 'access_token' }],
  };
  const listeners: GatewaySpec['listeners'] = [
    { name: 'web', protocol: 'HTTP', port },
    { name: 'taken', protocol: 'HTTP', port: takenPort },
  ];
  const snapshot = snapshotOf([
    ...resources(port, { listeners, authentication: { jwt }, accessLog: { mode: 'All' } }),
    secret('key', { key: KEY }),
    ruleList({
      clientConnectionCountRules: [{ type: 'ThrottleByUserIdRule', maxCount: 2 }],
      maxClientConnectionLifetimeInSeconds: 3600,
    }),
  ]);
  await using pod = await Pod.start(snapshot);
  using reader = pod.follow();
  await pod.ready();
  const token = await new SignJWT({ sub: 'user-ada' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(KEY));
  const sockets = [await open(port, `?access_token=${token}`), await open(port, `?access_token=${token}`)];
  const refused = new WebSocket(`ws://127.0.0.1:${port}/?access_token=${token}`);
  refused.on('error', () => {});
  const [, answer] = await once(refused, 'unexpected-response');
  assert.equal(answer.statusCode, 429);

  const report = await reader.until(
    'totals',
    ({ ruleLists }) => ruleLists[0]?.connections === 2 && ruleLists[0]?.rejected === 1,
  );
  assert.deepEqual(report, {
    format: 1,
    gateway: { namespace: 'default', name: 'test' },
    pod: POD,
    snapshot: snapshot.hash,
    ready: true,
    draining: false,
    problem: null,
    listenFailures: [
      { port: takenPort, listeners: ['taken'], message: `port ${takenPort} is in use by another process` },
    ],
    pools: [{ id: 'default/backend', healthy: 1, total: 1, problem: null }],
    ruleLists: [{ id: 'default/rules', connections: 2, rejected: 1, disconnected: 0 }],
  });
  const metrics = await pod.metrics();
  for (const text of [JSON.stringify(reader.reports), metrics]) assert.doesNotMatch(text, /user-ada|eyJ/);
  const connections = await (await fetch(`${pod.adminUrl}/connections`)).text();
  assert.match(connections, /user-ada/);
  for (const path of ['/connections', '/config', '/pools', '/'])
    assert.equal((await fetch(pod.statusUrl + path)).status, 404, path);
  assert.match(await problems(pod), /listener taken: port \d+ is in use/);

  sockets[0]!.close();
  await until('the access log has it', () =>
    pod
      .lines()
      .some(({ log, status, userId }) => log === 'access' && status === 101 && userId === 'user-ada'),
  );
  assert.ok(
    pod.lines().some(({ level, msg }) => level === 30 && msg === 'serving'),
    'the log is JSON',
  );
  sockets[1]!.terminate();
  await closed(taken);
});
