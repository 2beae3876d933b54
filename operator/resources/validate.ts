/** Checking resources against the schemas and rules of the CRDs. */
import type { ErrorObject, ValidateFunction } from 'ajv';
import { compileSchema, type Duplicate } from './ajv.ts';
import { compileRules, evaluateRules, type RuleTree } from './cel.ts';
import { describeSchema, range } from './describe-schema.ts';
import {
  anyOf,
  type Diagnostic,
  type DiagnosticCode,
  describeHidden,
  describeValue,
  diagnose,
  sortDiagnostics,
} from './diagnostics.ts';
import { isOwnKind } from './kinds.ts';
import { type Rule, type Schema, schemaOf } from './schemas.ts';
import { isHidden } from './secrecy.ts';
import { nearest } from './suggest.ts';
import type { FieldPath, Kind, Resource } from './types.ts';

interface Validator {
  schema: Schema;
  validate: ValidateFunction;
  rules: RuleTree | undefined;
}

const validators = new Map<Kind, Validator>();

/**
 * Everything that the schema and the CEL rules of its kind say against a resource, by place. Rules of an
 * object are left out where a field of it is missing, misspelt or of a wrong type, since they would only say
 * the same again. Values of secrets are never in a message.
 *
 * What an API server has taken in follows its schemas, which may be newer than ours; only our own kinds are
 * checked then.
 */
export function validateResource(resource: Resource): Diagnostic[] {
  const isAdmitted = resource.source.admitted === true;
  if (isAdmitted && !isOwnKind(resource.kind)) return [];
  const { schema, validate, rules } = validatorOf(resource.kind);
  const body: unknown = resource.body;
  const errors = (validate(body) ? [] : worstOfEachField(validate.errors!, body)).filter(
    ({ path }) => !isAdmitted || path[0] !== 'metadata',
  );
  const diagnostics = errors.map(({ error, path }) => explain(resource, error, path, schema));
  if (rules) {
    const misshapen = new Set(errors.filter(({ error }) => misshaping.has(error.keyword)).flatMap(objectsOf));
    evaluateRules(rules, body, [], (path, rule, outcome) => {
      // As in the API server, a rule that cannot be evaluated does not hold; but when the shape is wrong
      // somewhere below, that is the reason, and it has been told.
      const isTold = outcome === 'failed' ? errors.length > 0 : misshapen.has(keyOf(path));
      if (!isTold) diagnostics.push(explainRule(resource, path, rule));
    });
  }
  return sortDiagnostics(diagnostics);
}

interface FieldError {
  error: ErrorObject;
  path: FieldPath;
}

/** A value of a wrong type also breaks every other keyword: the first of these says enough. */
const keywordsByWeight = ['type', 'enum', 'minLength', 'maxLength'];

function worstOfEachField(errors: ErrorObject[], body: unknown): FieldError[] {
  const worst = new Map<string, FieldError>();
  for (const error of errors) {
    const path = pathOf(error, body);
    // A duplicate is about two entries, and says nothing against the fields of either.
    const key = error.keyword === 'x-unique' ? `unique ${keyOf(path)}` : keyOf(path);
    const other = worst.get(key);
    if (!other || weightOf(error) < weightOf(other.error)) worst.set(key, { error, path });
  }
  return [...worst.values()];
}

function weightOf(error: ErrorObject): number {
  const index = keywordsByWeight.indexOf(error.keyword);
  return index === -1 ? keywordsByWeight.length : index;
}

const misshaping = new Set(['type', 'required', 'additionalProperties']);

/** The field itself and the object around it. */
function objectsOf({ path }: FieldError): string[] {
  return [keyOf(path), keyOf(path.slice(0, -1))];
}

function keyOf(path: FieldPath): string {
  return JSON.stringify(path);
}

function validatorOf(kind: Kind): Validator {
  let validator = validators.get(kind);
  if (!validator) {
    const schema = schemaOf(kind);
    validator = { schema, validate: compileSchema(schema), rules: compileRules(schema) };
    validators.set(kind, validator);
  }
  return validator;
}

/** The path of the field that an error is about, with indexes of lists as numbers. */
function pathOf(error: ErrorObject, body: unknown): FieldPath {
  const path: (string | number)[] = [];
  let value = body;
  for (const part of error.instancePath.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const key = Array.isArray(value) ? Number(name) : name;
    path.push(key);
    value = (value as Record<string | number, unknown>)[key];
  }
  if (error.keyword === 'required') path.push((error.params as { missingProperty: string }).missingProperty);
  if (error.keyword === 'additionalProperties') {
    path.push((error.params as { additionalProperty: string }).additionalProperty);
  }
  if (error.keyword === 'x-unique') path.push((error.params as Duplicate).index);
  return path;
}

