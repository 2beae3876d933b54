/** Bad values for every field, made from the schemas, so that a new field cannot be forgotten. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Diagnostic, fieldName } from './diagnostics.ts';
import { type BadValue, badValues } from './testing/bad-values.ts';
import { type Field, fieldsOf, ownKinds, resourceFrom, setField } from './testing/schemas.ts';
import { validateResource } from './validate.ts';

const golden = join(import.meta.dirname, 'golden/messages.txt');

/** The diagnostics for one bad value in an otherwise empty object; others about that object are left out. */
function check(field: Field, { keys, value, code }: BadValue): Diagnostic[] {
  const body = { apiVersion: 'sluice.dev/v1alpha1', kind: field.kind, metadata: { name: 'test' } };
  setField(body, keys, value);
  const prefix = fieldName(keys);
  return validateResource(resourceFrom(field.kind, body)).filter(
    (diagnostic) => diagnostic.code === code && diagnostic.field.startsWith(prefix),
  );
}

test('every bad value of every field gets its message', () => {
  const lines: string[] = [];
  for (const field of ownKinds.flatMap(fieldsOf)) {
    for (const bad of badValues(field)) {
      const found = check(field, bad);
      const name = `${field.kind}.${field.path} (${bad.code})`;
      assert.ok(found.length > 0, `${name}: ${JSON.stringify(bad.value)?.slice(0, 200)} went unnoticed`);
      for (const diagnostic of found.slice(0, 1)) {
        assert.doesNotMatch(diagnostic.message, /undefined|NaN|\[object/, name);
        lines.push(`${field.kind} ${diagnostic.field}: ${diagnostic.message}`);
      }
    }
  }
  const text = `${lines.join('\n')}\n`;
  if (process.env.UPDATE_GOLDEN) writeFileSync(golden, text);
  assert.equal(text, readFileSync(golden, 'utf8'), 'run with UPDATE_GOLDEN=1 and look at the difference');
});
