import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readValues } from './values.ts';

const schema = (properties: object): string =>
  JSON.stringify({ additionalProperties: false, properties, $defs: { text: { type: 'string' } } });

test('the values of the chart are all described', () => {
  const values = readValues();
  assert.ok(values.length > 40);
  assert.deepEqual(
    values.find(({ path }) => path === 'replicas'),
    {
      path: 'replicas',
      type: 'integer',
      fallback: '2',
      description:
        'Replicas of the operator. One leads; the others follow the cluster and take over at once.',
    },
  );
});

test('what has a comment is a value, what has none is a group', () => {
  const text = [
    '# A title, for the file.',
    '',
    'group:',
    '  # The first,',
    '  # in two lines.',
    '  one: a',
    '  # The second.',
    '  two:',
    '    inner: 1',
    '# The last.',
    'three: []',
  ].join('\n');
  const values = readValues(
    text,
    schema({
      group: {
        additionalProperties: false,
        properties: { one: { $ref: '#/$defs/text' }, two: { type: 'object', properties: { inner: {} } } },
      },
      three: { type: 'array', items: { $ref: '#/$defs/text' } },
      global: {},
    }),
  );
  assert.deepEqual(values, [
    { path: 'group.one', type: 'string', fallback: '"a"', description: 'The first, in two lines.' },
    { path: 'group.two', type: 'object', fallback: '{"inner":1}', description: 'The second.' },
    { path: 'three', type: 'list of strings', fallback: '[]', description: 'The last.' },
  ]);
});

test('types are named as users think of them', () => {
  const typeOf = (described: object): string => readValues('# A.\na: 1', schema({ a: described }))[0]!.type;
  assert.equal(typeOf({ enum: ['json', 'text'] }), 'json, text');
  assert.equal(typeOf({ anyOf: [{ const: '' }, { type: 'string' }] }), 'string');
  assert.equal(typeOf({ anyOf: [{ type: 'integer' }, { $ref: '#/$defs/text' }] }), 'integer or string');
});

test('what is in one file only is refused by name', () => {
  const refused = (text: string, properties: object): string => {
    try {
      readValues(text, schema(properties));
    } catch (error) {
      return (error as Error).message;
    }
    return 'taken';
  };
  const group = { additionalProperties: false, properties: { a: {} } };
  assert.equal(refused('a: 1', { a: {} }), 'values.yaml: no comment above a');
  assert.equal(refused('# A.\na: 1', {}), 'values.schema.json: no a');
  assert.equal(refused('g:\n  # A.\n  a: 1\n  # B.\n  b: 1', { g: group }), 'values.schema.json: no g.b');
  assert.equal(refused('g: {}', { g: group }), 'values.yaml: no g.a');
  assert.equal(
    refused('g: {}', { g: { type: 'object' } }),
    'values.yaml: no comment above g, and values.schema.json does not list its fields',
  );
});
