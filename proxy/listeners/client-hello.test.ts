import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import tls from 'node:tls';
import fc from 'fast-check';
import { socketPair } from '../../test/support/sockets.ts';
import { parseClientHello } from './client-hello.ts';

async function helloOf(t: import('node:test').TestContext, options: tls.ConnectionOptions): Promise<Buffer> {
  const [near, far] = await socketPair(t);
  const client = tls.connect({ socket: near, ...options });
  client.on('error', () => {});
  const chunks: Buffer[] = [];
  while (parseClientHello(Buffer.concat(chunks)).kind === 'incomplete') {
    const [chunk] = (await once(far, 'data')) as [Buffer];
    chunks.push(chunk);
  }
  client.destroy();
  return Buffer.concat(chunks);
}

/** The same handshake message in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, fragment.length >> 8, fragment.length & 255]), fragment);
  }
  return Buffer.concat(records);
}

test('finds the server name of what real clients send', async (t) => {
  for (const [options, expected] of [
    [{ servername: 'Chat.Example.com' }, 'chat.example.com'],
    [{}, ''],
    [{ servername: 'a.example', maxVersion: 'TLSv1.2' }, 'a.example'],
  ] as const) {
    const hello = await helloOf(t, options);
    assert.deepEqual(parseClientHello(hello), { kind: 'hello', serverName: expected });
    for (const size of [1, 3, 50]) {
      assert.deepEqual(parseClientHello(inRecords(hello, size)), { kind: 'hello', serverName: expected });
    }
  }
});

test('a part of a hello is incomplete, whatever the part', async (t) => {
  const hello = await helloOf(t, { servername: 'a.example' });
  for (let length = 0; length < hello.length; length++) {
    assert.equal(parseClientHello(hello.subarray(0, length)).kind, 'incomplete', String(length));
  }
});

test('what is no hello is said to be none', () => {
  const cases = [
    [Buffer.from('GET / HTTP/1.1\r\n'), 'plain_http'],
    [Buffer.from([0, 1, 2]), 'not_tls'],
    [Buffer.from([22, 2, 1, 0, 5, 1, 0, 0, 0, 0]), 'malformed_hello'],
    [Buffer.from([22, 3, 1, 0, 0]), 'malformed_hello'],
    [Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), 'malformed_hello'],
    [Buffer.from([22, 3, 1, 0, 4, 1, 0xff, 0, 0]), 'hello_too_large'],
    [Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 0]), 'malformed_hello'],
  ] as const;
  for (const [bytes, reason] of cases) assert.deepEqual(parseClientHello(bytes), { kind: 'invalid', reason });
});

test('no bytes are a crash', async (t) => {
  const hello = await helloOf(t, { servername: 'a.example' });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat({ max: hello.length - 1 }), fc.nat({ max: 255 })), { maxLength: 8 }),
      (changes) => {
        const bytes = Buffer.from(hello);
        for (const [at, byte] of changes) bytes[at] = byte;
        parseClientHello(bytes);
      },
    ),
    { numRuns: 3000 },
  );
});
