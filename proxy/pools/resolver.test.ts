import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ResolveError, SystemResolver } from './resolver.ts';

const NXDOMAIN = 3;
const SERVFAIL = 2;

/** A DNS server for one question a message: what it says of a name, or nothing where it has no entry. */
type Zone = Readonly<
  Record<string, { readonly code?: number; readonly a?: readonly string[]; readonly ttl?: number }>
>;

function answerTo(query: Buffer, zone: Zone): Buffer | null {
  let at = 12;
  const labels: string[] = [];
  while (query[at] !== 0) {
    const length = query[at]!;
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = query.readUInt16BE(at + 1);
  const entry = zone[labels.join('.').toLowerCase()];
  if (entry === undefined) return null;
  const addresses = type === 1 ? (entry.a ?? []) : [];
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(0x8180 | (entry.code ?? 0), 2);
  header.writeUInt16BE(addresses.length, 6);
  header.writeUInt16BE(0, 8);
  header.writeUInt16BE(0, 10);
  const records = addresses.map((address) => {
    const record = Buffer.alloc(16);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(1, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(entry.ttl ?? 60, 6);
    record.writeUInt16BE(4, 10);
    Buffer.from(address.split('.').map(Number)).copy(record, 12);
    return record;
  });
  return Buffer.concat([header, query.subarray(12, at + 5), ...records]);
}

describe('the resolver', () => {
  let resolver: SystemResolver;
  let folder: string;
  const socket = dgram.createSocket('udp4');

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-hosts-'));
    const hostsFile = join(folder, 'hosts');
    await writeFile(
      hostsFile,
      '# comment\n10.1.0.1 Local.example other # more\n10.1.0.2 local.example\n::5 local.example\n',
    );
    const zone: Zone = {
      'a.invalid': { a: ['10.2.0.2', '10.2.0.1'], ttl: 30 },
      'none.invalid': {},
      'missing.invalid': { code: NXDOMAIN },
      'broken.invalid': { code: SERVFAIL },
    };
    socket.on('message', (query, from) => {
      const answer = answerTo(query, zone);
      if (answer !== null) socket.send(answer, from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const servers = [`127.0.0.1:${(socket.address() as AddressInfo).port}`];
    resolver = new SystemResolver({ hostsFile, servers, timeoutMs: 250 });
  });

  after(async () => {
    socket.close();
    await rm(folder, { recursive: true });
  });

  test('takes localhost, then the hosts file, then DNS with its TTL', async () => {
    assert.deepEqual(await resolver.resolve('localhost', 'Any'), { addresses: ['127.0.0.1'], ttlMs: null });
    assert.deepEqual(await resolver.resolve('a.localhost', 'IPv6'), { addresses: ['::1'], ttlMs: null });
    const local = { addresses: ['10.1.0.1', '10.1.0.2', '::5'], ttlMs: null };
    assert.deepEqual(await resolver.resolve('local.example', 'Any'), local);
    assert.deepEqual((await resolver.resolve('local.example', 'IPv6')).addresses, ['::5']);
    const found = { addresses: ['10.2.0.1', '10.2.0.2'], ttlMs: 30_000 };
    assert.deepEqual(await resolver.resolve('a.invalid', 'Any'), found);
  });

  test('says why a name has no addresses', async () => {
    const failures = {
      'missing.invalid': 'missing.invalid does not exist (NXDOMAIN)',
      'none.invalid': 'none.invalid has no IPv4 addresses',
      'broken.invalid': 'the DNS server failed to resolve broken.invalid (SERVFAIL)',
      'silent.invalid': 'no DNS server answered for silent.invalid within 0.25 s',
    };
    for (const [name, message] of Object.entries(failures)) {
      await assert.rejects(resolver.resolve(name, 'IPv4'), new ResolveError(message));
    }
  });
});
