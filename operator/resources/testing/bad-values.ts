/** For every field of every CRD, values that its schema refuses, made from the schema. */
import type { Schema } from '../schemas.ts';
import { type Field, type Keys, keysOf } from './schemas.ts';

export interface BadValue {
  keys: Keys;
  value: unknown;
  /** Of the diagnostic that it must give. */
  code: string;
}

/** Values that break the schema of a field, with the code of the diagnostic that each must give. */
export function badValues({ path, schema }: Field): BadValue[] {
  const keys = keysOf(path);
  const bad: BadValue[] = [];
  const add = (code: string, value: unknown, at: Keys = keys) => bad.push({ keys: at, value, code });

  const { type, minimum, maximum, minLength, maxLength, pattern, minItems, maxItems, required = [] } = schema;
  const { minProperties, maxProperties, additionalProperties, properties, items } = schema;
  const isIntOrString = schema['x-kubernetes-int-or-string'] === true;
  add('WrongType', type === 'object' ? [] : type === 'boolean' ? 'yes' : {});
  add('MissingField', null);
  if (schema.enum && typeof schema.enum[0] === 'string') add('WrongValue', 'Nonsense');
  if (type === 'integer') add('WrongType', 1.5);
  // Of several keywords about one value only one is reported, and a list of values is the narrower one.
  if (minimum !== undefined && !schema.enum) add('WrongRange', minimum - 1);
  if (maximum !== undefined && !schema.enum) add('WrongRange', maximum + 1);
  if (schema.enum && typeof schema.enum[0] === 'number') add('WrongValue', 305);
  if (minLength) add('WrongLength', '');
  if (maxLength !== undefined) add('WrongLength', 'a'.repeat(maxLength + 1));
  if (pattern) add('WrongFormat', isIntOrString ? 'many' : '\u0001');
  if (minItems) add('WrongLength', []);
  if (maxItems !== undefined)
    add(
      'WrongLength',
      Array.from({ length: maxItems + 1 }, () => sample(items!)),
    );
  if (minProperties) add('WrongLength', {});
  if (maxProperties !== undefined) {
    const names = Array.from({ length: maxProperties + 1 }, (_, index) => [
      `k${index}`,
      sample(additionalProperties!),
    ]);
    add('WrongLength', Object.fromEntries(names));
  }
  if (properties) add('UnknownField', 1, [...keys, 'nonsense']);
  for (const name of required) {
    const others = Object.keys(properties!).filter((other) => other !== name);
    add('MissingField', Object.fromEntries(others.map((other) => [other, sample(properties![other]!)])));
    bad.at(-1)!.keys = [...keys];
  }
  const listType = schema['x-kubernetes-list-type'];
  if (listType === 'set' || listType === 'map') add('DuplicateEntry', [sample(items!), sample(items!)]);
  return bad;
}

/** A value of the right type; it need not be valid otherwise. */
function sample(schema: Schema): unknown {
  if (schema.enum) return schema.enum[0];
  switch (schema.type) {
    case 'object': {
      const names = schema.required ?? [];
      return Object.fromEntries(names.map((name) => [name, sample(schema.properties![name]!)]));
    }
    case 'array':
      return [sample(schema.items!)];
    case 'boolean':
      return true;
    case 'integer':
    case 'number':
      return schema.minimum ?? 0;
    default:
      return 'a';
  }
}
