/** Whatever the text, loading and validating it ends in resources and diagnostics, never in an exception. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Diagnostic, diagnosticCodes, formatDiagnostic } from './diagnostics.ts';
import { loadResources } from './load.ts';
import { fieldsOf, keysOf, ownKinds, setField, validResources } from './testing/schemas.ts';
import { validateResource } from './validate.ts';

const valid = readFileSync(join(import.meta.dirname, 'golden/valid.yaml'), 'utf8');

function diagnosticsFor(text: string): Diagnostic[] {
  const { resources, diagnostics } = loadResources(text, 'f.yaml');
  return [...diagnostics, ...resources.flatMap(validateResource)];
}

function checkShape(diagnostics: Diagnostic[], text: string): void {
  const lines = text.split(/\r\n|\r|\n/).length;
  for (const diagnostic of diagnostics) {
    assert.ok(Object.hasOwn(diagnosticCodes, diagnostic.code), diagnostic.code);
    assert.ok(diagnostic.line >= 1 && diagnostic.line <= lines, `line ${diagnostic.line} of ${lines}`);
    assert.ok(diagnostic.column >= 1);
    assert.doesNotMatch(formatDiagnostic(diagnostic), /[\x00-\x1f]|\bundefined\b/);
  }
}

test('random text', () => {
  const tokens = [
    'apiVersion: v1',
    'kind: Secret',
    'metadata:',
    '\n',
    '\n  ',
    ': ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '|',
    '>',
    '&a ',
    '*a',
    '<<: ',
    '!!str ',
    '!x ',
    '\t',
    '---\n',
    '...\n',
    '#',
    '%YAML 1.1\n',
    '? ',
    ',',
    '\0',
    '\uFEFF',
    '\uD800',
    'name',
    '1',
    'on',
    '__proto__: ',
  ];
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(fc.constantFrom(...tokens), { maxLength: 60 }).map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (one) => checkShape(diagnosticsFor(one), one)),
    { numRuns: 2000 },
  );
});

test('valid text with pieces changed', () => {
  const documents = valid.split('\n---\n');
  const edit = fc.record({
    document: fc.nat(documents.length - 1),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    removed: fc.nat(20),
    added: fc.oneof(
      fc.constantFrom('', '-', ':', ' ', '\n', '[', '{', '&a', '*a', 'null', '0', '"', '\t'),
      fc.string({ maxLength: 5 }),
    ),
  });
  fc.assert(
    fc.property(edit, ({ document, at, removed, added }) => {
      const text = documents[document]!;
      const from = Math.floor(at * text.length);
      const changed = text.slice(0, from) + added + text.slice(from + removed);
      checkShape(diagnosticsFor(changed), changed);
    }),
    { numRuns: 300 },
  );
});

test('valid resources with fields set to anything', () => {
  const resources = validResources();
  const fields = ownKinds.flatMap(fieldsOf);
  const change = fc.record({ field: fc.constantFrom(...fields), value: fc.anything({ maxDepth: 2 }) });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const { kind } = changes[0]!.field;
      const resource = resources.find((candidate) => candidate.kind === kind)!;
      const body = structuredClone(resource.body);
      for (const { field, value } of changes)
        if (field.kind === kind) setField(body, keysOf(field.path), value);
      checkShape(validateResource({ ...resource, body } as typeof resource), valid);
    }),
    { numRuns: 500 },
  );
});
