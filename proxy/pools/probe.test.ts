import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type { TlsOptions } from 'node:tls';
import { type LeafOptions, selfSigned, TestAuthority } from '../../test/support/certificates.ts';
import { ip, pool, poolTls, probe } from '../../test/support/pools.ts';
import { Private } from '../config/private.ts';
import type { Pool, PoolTls, Probe } from '../config/snapshot.ts';
import type { Endpoint } from './endpoint.ts';
import { type ProbeResult, probeEndpoint } from './probe.ts';

const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

async function listen(server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  closers.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

function endpointAt(port: number, changes: Partial<Pool> = {}, hostname = '127.0.0.1'): Endpoint {
  return {
    id: `127.0.0.1:${port}`,
    pool: pool([ip('127.0.0.1', port)], changes),
    hostname,
    address: '127.0.0.1',
    port,
    weight: 1,
    removed: false,
  };
}

function run(endpoint: Endpoint, changes: Partial<Probe> = {}): Promise<ProbeResult> {
  return probeEndpoint(endpoint, probe(changes), new AbortController().signal);
}

async function failure(result: Promise<ProbeResult>): Promise<{ code: string; words: string }> {
  const settled = await result;
  assert(!settled.success, 'the probe succeeded');
  return settled;
}

describe('HTTP probes', () => {
  let port: number;
  const seen: http.IncomingMessage[] = [];

  before(async () => {
    port = await listen(
      http.createServer((request, response) => {
        seen.push(request);
        const { pathname, searchParams } = new URL(request.url ?? '', 'http://x');
        if (pathname === '/silent') return;
        if (pathname === '/reset') {
          request.socket.resetAndDestroy();
          return;
        }
        if (pathname === '/half') {
          response.writeHead(200);
          response.write('beginning');
          return;
        }
        if (pathname === '/split') {
          response.write('all is o');
          setImmediate(() => response.end('k here'));
          return;
        }
        if (pathname === '/long') {
          response.end(`${'x'.repeat(70_000)}ok`);
          return;
        }
        response.writeHead(Number(searchParams.get('status') ?? 200), { location: '/elsewhere' });
        response.end('all is well');
      }),
    );
  });

  test('an expected status is a success, and a redirect is not followed', async () => {
    assert.deepEqual(await run(endpointAt(port)), { success: true });
    const from = seen.length;
    assert.deepEqual(await run(endpointAt(port), { path: '/?status=302' }), { success: true });
    assert.equal(seen.length, from + 1);
  });

  test('another status says which was expected', async () => {
    const ranges = [
      { from: 200, to: 399 },
      { from: 418, to: 418 },
    ];
    const { code, words } = await failure(
      run(endpointAt(port, {}, 'contoso.example.net'), { path: '/?status=404', statuses: ranges }),
    );
    assert.equal(code, 'unexpected_status');
    assert.equal(
      words,
      `GET http://127.0.0.1:${port}/?status=404 (Host contoso.example.net:${port}) failed: status 404 where 200-399, 418 was expected`,
    );
  });

  test('the body must contain the text, wherever chunks end, within 64 KiB', async () => {
    assert.deepEqual(await run(endpointAt(port), { path: '/split', body: 'ok' }), { success: true });
    const missing = await failure(run(endpointAt(port), { body: 'ok' }));
    assert.equal(missing.words, `GET http://127.0.0.1:${port}/health failed: the body lacks "ok"`);
    const late = await failure(run(endpointAt(port), { path: '/long', body: 'ok' }));
    assert.match(late.words, /: the first 64 KiB of the body lack "ok"$/);
    assert.equal(late.code, 'unexpected_body');
  });

  test('sends the host that requests get, the headers and the method', async () => {
    const last = () => seen.at(-1)!;
    await run(endpointAt(port, {}, 'contoso.example.net'));
    assert.equal(last().headers.host, `contoso.example.net:${port}`);
    await run(endpointAt(port, { hostHeader: { from: 'Override', value: 'other.example' } }));
    assert.equal(last().headers.host, 'other.example');
    const headers = [{ name: 'X-Probe', value: '1' }];
    await run(endpointAt(port), { host: 'probe.example', method: 'HEAD', headers });
    assert.equal(last().headers.host, 'probe.example');
    assert.equal(last().headers['x-probe'], '1');
    assert.equal(last().method, 'HEAD');
  });

  test('a timeout says what was waited for', async () => {
    const silent = await failure(run(endpointAt(port), { path: '/silent', timeoutMs: 50 }));
    assert.equal(
      silent.words,
      `GET http://127.0.0.1:${port}/silent failed: timed out after 0.05 s waiting for the response`,
    );
    assert.equal(silent.code, 'timed_out');
    const half = await failure(run(endpointAt(port), { path: '/half', body: 'ok', timeoutMs: 50 }));
    assert.match(half.words, /timed out after 0.05 s waiting for the body$/);
  });

  test('a reset, a refused connection and a server that speaks something else', async () => {
    assert.equal((await failure(run(endpointAt(port), { path: '/reset' }))).code, 'reset');

    const closed = await listen(net.createServer());
    closers.pop()?.();
    const refused = await failure(run(endpointAt(closed)));
    assert.equal(refused.words, `GET http://127.0.0.1:${closed}/health failed: connection refused`);

    const other = await listen(net.createServer((socket) => socket.end('220 mail.example ESMTP\r\n')));
    const { code, words } = await failure(run(endpointAt(other)));
    assert.equal(code, 'invalid_response');
    assert.match(words, /: the server does not answer in HTTP\/1.1$/);

    const silent = await listen(net.createServer((socket) => socket.end()));
    const ended = await failure(run(endpointAt(silent)));
    assert.deepEqual(
      [ended.code, ended.words.split(' failed: ')[1]],
      ['reset', 'the server closed the connection'],
    );
  });

  test('an aborted probe ends at once', async () => {
    const controller = new AbortController();
    const result = probeEndpoint(endpointAt(port), probe({ path: '/silent' }), controller.signal);
    controller.abort();
    assert.equal((await result).success, false);
  });

  test('an H2C pool is asked in HTTP/2', async () => {
    const server = http2.createServer((request, response) => {
      response.statusCode = request.url === '/health' && request.headers['x-probe'] === '1' ? 200 : 500;
      response.end('all is ok');
    });
    const h2c = await listen(server);
    const headers = [{ name: 'X-Probe', value: '1' }];
    const found = await run(endpointAt(h2c, { protocol: 'H2C' }), { body: 'ok', headers });
    assert.deepEqual(found, { success: true });
    const status = await failure(run(endpointAt(h2c, { protocol: 'H2C' }), { path: '/other' }));
    assert.match(status.words, /: status 500 where 200-399 was expected$/);
    const body = await failure(run(endpointAt(h2c, { protocol: 'H2C' }), { headers, body: 'missing' }));
    assert.equal(body.code, 'unexpected_body');
    assert.equal((await run(endpointAt(port, { protocol: 'H2C' }))).success, false);
  });
});

describe('probes over TLS', () => {
  let authority: TestAuthority;

  before(async () => {
    authority = await TestAuthority.create();
  });

  async function backend(leaf: LeafOptions, options: TlsOptions = {}): Promise<number> {
    const { chainPem, keyPem } = await authority.issue({ addresses: ['127.0.0.1'], ...leaf });
    return listen(
      https.createServer({ cert: chainPem, key: keyPem, ...options }, (_, response) => response.end('ok')),
    );
  }

  function ask(port: number, tls: Partial<PoolTls> = {}, hostname?: string): Promise<ProbeResult> {
    const changes = { protocol: 'HTTPS', tls: poolTls({ ca: { pem: authority.caPem }, ...tls }) } as const;
    return run(endpointAt(port, changes, hostname));
  }

  test('a good certificate, by address, name, SNI and alternative names', async () => {
    const port = await backend({
      dnsNames: ['contoso.example.net', '*.wild.example'],
      uris: ['spiffe://a/b'],
    });
    assert.deepEqual(await ask(port), { success: true });
    assert.deepEqual(await ask(port, {}, 'contoso.example.net'), { success: true });
    assert.deepEqual(await ask(port, { sni: 'contoso.example.net' }, 'other.example'), { success: true });
    const alternatives = ['nobody.example', 'spiffe://a/b'];
    assert.deepEqual(await ask(port, { subjectAltNames: alternatives }, 'other.example'), { success: true });
    assert.deepEqual(await ask(port, { subjectAltNames: ['*.wild.example'] }), { success: true });
    assert.equal((await ask(port, { subjectAltNames: ['spiffe://a'] })).success, false);
    assert.equal((await ask(port, { subjectAltNames: ['*.example'] })).success, false);
  });

  test('an expired certificate, with its date', async () => {
    const notAfter = new Date('2026-01-02T03:04:05Z');
    const port = await backend({ notBefore: new Date('2025-01-01T00:00:00Z'), notAfter });
    const { code, words } = await failure(ask(port, { sni: 'x' }, 'contoso.example.net'));
    assert.equal(code, 'certificate_expired');
    assert.equal(
      words,
      `GET https://127.0.0.1:${port}/health (Host contoso.example.net:${port}) failed: certificate expired on 2026-01-02`,
    );
  });

  test('a certificate that is not valid yet', async () => {
    const port = await backend({
      notBefore: new Date('2090-01-02T00:00:00Z'),
      notAfter: new Date('2091-01-01T00:00:00Z'),
    });
    const { code, words } = await failure(ask(port));
    assert.equal(code, 'certificate_not_yet_valid');
    assert.match(words, /: certificate is not valid before 2090-01-02$/);
  });

  test('a name mismatch, with the names that the certificate has', async () => {
    const port = await backend({ dnsNames: ['a.example', 'b.example'], addresses: [] });
    const { code, words } = await failure(ask(port, {}, 'contoso.example.net'));
    assert.equal(code, 'name_mismatch');
    assert.match(words, /: certificate is not valid for contoso.example.net: it names a.example, b.example$/);
    const uri = await failure(ask(port, { subjectAltNames: ['spiffe://a/b', 'c.example'] }));
    assert.match(
      uri.words,
      /: certificate is not valid for spiffe:\/\/a\/b or c.example: it names a.example, b.example$/,
    );
  });

  test('an unknown CA, by its name', async () => {
    const port = await backend({});
    const other = await TestAuthority.create('Other CA');
    const { code, words } = await failure(ask(port, { ca: { pem: other.caPem } }));
    assert.equal(code, 'unknown_ca');
    assert.match(words, /: certificate is signed by an unknown CA \(Test CA\)/);
    assert.equal((await failure(ask(port, { ca: 'WellKnown' }))).code, 'unknown_ca');
  });

  test('a self-signed certificate', async () => {
    const { chainPem, keyPem } = await selfSigned({ addresses: ['127.0.0.1'], commonName: 'myself' });
    const port = await listen(https.createServer({ cert: chainPem, key: keyPem }, (_, r) => r.end()));
    const { code, words } = await failure(ask(port));
    assert.equal(code, 'self_signed');
    assert.match(words, /: certificate is self-signed \(myself\)$/);
  });

  test('nothing is sent on a connection whose certificate is refused', async () => {
    let requests = 0;
    const { chainPem, keyPem } = await selfSigned({ addresses: ['127.0.0.1'] });
    const server = https.createServer({ cert: chainPem, key: keyPem }, (_, response) => {
      requests++;
      response.end();
    });
    const port = await listen(server);
    const closed = new Promise((resolve) => server.once('connection', (s) => s.once('close', resolve)));
    await failure(ask(port));
    await closed;
    assert.equal(requests, 0);
  });

  test('a client certificate, where the server requires one', async () => {
    const port = await backend({}, { requestCert: true, rejectUnauthorized: true, ca: authority.caPem });
    const { code, words } = await failure(ask(port));
    assert.equal(code, 'client_certificate_refused');
    assert.match(words, /: the server requires a client certificate$/);

    const { chainPem, keyPem } = await authority.issue({ usage: 'client' });
    const own = { certificatePem: chainPem, key: new Private(keyPem) };
    assert.deepEqual(await ask(port, { clientCertificate: own }), { success: true });

    const stranger = await (await TestAuthority.create('Other CA')).issue({ usage: 'client' });
    const wrong = { certificatePem: stranger.chainPem, key: new Private(stranger.keyPem) };
    assert.equal((await ask(port, { clientCertificate: wrong })).success, false);
  });

  test('a server without TLS, and one without a common version', async () => {
    const plain = await listen(http.createServer((_, response) => response.end()));
    const { code, words } = await failure(ask(plain));
    assert.equal(code, 'tls_failed');
    assert.match(words, /: the server does not speak TLS on this port$/);
    const old = await backend({}, { maxVersion: 'TLSv1.2' });
    const version = await failure(ask(old, { minVersion: 'TLSv1.3' }));
    assert.equal(version.code, 'tls_failed');
    assert.match(version.words, /: the server supports no TLS version that is allowed$/);
  });

  test('a server that never finishes the handshake', async () => {
    const port = await listen(net.createServer(() => {}));
    const { words } = await failure(
      run(endpointAt(port, { protocol: 'HTTPS', tls: poolTls() }), { timeoutMs: 50 }),
    );
    assert.match(words, /timed out after 0.05 s waiting for the TLS handshake$/);
  });

  test('a broken CA is a failure of the probe, not of the process', async () => {
    const port = await backend({});
    const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    assert.equal((await ask(port, { ca: { pem } })).success, false);
  });

  test('TCP probes connect, and shake hands where the pool is TLS', async () => {
    const port = await backend({});
    const tls = poolTls({ ca: { pem: authority.caPem } });
    const tcp = { protocol: 'TCP' } as const;
    assert.deepEqual(await run(endpointAt(port, { protocol: 'TCP' }), tcp), { success: true });
    assert.deepEqual(await run(endpointAt(port, { protocol: 'TLS', tls }), tcp), { success: true });
    const { words } = await failure(
      run(endpointAt(port, { protocol: 'TLS', tls: poolTls() }, 'c.example'), tcp),
    );
    assert.match(
      words,
      new RegExp(`^TLS connection to 127.0.0.1:${port} \\(c.example\\) failed: certificate is`),
    );
  });
});
