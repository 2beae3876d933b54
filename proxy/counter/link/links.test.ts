import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { until } from '../../../test/support/until.ts';
import { monotonicClock } from '../driver/monotonic-clock.ts';
import type { LinkMessage } from './codec.ts';
import { memberUri, speaksFor } from './identity.ts';
import { Links, type LinkTuning } from './links.ts';
import { SocketTransport } from './socket-transport.ts';
import { type LinkCredentials, TlsTransport } from './tls-transport.ts';
import { type LinkTransport, SUBPROTOCOL } from './transport.ts';

const LIMITS = { shards: 2, maxDemands: 4 };
const GATEWAY = { namespace: 'chat', name: 'front' };

const claim = (revision: number): LinkMessage => ({ type: 'claim', name: 'shard/1', revision });

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'links-'));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

interface Member {
  readonly links: Links;
  readonly heard: [from: string, revision: number][];
  readonly frames: number[];
  readonly lines: string[];
}

function member(
  t: TestContext,
  self: string,
  transport: LinkTransport,
  addresses: ReadonlyMap<string, string>,
  tuning: Partial<LinkTuning> = {},
): Member {
  const heard: Member['heard'] = [];
  const frames: number[] = [];
  const lines: string[] = [];
  const links = new Links({
    self,
    transport,
    limits: LIMITS,
    addressOf: (peer) => addresses.get(peer),
    onMessages: (from, messages) => {
      frames.push(messages.length);
      for (const message of messages) if (message.type === 'claim') heard.push([from, message.revision]);
    },
    clock: monotonicClock,
    random: () => 0.5,
    log: { warn: (line: unknown) => lines.push(String(line)) },
    tuning: { minRedialMs: 10, maxRedialMs: 50, quietMs: 0, ...tuning },
  });
  t.after(() => links.close());
  return { links, heard, frames, lines };
}

/** Two members on one machine. */
async function pair(t: TestContext, tuning: Partial<LinkTuning> = {}) {
  const directory = folder(t);
  const transports = [
    await SocketTransport.listen(directory),
    await SocketTransport.listen(directory),
  ] as const;
  const addresses = new Map([
    ['a.1', transports[0].address],
    ['b.1', transports[1].address],
  ]);
  const a = member(t, 'a.1', transports[0], addresses, tuning);
  const b = member(t, 'b.1', transports[1], addresses, tuning);
  t.after(() => Promise.all(transports.map((transport) => transport.close())));
  return { directory, addresses, transports, a, b };
}

test('what is said in one turn arrives as one frame, in order, and the answer takes the same link', async (t) => {
  const { a, b } = await pair(t);
  for (let revision = 1; revision <= 50; revision++) a.links.send('b.1', claim(revision));
  await until('b has heard', () => b.heard.length === 50);
  assert.deepEqual(b.frames, [50]);
  assert.deepEqual(b.heard[49], ['a.1', 50]);
  b.links.send('a.1', claim(1));
  await until('a has heard', () => a.heard.length === 1);
  assert.deepEqual([a.links.counts.open, b.links.counts.open], [1, 1]);
});

test('of two links that are opened at the same time one stays, the same for both', async (t) => {
  const { a, b } = await pair(t);
  a.links.send('b.1', claim(1));
  b.links.send('a.1', claim(2));
  await until('both have heard', () => a.heard.length + b.heard.length >= 1);
  await until('one link is left', async () => {
    a.links.send('b.1', claim(3));
    b.links.send('a.1', claim(4));
    return a.heard.some(([, revision]) => revision === 4) && b.heard.some(([, revision]) => revision === 3);
  });
  assert.deepEqual([a.links.counts.open, b.links.counts.open], [1, 1]);
});

