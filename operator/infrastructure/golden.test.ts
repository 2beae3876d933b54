/**
 * Golden cases: `test/golden/infrastructure/NAME.in.yaml`, with `NAME.settings.yaml` where it is there, gives
 * `NAME.out.yaml`. `UPDATE_GOLDEN=1` writes them anew: read the difference.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { apiVersionOf } from '../../kubernetes/index.ts';
import { type DesiredObject, infrastructureOf } from './infrastructure.ts';
import { CASES, caseNames, inputsOf } from './testing/cases.ts';

const UPDATE = process.env.UPDATE_GOLDEN === '1';

for (const name of caseNames()) {
  test(name, () => {
    const actual = inputsOf(name).flatMap(infrastructureOf).map(print).join('---\n');
    const file = join(CASES, `${name}.out.yaml`);
    if (UPDATE) writeFileSync(file, actual);
    assert.ok(existsSync(file), `${name}.out.yaml is missing: run with UPDATE_GOLDEN=1 and read it`);
    assert.equal(actual, readFileSync(file, 'utf8'));
  });
}

test('every file belongs to a case', () => {
  const expected = caseNames().flatMap((name) =>
    ['in', 'settings', 'out'].map((part) => `${name}.${part}.yaml`),
  );
  const surplus = readdirSync(CASES).filter((file) => !expected.includes(file));
  if (UPDATE) for (const file of surplus) rmSync(join(CASES, file));
  else assert.deepEqual(surplus, []);
  assert.ok(caseNames().length >= 10);
});

function print({ type, object }: DesiredObject): string {
  const plain = JSON.parse(JSON.stringify({ apiVersion: apiVersionOf(type), kind: type.kind, ...object }));
  return stringify(plain, { lineWidth: 110 });
}