function explain(resource: Resource, error: ErrorObject, path: FieldPath, root: Schema): Diagnostic {
  const schema = schemaAt(root, error.keyword === 'x-unique' ? path.slice(0, -1) : path);
  const hidden = isHidden(resource.kind, path);
  const found = hidden ? describeHidden(error.data) : describeValue(error.data);
  const expected = describeSchema(schema);
  const finding = (code: DiagnosticCode, asFound = found, asExpected = expected) =>
    diagnose(resource, path, { code, found: asFound, expected: asExpected });

  switch (error.keyword) {
    case 'type': {
      if (error.data === null) return finding('MissingField');
      const written = typeof error.data === 'boolean' ? resource.source.written?.(path) : undefined;
      const unquoted = written && written !== String(error.data) && /^[a-z]+$/i.test(written);
      return finding('WrongType', unquoted ? `${found} (${written} without quotes means that)` : found);
    }
    case 'enum': {
      const suggestion =
        typeof error.data === 'string' && nearest(error.data, (schema.enum ?? []).map(String));
      return finding(
        'WrongValue',
        found,
        suggestion ? `${expected} (did you mean ${suggestion}?)` : expected,
      );
    }
    case 'required':
      return finding('MissingField', 'nothing');
    case 'additionalProperties': {
      const known = Object.keys(schemaAt(root, path.slice(0, -1)).properties ?? {});
      const suggestion = nearest(String(path.at(-1)), known);
      const wanted = suggestion ?? (known.length > 12 ? 'a field of this object' : anyOf(known));
      return diagnose(resource, path, {
        code: 'UnknownField',
        found: 'an unknown field',
        expected: wanted,
        message: suggestion
          ? `unknown field, did you mean ${suggestion}?`
          : `unknown field, expected ${wanted}`,
      });
    }
    case 'minimum':
    case 'maximum':
      return finding('WrongRange');
    case 'minLength':
      return finding('WrongLength');
    case 'maxLength':
      return finding('WrongLength', `${[...(error.data as string)].length} characters`);
    case 'minItems':
    case 'maxItems': {
      const { length } = error.data as unknown[];
      const bounds = `a list${range(schema.minItems, schema.maxItems, 'entries')}`;
      return finding('WrongLength', length === 1 ? '1 entry' : `${length} entries`, bounds);
    }
    case 'minProperties':
    case 'maxProperties': {
      const { length } = Object.keys(error.data as object);
      const noun = schema.properties ? 'fields' : 'entries';
      const bounds = `an object${range(schema.minProperties, schema.maxProperties, noun)}`;
      return finding('WrongLength', `${length} ${noun}`, bounds);
    }
    case 'pattern':
      return finding('WrongFormat');
    case 'x-base64':
      return finding('WrongFormat', found, 'base64');
    case 'x-unique': {
      const { index, first, keys } = error.params as Duplicate;
      const entry = (error.data as unknown[])[index];
      const value = keys.length === 0 ? entry : (entry as Record<string, unknown>)[keys[0]!];
      const what = keys.length === 0 ? describeValue(value) : `${keys[0]} ${describeValue(value)}`;
      return finding('DuplicateEntry', `${what} again`, `another one than in entry [${first}]`);
    }
    default:
      throw new Error(`no text for the schema keyword ${error.keyword}`);
  }
}

function explainRule(resource: Resource, path: FieldPath, { message, fieldPath = '' }: Rule): Diagnostic {
  const field = [...path, ...fieldPath.split('.').slice(1)];
  const value = valueAt(resource.body, field);
  const finding = { code: 'BrokenRule', expected: message };
  if (typeof value === 'object' && value !== null) return diagnose(resource, field, { ...finding, message });
  const found = isHidden(resource.kind, field) ? describeHidden(value) : describeValue(value);
  return diagnose(resource, field, { ...finding, found, message: `found ${found}: ${message}` });
}

/** The schema of a field; of an unknown one, that of the nearest field above. */
function schemaAt(root: Schema, path: FieldPath): Schema {
  let schema = root;
  for (const key of path) {
    const { items, properties, additionalProperties } = schema;
    const own = properties && Object.hasOwn(properties, key) ? properties[key] : undefined;
    const next = typeof key === 'number' && items ? items : (own ?? additionalProperties);
    if (!next) break;
    schema = next;
  }
  return schema;
}

function valueAt(body: unknown, path: FieldPath): unknown {
  let value = body;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}
