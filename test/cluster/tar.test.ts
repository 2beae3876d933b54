import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type TarEntry, TarFile } from './tar.ts';

test('tar reads what was written, and the same contents are the same bytes', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const source = join(folder, 'source');
  // More than is copied at once, and not a multiple of a block.
  writeFileSync(source, Buffer.alloc(3_000_001, 'x'));
  const long = `${'folder/'.repeat(20)}file`;
  const entries: TarEntry[] = [
    { path: 'bin', type: 'directory', mode: 0o755 },
    { path: 'bin/big', type: 'file', mode: 0o755, source },
    { path: 'bin/link', type: 'link', target: 'big' },
    { path: 'empty', type: 'file', mode: 0o600, content: Buffer.alloc(0) },
    { path: long, type: 'file', mode: 0o644, content: Buffer.from('text') },
  ];
  const write = (name: string): { file: string; digest: string } => {
    const file = join(folder, name);
    const tar = new TarFile(file);
    for (const entry of entries) tar.add(entry);
    const { digest, sizeBytes } = tar.close();
    const bytes = readFileSync(file);
    assert.equal(sizeBytes, bytes.length);
    assert.equal(digest, createHash('sha256').update(bytes).digest('hex'));
    return { file, digest };
  };
  const { file, digest } = write('one.tar');
  assert.equal(write('two.tar').digest, digest);

  const tar = (...args: string[]): string => {
    const { status, stdout, stderr } = spawnSync('tar', args, { encoding: 'utf8', maxBuffer: 10_000_000 });
    assert.equal(stderr, '');
    assert.equal(status, 0);
    return stdout;
  };
  const listed = tar('--list', '--verbose', '--numeric-owner', '--utc', '--file', file).trimEnd().split('\n');
  assert.deepEqual(
    listed.map((line) => line.replace(/ +/g, ' ')),
    [
      'drwxr-xr-x 0/0 0 1970-01-01 00:00 bin/',
      '-rwxr-xr-x 0/0 3000001 1970-01-01 00:00 bin/big',
      'lrwxrwxrwx 0/0 0 1970-01-01 00:00 bin/link -> big',
      '-rw------- 0/0 0 1970-01-01 00:00 empty',
      `-rw-r--r-- 0/0 4 1970-01-01 00:00 ${long}`,
    ],
  );
  assert.equal(tar('--extract', '--to-stdout', '--file', file, long), 'text');
  assert.equal(tar('--extract', '--to-stdout', '--file', file, 'bin/big'), 'x'.repeat(3_000_001));
});

test('a path that does not fit is refused', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const tar = new TarFile(join(folder, 'a.tar'));
  const content = Buffer.alloc(0);
  for (const path of ['a'.repeat(101), `${'b'.repeat(156)}/c`]) {
    assert.throws(() => tar.add({ path, type: 'file', mode: 0o644, content }), /too long/);
  }
  tar.close();
});
