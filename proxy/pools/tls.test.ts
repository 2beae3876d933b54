import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { TestAuthority } from '../../test/support/certificates.ts';
import { ip, pool, poolTls } from '../../test/support/pools.ts';
import type { Pool } from '../config/snapshot.ts';
import { alternativeNames } from './alternative-names.ts';
import type { Endpoint } from './endpoint.ts';
import { describeConnectError } from './failures.ts';
import { rememberSession, upstreamTls } from './tls.ts';

let authority: TestAuthority;
let server: tls.Server;
let port: number;
const seen: { servername: string | false | undefined; alpn: string | false | null }[] = [];

before(async () => {
  authority = await TestAuthority.create();
  const { chainPem, keyPem } = await authority.issue({ dnsNames: ['a.example'], addresses: ['127.0.0.1'] });
  server = tls.createServer({ cert: chainPem, key: keyPem, ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
    seen.push({
      servername: (socket as { servername?: string | false }).servername,
      alpn: socket.alpnProtocol,
    });
    socket.on('error', () => {});
    socket.end('x');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});

after(() => server.close());

function endpoint(hostname: string, changes: Partial<Pool> = {}): Endpoint {
  const settings = { protocol: 'HTTPS', tls: poolTls({ ca: { pem: authority.caPem } }), ...changes } as const;
  const target = pool([ip('127.0.0.1', port)], settings);
  return {
    id: `127.0.0.1:${port}`,
    pool: target,
    hostname,
    address: '127.0.0.1',
    port,
    weight: 1,
    removed: false,
  };
}

/** @returns whether a session was resumed. */
async function connect(to: Endpoint): Promise<boolean> {
  const socket = tls.connect({ host: to.address, port: to.port, ...upstreamTls(to) });
  rememberSession(to, socket);
  await once(socket, 'secureConnect');
  const reused = socket.isSessionReused();
  socket.resume();
  await once(socket, 'close');
  return reused;
}

test('sends SNI for a name and none for an address, and offers HTTP/1.1', async () => {
  await connect(endpoint('a.example'));
  await connect(endpoint('127.0.0.1'));
  await connect(endpoint('a.example', { protocol: 'TLS' }));
  assert.deepEqual(seen, [
    { servername: 'a.example', alpn: 'http/1.1' },
    { servername: false, alpn: 'http/1.1' },
    { servername: 'a.example', alpn: false },
  ]);
});

test('resumes sessions of the same endpoint', async () => {
  const to = endpoint('a.example');
  assert.equal(await connect(to), false);
  assert.equal(await connect(to), true);
  assert.equal(await connect(to), true);
  assert.equal(await connect(endpoint('a.example')), false);
});

test('equal settings share a context over reloads', () => {
  const [first, second, other] = [
    endpoint('a.example'),
    endpoint('a.example'),
    endpoint('a.example', { tls: poolTls() }),
  ].map((to) => upstreamTls(to).secureContext);
  assert.equal(first, second);
  assert.notEqual(first, other);
});

test('refuses other names, in words', async () => {
  const to = endpoint('b.example');
  await assert.rejects(connect(to), (error) => {
    assert.deepEqual(describeConnectError(error, to), {
      code: 'name_mismatch',
      words: `TLS connection to 127.0.0.1:${port} (b.example) failed: certificate is not valid for b.example: it names a.example, 127.0.0.1`,
    });
    return true;
  });
});

test('a name with commas in a certificate is one name', () => {
  assert.deepEqual(
    alternativeNames('DNS:a.example, URI:"spiffe://x, URI:spiffe://y, z", IP Address:10.0.0.1'),
    [
      { type: 'DNS', value: 'a.example' },
      { type: 'URI', value: 'spiffe://x, URI:spiffe://y, z' },
      { type: 'IP Address', value: '10.0.0.1' },
    ],
  );
});
