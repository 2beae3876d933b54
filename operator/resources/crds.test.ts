import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from './defaults.ts';
import type { Schema } from './schemas.ts';
import { type Field, fieldsOf, ownKinds, validResources } from './testing/schemas.ts';
import { validateResource } from './validate.ts';

const fields = ownKinds.flatMap(fieldsOf);
const nameOf = ({ kind, path }: Field): string => `${kind}.${path}`;

test('every field is described', () => {
  for (const field of fields) assert.match(field.schema.description ?? '', /^[A-Z].+\.$/s, nameOf(field));
});

test('descriptions tell the bounds and allowed values that the schemas have', () => {
  for (const field of fields) {
    const { description = '', minimum, maximum, maxLength, minItems, maxItems, enum: values } = field.schema;
    const says = (text: string) =>
      assert.ok(description.includes(text), `${nameOf(field)} does not say "${text}"`);
    if (minimum !== undefined && maximum !== undefined) says(`from ${minimum} to ${maximum}.`);
    if (maxLength !== undefined && field.schema.type === 'string') says(`${maxLength} characters.`);
    if (minItems) says(`From ${minItems} to ${maxItems} entries.`);
    else if (maxItems !== undefined) says(`At most ${maxItems} entries.`);
    if (values && field.schema.type === 'string') says(`One of ${values.join(', ')}.`);
  }
});

test('everything has a bound, so that the API server can bound the cost of rules', () => {
  for (const field of fields) {
    const { type, maxLength, maxItems, maxProperties, maximum, minimum, enum: values, format } = field.schema;
    const { additionalProperties } = field.schema;
    if (type === 'string' && format !== 'date-time') assert.ok(maxLength ?? values, nameOf(field));
    if (type === 'array') assert.ok(maxItems, nameOf(field));
    if (additionalProperties) assert.ok(maxProperties, nameOf(field));
    const isGeneration = field.path.endsWith('observedGeneration');
    if (type === 'integer' || type === 'number') {
      assert.ok(minimum !== undefined && (maximum !== undefined || isGeneration), nameOf(field));
    }
  }
});

test('every list says how it is merged', () => {
  for (const field of fields.filter(({ schema }) => schema.type === 'array')) {
    assert.ok(field.schema['x-kubernetes-list-type'], nameOf(field));
    for (const key of field.schema['x-kubernetes-list-map-keys'] ?? []) {
      assert.ok(field.schema.items?.required?.includes(key), nameOf(field));
    }
  }
});

test('no schema has a default, since the API server would write it into the object', () => {
  for (const field of fields) assert.ok(!('default' in field.schema), nameOf(field));
});

test('descriptions and the table of defaults agree', () => {
  const described = new Map<string, unknown>();
  for (const field of fields) {
    const match = / Default: (.+)\.$/s.exec(field.schema.description ?? '');
    if (match) described.set(nameOf(field), parseDefault(match[1]!));
    else assert.doesNotMatch(field.schema.description!, /\bdefault:/i, nameOf(field));
  }
  assert.deepEqual(Object.fromEntries(described), { ...defaults });
});

test('a default is a valid value of its field', () => {
  for (const field of fields) {
    const value = defaults[nameOf(field) as keyof typeof defaults] as unknown;
    if (value === undefined) continue;
    const { enum: values, minimum, maximum, type } = field.schema;
    if (values) assert.ok(values.includes(value as string), nameOf(field));
    else if (typeof value === 'number') assert.ok(value >= minimum! && value <= maximum!, nameOf(field));
    else assert.equal(Array.isArray(value) ? 'array' : typeof value, type, nameOf(field));
  }
});

test('parts that occur in several places are the same in all of them', () => {
  const at = (path: string): Schema => {
    const field = fields.find((candidate) => nameOf(candidate) === path);
    assert.ok(field, path);
    const { description: _, ...rest } = field.schema;
    return rest;
  };
  const gateway = 'EdgeGateway.spec';
  const same: [string, string][] = [
    [`${gateway}.authentication`, `${gateway}.routes[].authentication`],
    [`${gateway}.accessControl`, `${gateway}.routes[].accessControl`],
    ...['requestHeaderModifier', 'responseHeaderModifier', 'urlRewrite'].map((name): [string, string] => [
      `${gateway}.routes[].filters[].${name}`,
      `${gateway}.routes[].backends[].filters[].${name}`,
    ]),
    [`${gateway}.routes[].filters[].requestRedirect.path`, `${gateway}.routes[].filters[].urlRewrite.path`],
    [
      `${gateway}.listeners[].tls.clientValidation.caCertificateRefs[]`,
      'BackendPool.spec.tls.caCertificateRefs[]',
    ],
    ['EdgeGateway.status.conditions', 'BackendPool.status.conditions'],
    ['EdgeGateway.status.conditions', 'FirewallRuleList.status.ancestors[].conditions'],
  ];
  for (const [one, other] of same) assert.deepEqual(at(one), at(other), `${one} and ${other}`);
});

test('the valid examples are valid, and use every field', () => {
  const resources = validResources();
  assert.deepEqual(resources.flatMap(validateResource), []);
  const used = new Set(resources.flatMap(({ kind, body }) => pathsIn(body).map((path) => `${kind}.${path}`)));
  const unused = fields
    .filter(({ path }) => !path.endsWith('{}'))
    .map(nameOf)
    .filter((name) => !used.has(name));
  assert.deepEqual(unused, []);
});

/** As `Default: Terminate.` and `Default: ["200-399"].` are read. */
function parseDefault(text: string): unknown {
  return /^["[{\d]|^(true|false)$/.test(text) ? JSON.parse(text) : text;
}

function pathsIn(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((entry) => pathsIn(entry, `${path}[]`))];
  if (typeof value !== 'object' || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, child]) =>
    pathsIn(child, path === '' ? key : `${path}.${key}`),
  );
  return [path, ...below];
}
