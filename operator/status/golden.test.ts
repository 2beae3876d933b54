/**
 * Golden cases: `test/golden/status/NAME.in.yaml` and `NAME.observed.yaml` give `NAME.out.yaml`.
 * `node operator/status/golden.test.ts --update` (or UPDATE_GOLDEN=1) writes them anew: read the difference.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { computeStatuses } from './compute.ts';
import type { Condition } from './conditions.ts';
import { problemsOfIngresses } from './ingress-problems.ts';
import { CURRENT, STATUS_CASES, statusCase, statusCaseNames } from './testing/status-cases.ts';

const UPDATE = process.argv.includes('--update') || process.env.UPDATE_GOLDEN === '1';

for (const name of statusCaseNames()) {
  test(name, () => {
    const input = statusCase(name);
    const problems = problemsOfIngresses(input.resources, input.compiled);
    const statuses = Object.fromEntries(computeStatuses(input));
    const shown = { ...statuses, ...(problems.size > 0 && { problems: Object.fromEntries(problems) }) };
    let text = stringify(inShort(shown), { lineWidth: 0 });
    for (const { hash } of input.compiled.snapshots) text = text.replaceAll(hash, CURRENT);
    const path = join(STATUS_CASES, `${name}.out.yaml`);
    if (UPDATE) writeFileSync(path, text);
    else {
      assert.ok(existsSync(path), `${name}.out.yaml is missing: run with --update and read it`);
      assert.equal(text, readFileSync(path, 'utf8'));
    }
  });
}

test('every file belongs to a case', () => {
  const expected = statusCaseNames().flatMap((name) =>
    ['in', 'observed', 'before', 'out'].map((part) => `${name}.${part}.yaml`),
  );
  assert.deepEqual(
    readdirSync(STATUS_CASES).filter((file) => !expected.includes(file)),
    [],
  );
});

test('there are cases', () => {
  assert.ok(statusCaseNames().length >= 12);
});

/** A condition in one line, such as `Accepted: True, Accepted, of 1`, with the message below. */
function inShort(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inShort);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, entry]) => [key, inShort(entry)]);
  if (!('status' in value && 'reason' in value)) return Object.fromEntries(entries);
  const { type, status, reason, message, observedGeneration } = value as Condition;
  const words = `${status}, ${reason}, of ${observedGeneration}`;
  return { [type]: message === '' ? words : `${words}: ${message}` };
}
