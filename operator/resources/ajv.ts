/** Structural schemas of Kubernetes, checked by ajv. */
import { Ajv, type AnySchemaObject, type ErrorObject, type ValidateFunction } from 'ajv';
import type { Schema } from './schemas.ts';

/** Two entries of a list that must differ. */
export interface Duplicate {
  index: number;
  first: number;
  /** The fields that must be unique together; empty when the entries themselves must be. */
  keys: string[];
}

const ajv = new Ajv({
  allErrors: true,
  // An error carries the value and the schema that it broke.
  verbose: true,
  messages: false,
  strict: true,
  allowUnionTypes: true,
  // A document may have a key such as __proto__ or constructor.
  ownProperties: true,
});

// In the library's own check of a pattern the length of the text has no bound, even where maxLength is set:
// a long text could keep it busy.
ajv.removeKeyword('pattern');
ajv.addKeyword({
  keyword: 'pattern',
  type: 'string',
  schemaType: 'string',
  compile(pattern: string, parent: AnySchemaObject) {
    const { maxLength = Number.POSITIVE_INFINITY } = parent as Schema;
    const expression = new RegExp(pattern, 'u');
    // Beyond the limit maxLength has its say.
    return (text: string) => text.length > maxLength * 2 || expression.test(text);
  },
});

ajv.addKeyword({
  keyword: 'x-base64',
  type: 'string',
  schemaType: 'boolean',
  validate: (_: boolean, text: string) => isBase64(text),
});

ajv.addKeyword({
  keyword: 'x-unique',
  type: 'array',
  schemaType: 'array',
  errors: 'full',
  compile(keys: string[]) {
    const validate = (entries: unknown[]): boolean => {
      const duplicates = duplicatesOf(entries, keys);
      const errors = duplicates.map((params) => ({ keyword: 'x-unique', params }));
      (validate as { errors?: Partial<ErrorObject>[] }).errors = errors;
      return errors.length === 0;
    };
    return validate;
  },
});

export function compileSchema(schema: Schema): ValidateFunction {
  return ajv.compile(toJsonSchema(schema));
}

/** The same schema in the words of JSON Schema; fields that are not in it are errors. */
function toJsonSchema(schema: Schema): Record<string, unknown> {
  if (schema['x-kubernetes-preserve-unknown-fields'] && !schema.properties) {
    return schema.type ? { type: schema.type } : {};
  }
  const {
    properties,
    additionalProperties,
    items,
    anyOf: _types,
    format: _format,
    description: _description,
    'x-kubernetes-int-or-string': intOrString,
    'x-kubernetes-preserve-unknown-fields': preserve,
    'x-kubernetes-list-type': listType,
    'x-kubernetes-list-map-keys': mapKeys = [],
    'x-kubernetes-validations': _rules,
    ...plain
  } = schema;
  const result: Record<string, unknown> = { ...plain };
  if (intOrString) result.type = ['integer', 'string'];
  if (properties) {
    result.properties = Object.fromEntries(
      Object.entries(properties).map(([name, property]) => [name, toJsonSchema(property)]),
    );
    if (!preserve) result.additionalProperties = false;
  }
  if (additionalProperties) result.additionalProperties = toJsonSchema(additionalProperties);
  if (items) result.items = toJsonSchema(items);
  if (listType === 'map' || listType === 'set') result['x-unique'] = mapKeys;
  return result;
}

function duplicatesOf(entries: unknown[], keys: string[]): Duplicate[] {
  const firsts = new Map<string, number>();
  const duplicates: Duplicate[] = [];
  entries.forEach((entry, index) => {
    const identity = identityOf(entry, keys);
    if (identity === undefined) return;
    const first = firsts.get(identity);
    if (first === undefined) firsts.set(identity, index);
    else duplicates.push({ index, first, keys });
  });
  return duplicates;
}

/** Undefined when something is missing or of a wrong type, which is reported elsewhere. */
function identityOf(entry: unknown, keys: string[]): string | undefined {
  if (keys.length === 0) return isScalar(entry) ? JSON.stringify(entry) : undefined;
  if (typeof entry !== 'object' || entry === null) return undefined;
  const values = keys.map((key) => (entry as Record<string, unknown>)[key]);
  return values.every(isScalar) ? JSON.stringify(values) : undefined;
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** As Go reads it: padded, and line breaks do not matter. */
function isBase64(text: string): boolean {
  const plain = text.replace(/[\r\n]/g, '');
  if (plain.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(plain)) return false;
  return true;
}
