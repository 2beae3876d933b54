import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import tls from 'node:tls';
import { TestAuthority } from '../../test/support/certificates.ts';
import { freePort } from '../../test/support/ports.ts';
import { listener, port, settings, snapshot } from '../../test/support/snapshots.ts';
import { Reader } from '../../test/support/sockets.ts';
import type { Certificate, Listener, ListenerTls, Snapshot } from '../config/snapshot.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { ConnectionLimit } from './connection-limit.ts';
import { type Arrival, Listeners, type ListenersOptions } from './listeners.ts';

const ca = await TestAuthority.create();
const otherCa = await TestAuthority.create('Other CA');

interface Setup {
  readonly listeners: Listeners;
  readonly metrics: Metrics;
  readonly arrivals: Arrival[];
  readonly sockets: Socket[];
}

/** Every connection is greeted with the server name and echoed after that. */
function setUp(t: TestContext, options: Partial<ListenersOptions> = {}): Setup {
  const metrics = new Metrics();
  const arrivals: Arrival[] = [];
  const sockets: Socket[] = [];
  const listeners = new Listeners({
    address: '127.0.0.1',
    reusePort: false,
    ticketKeys: randomBytes(48),
    metrics,
    accept: (socket, arrival) => {
      arrivals.push(arrival);
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write(`${arrival.sni ?? 'cleartext'}\n`);
      socket.pipe(socket);
    },
    ...options,
  });
  t.after(async () => {
    await listeners.close();
    for (const socket of sockets) socket.destroy();
  });
  return { listeners, metrics, arrivals, sockets };
}

function https(
  name: string,
  hostnames: string[],
  ids: string[],
  changes: Partial<ListenerTls> = {},
): Listener {
  return listener(name, {
    protocol: 'HTTPS',
    hostnames,
    tls: { mode: 'Terminate', certificates: ids, minVersion: 'TLSv1.2', clientValidation: null, ...changes },
  });
}

function tlsSnapshot(number: number, certificates: Certificate[], ...list: Listener[]): Snapshot {
  return snapshot({ certificates, ports: [port(number, list, { transport: 'TLS' })] });
}

interface Connected {
  readonly socket: tls.TLSSocket;
  readonly reader: Reader;
}

/** Connects and waits for the greeting. */
async function dial(t: TestContext, number: number, options: tls.ConnectionOptions = {}): Promise<Connected> {
  const socket = tls.connect({ port: number, host: '127.0.0.1', ca: ca.caPem, ...options });
  t.after(() => socket.destroy());
  const reader = new Reader(socket);
  const failed = Promise.withResolvers<never>();
  socket.on('error', failed.reject);
  failed.promise.catch(() => {});
  await Promise.race([reader.until(() => reader.received.includes('\n')), failed.promise]);
  return { socket, reader };
}

function nameOf({ socket }: Connected): string {
  return socket.getPeerX509Certificate()!.subject;
}

function failuresOf({ metrics }: Setup): Record<string, number> {
  const report = metrics.report().find(({ name }) => name === 'sluice_tls_handshake_failures_total')!;
  return Object.fromEntries(report.series.map(({ labels, value }) => [labels[1]!, value]));
}

async function untilFailed(setup: Setup, reason: string, count = 1): Promise<void> {
  while (failuresOf(setup)[reason] !== count) await new Promise(setImmediate);
}

async function greet(number: number): Promise<{ socket: Socket; reader: Reader }> {
  const socket = connect(number, '127.0.0.1');
  const reader = new Reader(socket);
  await reader.until(() => reader.received.includes('\n'));
  return { socket, reader };
}

