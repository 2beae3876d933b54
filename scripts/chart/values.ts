/** The values of the chart, from `values.yaml` (defaults and comments) and `values.schema.json` (types). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../crds.ts';

interface ValueSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly ValueSchema[];
  readonly items?: ValueSchema;
  readonly properties?: Readonly<Record<string, ValueSchema | boolean>>;
  readonly additionalProperties?: ValueSchema | boolean;
  readonly $defs?: Readonly<Record<string, ValueSchema>>;
}

/** One that a user sets as a whole. */
export interface ChartValue {
  /** Such as `image.tag`. */
  readonly path: string;
  readonly type: string;
  /** As YAML in one line. */
  readonly fallback: string;
  readonly description: string;
}

/** Helm gives it to every chart that another one depends on. */
const GLOBAL = 'global';

const folder = join(root, 'charts/sluice');
export const VALUES_FILE = join(folder, 'values.yaml');
export const SCHEMA_FILE = join(folder, 'values.schema.json');

/**
 * Every value, in the order of the file. What has a comment is set as a whole; what has none is a group.
 *
 * @throws where a value has no comment, is not in the schema, or is in the schema only
 */
export function readValues(
  text = readFileSync(VALUES_FILE, 'utf8'),
  schemaText = readFileSync(SCHEMA_FILE, 'utf8'),
): ChartValue[] {
  const comments = readComments(text);
  const schema = JSON.parse(schemaText) as ValueSchema;
  const found: ChartValue[] = [];
  const visit = (value: unknown, described: ValueSchema, path: readonly string[]): void => {
    const name = path.join('.');
    const resolved = resolve(described, schema);
    const description = comments.get(name);
    if (description !== undefined) {
      const type = typeOf(resolved, schema);
      found.push({ path: name, type, fallback: JSON.stringify(value), description });
      return;
    }
    const { properties, additionalProperties } = resolved;
    if (!isObject(value)) throw new Error(`values.yaml: no comment above ${name}`);
    if (properties === undefined || additionalProperties !== false)
      throw new Error(
        `values.yaml: no comment above ${name}, and values.schema.json does not list its fields`,
      );
    for (const [key, inner] of Object.entries(value)) {
      const property = properties[key];
      if (typeof property !== 'object') throw new Error(`values.schema.json: no ${[...path, key].join('.')}`);
      visit(inner, property, [...path, key]);
    }
    const missing = Object.keys(properties).find(
      (key) => !(key in value) && !(name === '' && key === GLOBAL),
    );
    if (missing !== undefined) throw new Error(`values.yaml: no ${[...path, missing].join('.')}`);
  };
  visit(parse(text), schema, []);
  return found;
}

/** The comment above each key, by its path. */
function readComments(text: string): Map<string, string> {
  const comments = new Map<string, string>();
  const parents: { readonly key: string; readonly indent: number }[] = [];
  let comment: string[] = [];
  for (const line of text.split('\n')) {
    const said = /^ *# ?(.*)$/.exec(line);
    if (said !== null) {
      comment.push(said[1]!);
      continue;
    }
    const [, indent, key] = /^( *)([\w.-]+):(?: |$)/.exec(line) ?? [];
    if (key !== undefined) {
      while ((parents.at(-1)?.indent ?? -1) >= indent!.length) parents.pop();
      parents.push({ key, indent: indent!.length });
      if (comment.length > 0) comments.set(parents.map((parent) => parent.key).join('.'), comment.join(' '));
    }
    comment = [];
  }
  return comments;
}

function typeOf(schema: ValueSchema, all: ValueSchema): string {
  const resolved = resolve(schema, all);
  if (resolved.enum !== undefined) return resolved.enum.join(', ');
  if (resolved.const !== undefined) return typeof resolved.const;
  if (resolved.anyOf !== undefined) {
    return [...new Set(resolved.anyOf.map((choice) => typeOf(choice, all)))].join(' or ');
  }
  if (resolved.type === 'array' && resolved.items !== undefined)
    return `list of ${typeOf(resolved.items, all)}s`;
  return String(resolved.type);
}

function resolve(schema: ValueSchema, all: ValueSchema): ValueSchema {
  const name = schema.$ref?.replace('#/$defs/', '');
  return name === undefined ? schema : all.$defs![name]!;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