test('a peer that comes back under another name is another peer', async (t) => {
  const { a, b, transports, addresses } = await pair(t);
  a.links.send('b.1', claim(1));
  await until('b has heard', () => b.heard.length === 1);
  b.links.close();
  const again = member(t, 'b.2', transports[1], addresses);
  await until('a has lost the link', () => a.links.counts.open === 0);
  a.links.send('b.1', claim(2));
  await until('a is told', () => a.lines.some((line) => line.includes('b.1') && line.includes('421')));
  again.links.send('a.1', claim(3));
  await until('a has heard the new one', () => a.heard.some(([from]) => from === 'b.2'));
  assert.deepEqual(again.heard, []);
});

test('a peer that is silent is given up, and found again', async (t) => {
  const directory = folder(t);
  const transport = await SocketTransport.listen(directory);
  t.after(() => transport.close());
  // In between, a stand-in that can stop passing bytes without closing anything.
  const behindFolder = folder(t);
  const behind = await SocketTransport.listen(behindFolder);
  t.after(() => behind.close());
  let isDeaf = false;
  const sockets = new Set<Socket>();
  const relay = createServer((near) => {
    const far = connect({ path: join(behindFolder, behind.address) });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (data) => !isDeaf && to.write(data));
      from.on('close', () => to.destroy());
      from.on('error', () => {});
    }
  });
  relay.listen(join(directory, 'aaaaaaaaaaaaaaaa.sock'));
  await once(relay, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  const toRelay = new Map([['b.1', 'aaaaaaaaaaaaaaaa.sock']]);
  const a = member(t, 'a.1', transport, toRelay, { heartbeatMs: 20 });
  const b = member(t, 'b.1', behind, new Map());
  a.links.send('b.1', claim(1));
  await until('b has heard', () => b.heard.length === 1);
  isDeaf = true;
  await until('a gives up', () => a.links.counts.open === 0);
  assert(a.lines.some((line) => line.includes('no sign of life')));
  isDeaf = false;
  await until('b hears again', () => {
    a.links.send('b.1', claim(2));
    return b.heard.length > 1;
  });
});

test('frames that no member would send end the link, and nothing else', async (t) => {
  const { a, b, directory, addresses } = await pair(t);
  for (const frame of ['nonsense', '[["o",2,"u",1]]', Buffer.from([1, 2, 3]), '[]'.repeat(2)]) {
    const socket = new WebSocket('ws://member/counter', [SUBPROTOCOL], {
      createConnection: () => connect({ path: join(directory, addresses.get('b.1')!) }),
      headers: { 'sluice-from': 'x.1', 'sluice-to': 'b.1' },
    });
    await once(socket, 'open');
    socket.send(frame);
    const [code] = await once(socket, 'close');
    assert([1006, 1008].includes(code), `closed with ${code}`);
  }
  assert(b.lines.some((line) => /x\.1: shard: found 2/.test(line)));
  a.links.send('b.1', claim(1));
  await until('b goes on', () => b.heard.length === 1);
});

const refusals: readonly [
  what: string,
  path: string,
  protocol: string,
  from: string,
  to: string,
  status: number,
][] = [
  ['another path', '/', SUBPROTOCOL, 'a.1', 'b.1', 404],
  ['a name that is none', '/counter', SUBPROTOCOL, 'A 1', 'b.1', 400],
  ['a version that it does not speak', '/counter', 'sluice-counter.999', 'a.1', 'b.1', 426],
  ['the name of somebody else', '/counter', SUBPROTOCOL, 'a.1', 'c.1', 421],
  ['its own name', '/counter', SUBPROTOCOL, 'b.1', 'b.1', 421],
];

for (const [what, path, protocol, from, to, status] of refusals) {
  test(`a caller with ${what} is refused with ${status}`, async (t) => {
    const { directory, addresses } = await pair(t);
    const socket = new WebSocket(`ws://member${path}`, [protocol], {
      createConnection: () => connect({ path: join(directory, addresses.get('b.1')!) }),
      headers: { 'sluice-from': from, 'sluice-to': to },
    });
    const [error] = await once(socket, 'error');
    assert.match(error.message, new RegExp(`${status}`));
  });
}

test('messages to a peer that cannot be reached are dropped, not kept', async (t) => {
  const { a } = await pair(t);
  for (let revision = 1; revision <= 100; revision++) a.links.send('nobody.1', claim(revision));
  await until('they are dropped', () => a.links.counts.dropped === 100);
});

