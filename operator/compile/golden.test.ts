/**
 * Golden cases: `test/golden/compile/NAME.in.yaml` gives `NAME.out.yaml` and `NAME.diagnostics.txt`.
 * `node operator/compile/golden.test.ts --update` (or UPDATE_GOLDEN=1) writes them anew: read the difference.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatDiagnostic } from '../resources/index.ts';
import { compile } from './compile.ts';
import {
  CASES,
  GOLDEN_NOW,
  goldenEnvironment,
  goldenFiles,
  goldenNames,
  loadFiles,
} from './testing/golden-cases.ts';
import { printGolden } from './testing/print-golden.ts';

const UPDATE = process.argv.includes('--update') || process.env.UPDATE_GOLDEN === '1';
/** Shown with every default; the others only with what differs. */
const FULL = 'defaults';

const names = goldenNames();

for (const name of names) {
  test(name, () => {
    const files = goldenFiles(name);
    const { resources, diagnostics } = loadFiles(files);
    assert.deepEqual(diagnostics, [], 'golden cases are about what comes after loading');
    const environment = goldenEnvironment(files[0]?.text ?? '');
    const result = compile({ resources, now: GOLDEN_NOW, environment });
    check(`${name}.out.yaml`, printGolden(result.snapshots, name === FULL));
    check(`${name}.diagnostics.txt`, result.diagnostics.map(describe).join(''));
  });
}

test('every file belongs to a case', () => {
  const expected = names.flatMap((name) => [
    `${name}.in.yaml`,
    `${name}.out.yaml`,
    `${name}.diagnostics.txt`,
  ]);
  const surplus = readdirSync(CASES).filter((file) => !expected.includes(file));
  if (UPDATE) for (const file of surplus) rmSync(join(CASES, file));
  else assert.deepEqual(surplus, []);
});

test('there are cases', () => {
  assert.ok(names.length >= 40, `${names.length} cases`);
});

function describe(diagnostic: Parameters<typeof formatDiagnostic>[0]): string {
  return `${diagnostic.severity} ${diagnostic.code}\n  ${formatDiagnostic(diagnostic)}\n`;
}

function check(file: string, actual: string): void {
  const path = join(CASES, file);
  if (UPDATE) {
    writeFileSync(path, actual);
    return;
  }
  assert.ok(existsSync(path), `${file} is missing: run with --update and read it`);
  assert.equal(actual, readFileSync(path, 'utf8'));
}