test('opens, keeps and closes ports', async (t) => {
  const { listeners, arrivals } = setUp(t);
  const [first, second] = [await freePort(), await freePort()];
  const one = port(first, [listener('one')]);
  const two = port(second, [listener('two')]);
  assert.deepEqual(await listeners.apply(snapshot({ ports: [one] })), []);
  const a = await greet(first);
  assert.deepEqual(arrivals, [{ port: first, sni: undefined }]);

  assert.deepEqual(await listeners.apply(snapshot({ ports: [one, two] })), []);
  const b = await greet(second);
  await listeners.apply(snapshot({ ports: [two] }));
  await assert.rejects(once(connect(first, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
  // What was open stays, whether its port does or not.
  for (const { socket, reader } of [a, b]) {
    const before = reader.received.length;
    socket.write('echo');
    await reader.bytes(before + 4);
    socket.destroy();
  }
});

test('the TLS servers of listeners for which nothing changes stay', async (t) => {
  const { listeners } = setUp(t);
  const number = await freePort();
  const [a, b] = await Promise.all([
    ca.certificate('default/a', ['a.example']),
    ca.certificate('default/b', ['b.example']),
  ]);
  const made = t.mock.method(tls, 'createServer').mock;
  const madeBy = async (certificates: Certificate[], ...list: Listener[]): Promise<number> => {
    const before = made.callCount();
    assert.deepEqual(await listeners.apply(tlsSnapshot(number, certificates, ...list)), []);
    return made.callCount() - before;
  };
  const one = https('one', ['a.example'], ['default/a']);
  const equal = https('equal', ['*.a.example'], ['default/a']);
  const other = https('other', ['b.example'], ['default/b']);
  const stricter = https('one', ['a.example'], ['default/a'], { minVersion: 'TLSv1.3' });
  assert.equal(await madeBy([a, b], one, equal, other), 2, 'equal demands share a server');
  assert.equal(await madeBy([{ ...a }, b], one, equal, other), 0);
  assert.equal(await madeBy([a], one), 0);
  assert.equal(await madeBy([a], stricter), 1);
  assert.equal(await madeBy([a, b], stricter, other), 1, 'what was removed is gone');
  const renewed = await ca.certificate('default/a', ['a.example'], { commonName: 'renewed' });
  assert.equal(await madeBy([renewed, b], stricter, other), 1);
  assert.match(nameOf(await dial(t, number, { servername: 'a.example' })), /CN=renewed/);
});

test('a port that cannot be opened is reported, and tried again at the next application', async (t) => {
  const { listeners } = setUp(t);
  const [free, taken] = [await freePort(), await freePort()];
  const blocker = createServer();
  blocker.listen(taken, '127.0.0.1');
  await once(blocker, 'listening');
  const wanted = snapshot({ ports: [port(free, [listener('good')]), port(taken, [listener('bad')])] });
  assert.deepEqual(await listeners.apply(wanted), [
    { port: taken, listeners: ['bad'], message: `port ${taken} is in use by another process` },
  ]);
  (await greet(free)).socket.destroy();
  blocker.close();
  await once(blocker, 'close');
  assert.deepEqual(await listeners.apply(wanted), []);
  (await greet(taken)).socket.destroy();
});

test('what is not supported is said, and the rest is served', async (t) => {
  const { listeners } = setUp(t);
  const [tcp, udp, secure] = [await freePort(), await freePort(), await freePort()];
  const certificate = await ca.certificate('default/a', ['a.example']);
  const failures = await listeners.apply(
    snapshot({
      certificates: [certificate],
      ports: [
        port(tcp, [listener('stream', { protocol: 'TCP' })]),
        port(udp, [listener('datagrams', { protocol: 'UDP' })], { transport: 'UDP' }),
        port(
          secure,
          [
            https('good', ['a.example'], ['default/a']),
            https('dangling', ['b.example'], ['default/none']),
            https('through', ['c.example'], [], { mode: 'Passthrough' }),
          ],
          { transport: 'TLS' },
        ),
      ],
    }),
  );
  assert.deepEqual(
    failures.map(({ port: number, message }) => [number, message]),
    [
      [tcp, 'listener stream: protocol TCP is not supported by this version'],
      [udp, 'listener datagrams: protocol UDP is not supported by this version'],
      [secure, 'listener through: protocol HTTPS in mode Passthrough is not supported by this version'],
      [secure, 'listener dangling: there is no certificate'],
    ],
  );
  await dial(t, secure, { servername: 'a.example' });
});

test('a key that does not fit its certificate leaves its listener out, and crashes nothing', async (t) => {
  const { listeners } = setUp(t);
  const number = await freePort();
  const good = await ca.certificate('default/a', ['a.example']);
  const bad = { ...(await ca.certificate('default/b', ['b.example'])), key: good.key };
  const failures = await listeners.apply(
    tlsSnapshot(
      number,
      [good, bad],
      https('a', ['a.example'], ['default/a']),
      https('b', ['b.example'], ['default/b']),
    ),
  );
  assert.equal(failures.length, 1);
  assert.deepEqual(failures[0]!.listeners, ['b']);
  assert.match(failures[0]!.message, /^listener b: certificate default\/b cannot be used: /);
  await dial(t, number, { servername: 'a.example' });
});

test('chooses the certificate by server name: exact, then wildcard, then the first', async (t) => {
  const setup = setUp(t);
  const number = await freePort();
  const certificates = await Promise.all([
    ca.certificate('default/first', ['first.example']),
    ca.certificate('default/wild', ['*.example.com']),
    ca.certificate('default/exact', ['www.example.com']),
  ]);
  const ids = certificates.map(({ id }) => id);
  await setup.listeners.apply(tlsSnapshot(number, certificates, https('any', [], ids)));
  const cases = [
    ['www.example.com', 'CN=www.example.com'],
    ['WWW.example.com', 'CN=www.example.com'],
    ['other.example.com', 'CN=*.example.com'],
    ['first.example', 'CN=first.example'],
    ['unknown.example', 'CN=first.example'],
    ['', 'CN=first.example'],
  ] as const;
  for (const [servername, subject] of cases) {
    const connected = await dial(t, number, { servername, rejectUnauthorized: false });
    assert.equal(nameOf(connected), subject, servername);
    assert.equal(setup.arrivals.at(-1)!.sni?.toLowerCase(), servername.toLowerCase());
  }
});

test('a server name that no listener has is refused with an alert', async (t) => {
  const setup = setUp(t);
  const number = await freePort();
  const certificate = await ca.certificate('default/a', ['a.example']);
  await setup.listeners.apply(tlsSnapshot(number, [certificate], https('a', ['a.example'], ['default/a'])));
  await assert.rejects(dial(t, number, { servername: 'b.example' }), {
    code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
  });
  await untilFailed(setup, 'unknown_server_name');
  // Without a server name there is nothing to refuse.
  const connected = await dial(t, number, { servername: '', rejectUnauthorized: false });
  assert.equal(nameOf(connected), 'CN=a.example');
});

test('new certificates are swapped in under open connections', async (t) => {
  const { listeners } = setUp(t);
  const number = await freePort();
  const before = await ca.certificate('default/a', ['a.example'], { commonName: 'before' });
  const after = await ca.certificate('default/a', ['a.example'], { commonName: 'after' });
  await listeners.apply(tlsSnapshot(number, [before], https('a', ['a.example'], ['default/a'])));
  const old = await dial(t, number, { servername: 'a.example' });
  assert.equal(nameOf(old), 'CN=before');
  // One more in the middle of its handshake.
  const raw = connect(number, '127.0.0.1');
  await once(raw, 'connect');
  await listeners.apply(tlsSnapshot(number, [after], https('a', ['a.example'], ['default/a'])));
  const upgraded = await dial(t, number, { socket: raw, servername: 'a.example' });
  assert.match(nameOf(upgraded), /^CN=(before|after)$/);
  assert.equal(nameOf(await dial(t, number, { servername: 'a.example' })), 'CN=after');
  const received = old.reader.received.length;
  old.socket.write('still here');
  await old.reader.bytes(received + 10);
});

test('minimum version and protocol are per listener', async (t) => {
  const setup = setUp(t);
  const number = await freePort();
  const certificates = await Promise.all([
    ca.certificate('default/old', ['old.example']),
    ca.certificate('default/new', ['new.example']),
  ]);
  await setup.listeners.apply(
    tlsSnapshot(
      number,
      certificates,
      https('old', ['old.example'], ['default/old']),
      https('new', ['new.example'], ['default/new'], { minVersion: 'TLSv1.3' }),
    ),
  );
  const old = await dial(t, number, { servername: 'old.example', maxVersion: 'TLSv1.2' });
  assert.equal(old.socket.getProtocol(), 'TLSv1.2');
  const recent = await dial(t, number, { servername: 'new.example', ALPNProtocols: ['h2', 'http/1.1'] });
  assert.equal(recent.socket.getProtocol(), 'TLSv1.3');
  assert.equal(recent.socket.alpnProtocol, 'http/1.1');
  await assert.rejects(dial(t, number, { servername: 'new.example', maxVersion: 'TLSv1.2' }), /alert/);
  await untilFailed(setup, 'protocol_version');
  await assert.rejects(dial(t, number, { servername: 'old.example', ALPNProtocols: ['h2'] }), /alert/);
  await untilFailed(setup, 'no_common_protocol');
});

test('client certificates: required, optional, not asked for', async (t) => {
  const setup = setUp(t);
  const number = await freePort();
  const certificates = await Promise.all([
    ca.certificate('default/r', ['required.example']),
    ca.certificate('default/o', ['optional.example']),
    ca.certificate('default/n', ['none.example']),
  ]);
  const clients = {
    good: await ca.issue({ usage: 'client', commonName: 'client' }),
    expired: await ca.issue({ usage: 'client', commonName: 'client', notAfter: new Date(Date.now() - 1000) }),
    foreign: await otherCa.issue({ usage: 'client', commonName: 'client' }),
  };
  const caPem = ca.caPem;
  await setup.listeners.apply(
    tlsSnapshot(
      number,
      certificates,
      https('r', ['required.example'], ['default/r'], { clientValidation: { caPem, mode: 'Require' } }),
      https('o', ['optional.example'], ['default/o'], { clientValidation: { caPem, mode: 'Optional' } }),
      https('n', ['none.example'], ['default/n']),
    ),
  );
  const as = (who: keyof typeof clients | null) =>
    who === null ? {} : { cert: clients[who].chainPem, key: clients[who].keyPem };
  const cases = [
    ['required.example', 'good', null],
    ['required.example', null, 'client_certificate_missing'],
    ['required.example', 'expired', 'client_certificate_expired'],
    ['required.example', 'foreign', 'client_certificate_untrusted'],
    ['optional.example', 'good', null],
    ['optional.example', null, null],
    ['optional.example', 'expired', 'client_certificate_expired'],
    ['optional.example', 'foreign', 'client_certificate_untrusted'],
    ['none.example', 'foreign', null],
    ['none.example', null, null],
  ] as const;
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    for (const [servername, who, failure] of cases) {
      const accepted = setup.arrivals.length;
      const before = failure === null ? 0 : (failuresOf(setup)[failure] ?? 0);
      const dialled = dial(t, number, { servername, maxVersion, ...as(who) });
      if (failure === null) await dialled;
      else {
        await assert.rejects(dialled, `${servername} ${who}`);
        await untilFailed(setup, failure, before + 1);
      }
      assert.equal(setup.arrivals.length, accepted + (failure === null ? 1 : 0), `${servername} ${who}`);
    }
  }
});

for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
  test(`a resumed ${maxVersion} session does not stand in for a required certificate`, async (t) => {
    const setup = setUp(t);
    const number = await freePort();
    const certificates = [await ca.certificate('default/a', ['a.example', 'b.example'])];
    const caPem = ca.caPem;
    await setup.listeners.apply(
      tlsSnapshot(
        number,
        certificates,
        https('a', ['a.example'], ['default/a'], { clientValidation: { caPem, mode: 'Require' } }),
        https('b', ['b.example'], ['default/a']),
      ),
    );
    // Sessions of the listener that asks for nothing, and of a connection that was refused.
    for (const first of ['b.example', 'a.example']) {
      const socket = tls.connect({
        port: number,
        host: '127.0.0.1',
        ca: caPem,
        servername: first,
        maxVersion,
      });
      t.after(() => socket.destroy());
      const sessions: Buffer[] = [];
      socket.on('session', (session) => sessions.push(session));
      socket.on('error', () => {});
      if (first === 'b.example') while (sessions.length === 0) await once(socket, 'data');
      else await new Promise((resolve) => socket.once('close', resolve));
      for (const session of sessions) {
        const accepted = setup.arrivals.length;
        await assert.rejects(dial(t, number, { servername: 'a.example', maxVersion, session }));
        assert.equal(setup.arrivals.length, accepted);
      }
    }
  });
}

test('a session does not outlive the CA that its client certificate was checked against', async (t) => {
  const setup = setUp(t);
  const number = await freePort();
  const certificates = [await ca.certificate('default/a', ['a.example'])];
  const own = await ca.issue({ usage: 'client', commonName: 'client' });
  const client = { servername: 'a.example', cert: own.chainPem, key: own.keyPem };
  const demanding = (caPem: string) =>
    tlsSnapshot(
      number,
      certificates,
      https('a', ['a.example'], ['default/a'], { clientValidation: { caPem, mode: 'Require' } }),
    );
  await setup.listeners.apply(demanding(ca.caPem));
  const socket = tls.connect({ port: number, host: '127.0.0.1', ca: ca.caPem, ...client });
  t.after(() => socket.destroy());
  const [session] = (await once(socket, 'session')) as [Buffer];
  const resumed = await dial(t, number, { ...client, session });
  assert(resumed.socket.isSessionReused());
  await setup.listeners.apply(demanding(otherCa.caPem));
  await assert.rejects(dial(t, number, { ...client, session }));
  await untilFailed(setup, 'client_certificate_untrusted');
});

test('sessions are resumed at another worker of the same process, and after a reload', async (t) => {
  const ticketKeys = randomBytes(48);
  const [one, other] = [setUp(t, { ticketKeys }), setUp(t, { ticketKeys })];
  const [first, second] = [await freePort(), await freePort()];
  const certificates = [await ca.certificate('default/a', ['a.example'])];
  const a = https('a', ['a.example'], ['default/a']);
  await one.listeners.apply(tlsSnapshot(first, certificates, a));
  await other.listeners.apply(tlsSnapshot(second, certificates, a));
  const socket = tls.connect({
    port: first,
    host: '127.0.0.1',
    ca: ca.caPem,
    servername: 'a.example',
  });
  t.after(() => socket.destroy());
  const [session] = (await once(socket, 'session')) as [Buffer];
  const resumed = await dial(t, second, { servername: 'a.example', session });
  assert(resumed.socket.isSessionReused());
  await one.listeners.apply(tlsSnapshot(first, certificates, a));
  const again = await dial(t, first, { servername: 'a.example', session });
  assert(again.socket.isSessionReused());
  assert.equal(one.arrivals.at(-1)!.sni, 'a.example');
});

test('a slow, broken or foreign beginning is counted and ends', async (t) => {
  const setup = setUp(t, { handshakeTimeoutMs: 50 });
  const number = await freePort();
  const certificates = [await ca.certificate('default/a', ['a.example'])];
  await setup.listeners.apply(tlsSnapshot(number, certificates, https('a', [], ['default/a'])));
  const cases = [
    ['', 'timeout'],
    [Buffer.from([22, 3, 1, 0, 200, 1]), 'timeout'],
    ['GET / HTTP/1.1\r\n\r\n', 'plain_http'],
    [Buffer.from([0, 0, 0]), 'not_tls'],
  ] as const;
  for (const [bytes, reason] of cases) {
    const before = failuresOf(setup)[reason] ?? 0;
    const socket = connect(number, '127.0.0.1');
    const reader = new Reader(socket);
    socket.write(bytes);
    await reader.until(() => reader.ended || reader.closed);
    await untilFailed(setup, reason, before + 1);
  }
  for (const leave of ['end', 'resetAndDestroy'] as const) {
    const before = failuresOf(setup).client_closed ?? 0;
    const socket = connect(number, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(Buffer.from([22, 3, 1]));
    socket[leave]();
    await untilFailed(setup, 'client_closed', before + 1);
  }
});

test('at most maxConnections over all workers, every place comes back', async (t) => {
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const limits = [new ConnectionLimit(counts, 0), new ConnectionLimit(counts, 1)];
  const [one, other] = [setUp(t, { connectionLimit: limits[0]! }), setUp(t, { connectionLimit: limits[1]! })];
  const [first, second] = [await freePort(), await freePort()];
  const certificates = [await ca.certificate('default/a', ['a.example'])];
  const { limits: all } = settings();
  const few = settings({ limits: { ...all, maxConnections: 2 } });
  await one.listeners.apply(snapshot({ settings: few, ports: [port(first, [listener('one')])] }));
  await other.listeners.apply({
    ...tlsSnapshot(second, certificates, https('a', [], ['default/a'])),
    settings: few,
  });
  const a = await greet(first);
  const b = await dial(t, second, { servername: 'a.example' });
  const refused = new Reader(connect(first, '127.0.0.1'));
  await refused.until(() => refused.ended || refused.closed);
  assert.equal(refused.received.length, 0);
  assert.equal(limits[0]!.total(), 2);
  b.socket.destroy();
  a.socket.destroy();
  while (limits[0]!.total() > 0) {
    for (const socket of [...one.sockets, ...other.sockets]) if (socket.readableEnded) socket.end();
    await new Promise(setImmediate);
  }
  (await greet(first)).socket.destroy();
});

test('two workers share a port', async (t) => {
  const [one, other] = [setUp(t, { reusePort: true }), setUp(t, { reusePort: true })];
  const number = await freePort();
  const both = snapshot({ ports: [port(number, [listener('one')])] });
  assert.deepEqual(await one.listeners.apply(both), []);
  assert.deepEqual(await other.listeners.apply(both), []);
  for (let i = 0; i < 200 && (one.arrivals.length === 0 || other.arrivals.length === 0); i++) {
    (await greet(number)).socket.destroy();
  }
  assert(one.arrivals.length > 0 && other.arrivals.length > 0);
});