test('a slow peer loses messages, and costs no memory', async (t) => {
  const directory = folder(t);
  const transport = await SocketTransport.listen(directory);
  t.after(() => transport.close());
  // Takes the link, and reads nothing more.
  const address = 'bbbbbbbbbbbbbbbb.sock';
  const http = createHttpServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', (socket) => socket.pause());
  http.listen(join(directory, address));
  await once(http, 'listening');
  t.after(() => {
    for (const socket of server.clients) socket.terminate();
    http.close();
  });
  const a = member(t, 'a.1', transport, new Map([['b.1', address]]), { maxBufferedBytes: 100_000 });
  const names = Array.from({ length: 200 }, (_, at) => `member/${at}-${'x'.repeat(400)}`);
  await until('messages are dropped', () => {
    a.links.send('b.1', { type: 'promised', sentMs: 0, names });
    return a.links.counts.dropped > 50;
  });
});

test('a folder with a long name works, and sockets of processes that are gone are removed', async (t) => {
  const directory = mkdtempSync(join(folder(t), 'x'.repeat(110)));
  const left = join(directory, 'cccccccccccccccc.sock');
  // A socket without anybody behind it: bound, and its process gone without removing it.
  const script = `require('net').createServer().listen('cccccccccccccccc.sock', () => process.kill(process.pid, 9))`;
  spawnSync(process.execPath, ['-e', script], { cwd: directory });
  assert.deepEqual(readdirSync(directory), ['cccccccccccccccc.sock']);
  utimesSync(left, 1, 1);
  const transports = [
    await SocketTransport.listen(directory),
    await SocketTransport.listen(directory),
  ] as const;
  t.after(() => Promise.all(transports.map((transport) => transport.close())));
  await until('it is removed', () => !readdirSync(directory).includes('cccccccccccccccc.sock'));
  const addresses = new Map([['b.1', transports[1].address]]);
  const a = member(t, 'a.1', transports[0], addresses);
  const b = member(t, 'b.1', transports[1], addresses);
  a.links.send('b.1', claim(1));
  await until('b has heard', () => b.heard.length === 1);
});

async function credentialsOf(authority: TestAuthority, uris: readonly string[]): Promise<LinkCredentials> {
  const { chainPem, keyPem } = await authority.issue({ uris, usage: 'both' });
  return { ca: authority.caPem, certificate: chainPem, key: keyPem };
}

async function tlsTransport(t: TestContext, credentials: LinkCredentials): Promise<TlsTransport> {
  const transport = await TlsTransport.listen({
    gateway: GATEWAY,
    credentials,
    listen: { host: '127.0.0.1', port: 0 },
    host: '127.0.0.1',
  });
  t.after(() => transport.close());
  return transport;
}

test('over TLS both sides must be pods of the gateway, and who they say they are', async (t) => {
  const authority = await TestAuthority.create();
  const good = (pod: string) => credentialsOf(authority, [memberUri(GATEWAY, pod)]);
  const b = await tlsTransport(t, await good('b'));
  const addresses = new Map([['b.1', b.address]]);
  const bMember = member(t, 'b.1', b, addresses);
  const a = member(t, 'a.1', await tlsTransport(t, await good('a')), addresses);
  a.links.send('b.1', claim(1));
  await until('a is heard', () => bMember.heard.length === 1);

  // It has a certificate of another pod: the server sees that.
  const liar = member(t, 'c.1', await tlsTransport(t, await good('a')), addresses);
  liar.links.send('b.1', claim(2));
  await until('it is refused', () => liar.lines.some((line) => line.includes('403')));

  // Its authority is unknown.
  const other = await credentialsOf(await TestAuthority.create('Other CA'), [memberUri(GATEWAY, 'd')]);
  const stranger = member(t, 'd.1', await tlsTransport(t, { ...other, ca: authority.caPem }), addresses);
  stranger.links.send('b.1', claim(3));
  await until('it cannot link', () => stranger.links.counts.dropped > 0);

  // The one that answers is another pod: the client sees that, and says nothing.
  const x = await tlsTransport(t, await good('x'));
  const impostor = member(t, 'e.1', x, new Map());
  const toImpostor = new Map([['e.1', x.address]]);
  const misled = member(t, 'f.1', await tlsTransport(t, await good('f')), toImpostor);
  misled.links.send('e.1', claim(4));
  await until('it is not believed', () =>
    misled.lines.some((line) => line.includes('sluice://chat/front/x') && line.includes('expected')),
  );
  assert.deepEqual(bMember.heard, [['a.1', 1]]);
  assert.deepEqual(impostor.heard, []);
});

