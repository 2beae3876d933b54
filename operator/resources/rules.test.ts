/** Every CEL rule of every CRD, with an object that breaks it and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { broken, brokenRules, valid } from './testing/broken-rules.ts';
import { ownKinds, resourceFrom, rulesOf } from './testing/schemas.ts';
import { validateResource } from './validate.ts';

/** What the valid object of a kind gets reported with one field changed. */
function report(kind: (typeof ownKinds)[number], at: string, value: unknown): string[] {
  const diagnostics = validateResource(resourceFrom(kind, broken(kind, at, value)));
  return diagnostics.map(({ field, message }) => `${field}: ${message}`);
}

for (const kind of ownKinds) {
  test(`${kind}: every rule is broken by its example, and only that rule`, () => {
    assert.deepEqual(validateResource(resourceFrom(kind, valid[kind])), []);
    for (const [at, value, expected] of brokenRules[kind])
      assert.deepEqual(report(kind, at, value), [expected]);
  });

  test(`${kind}: every rule has an example`, () => {
    const messages = brokenRules[kind].map(([, , expected]) => expected.replace(/\[\d+\]/g, '[]'));
    const missing = rulesOf(kind)
      .map(({ path, rule }) => ({ place: path, message: rule.message }))
      .filter(
        ({ place, message }) => !messages.some((text) => text.startsWith(place) && text.endsWith(message)),
      );
    assert.deepEqual(missing, []);
  });
}
