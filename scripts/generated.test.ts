import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findStale, kebab, writeFiles } from './crds.ts';

for (const script of globSync('generate-*.ts', { cwd: import.meta.dirname })) {
  test(`what ${script} generates is up to date`, () => {
    const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, script), '--check'], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
  });
}

test('a file that is missing or differs is stale', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-generated-'));
  try {
    const [same, changed, missing] = ['same', 'changed', 'missing'].map((name) => join(folder, name));
    const files = new Map([same!, changed!, missing!].map((file) => [file, 'text\n']));
    assert.deepEqual(findStale(files), [same, changed, missing]);
    writeFiles(files);
    assert.deepEqual(findStale(files), []);
    writeFileSync(changed!, 'text');
    rmSync(missing!);
    assert.deepEqual(findStale(files), [changed, missing]);
    assert.equal(readFileSync(same!, 'utf8'), 'text\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('file names are the kinds in kebab case', () => {
  assert.equal(kebab('FirewallRuleList'), 'firewall-rule-list');
  assert.equal(kebab('GRPCRoute'), 'grpcroute');
});