test('a client without a certificate, or with an older TLS, does not get as far as a request', async (t) => {
  const authority = await TestAuthority.create();
  const transport = await tlsTransport(t, await credentialsOf(authority, [memberUri(GATEWAY, null)]));
  const [host, port] = transport.address.split(':');
  for (const options of [{}, { maxVersion: 'TLSv1.2' as const }]) {
    const socket = connectTls({
      host: host ?? '',
      port: Number(port),
      rejectUnauthorized: false,
      ...options,
    });
    socket.on('secureConnect', () => socket.write('GET /counter HTTP/1.1\r\nHost: x\r\n\r\n'));
    let received = '';
    socket.on('data', (data) => {
      received += data;
    });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.on('close', resolve));
    assert.equal(received, '');
  }
});

test('certificates are changed without losing a link', async (t) => {
  const first = await TestAuthority.create('First CA');
  const second = await TestAuthority.create('Second CA');
  const both = `${first.caPem}\n${second.caPem}`;
  const a = await tlsTransport(t, { ...(await credentialsOf(first, [memberUri(GATEWAY, 'a')])), ca: both });
  const b = await tlsTransport(t, { ...(await credentialsOf(first, [memberUri(GATEWAY, 'b')])), ca: both });
  const addresses = new Map([['b.1', b.address]]);
  const aMember = member(t, 'a.1', a, addresses);
  const bMember = member(t, 'b.1', b, addresses);
  aMember.links.send('b.1', claim(1));
  await until('b has heard', () => bMember.heard.length === 1);
  a.rotate(await credentialsOf(second, [memberUri(GATEWAY, 'a')]));
  b.rotate(await credentialsOf(second, [memberUri(GATEWAY, 'b')]));
  aMember.links.send('b.1', claim(2));
  await until('b hears over the same link', () => bMember.heard.length === 2);
  assert.deepEqual([aMember.links.counts.open, aMember.links.counts.opened], [1, 1]);
  aMember.links.close();
  // From now on only the second authority is known: who has a certificate of the first is out.
  const late = member(
    t,
    'c.1',
    await tlsTransport(t, { ...(await credentialsOf(first, [memberUri(GATEWAY, 'c')])), ca: both }),
    addresses,
  );
  late.links.send('b.1', claim(3));
  const again = member(t, 'a.2', a, addresses);
  again.links.send('b.1', claim(4));
  await until('b hears over a new link', () => bMember.heard.some(([from]) => from === 'a.2'));
  await until('the first authority is not believed any more', () => late.links.counts.dropped > 0);
  assert(!bMember.heard.some(([from]) => from === 'c.1'));
});

test('names of certificates are compared as a whole', () => {
  const uri = 'sluice://chat/front/pod-a';
  assert(speaksFor(`DNS:x, URI:${uri}`, GATEWAY, 'pod-a.abc'));
  assert(speaksFor('URI:sluice://chat/front', GATEWAY, 'pod-a.abc'));
  for (const names of [
    undefined,
    '',
    `DNS:${uri}`,
    `URI:${uri}x`,
    'URI:sluice://chat/front/pod-b',
    'URI:sluice://chat/other/pod-a',
    `URI:"sluice://chat/x\\u002c URI:${uri}"`,
  ])
    assert(!speaksFor(names, GATEWAY, 'pod-a.abc'), String(names));
});
