/** Walking the CRD schemas, for tests that must miss no field. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadResources } from '../load.ts';
import { type Rule, type Schema, schemaOf } from '../schemas.ts';
import type { Kind, Resource } from '../types.ts';

export const ownKinds = ['EdgeGateway', 'BackendPool', 'FirewallRuleList'] as const satisfies Kind[];

export interface Field {
  kind: Kind;
  /** Such as `spec.listeners[].port`; `{}` stands for the keys of a map. */
  path: string;
  schema: Schema;
}

/** Every field below `spec` and `status`, with the entries of lists and maps. */
export function fieldsOf(kind: Kind): Field[] {
  const fields: Field[] = [];
  const visit = (path: string, schema: Schema): void => {
    fields.push({ kind, path, schema });
    for (const [name, property] of Object.entries(schema.properties ?? {}))
      visit(`${path}.${name}`, property);
    if (schema.items) visit(`${path}[]`, schema.items);
    if (schema.additionalProperties) visit(`${path}{}`, schema.additionalProperties);
  };
  const { properties } = schemaOf(kind);
  visit('spec', properties!.spec!);
  visit('status', properties!.status!);
  return fields;
}

export function rulesOf(kind: Kind): { path: string; rule: Rule }[] {
  const root = (schemaOf(kind)['x-kubernetes-validations'] ?? []).map((rule) => ({ path: '', rule }));
  const below = fieldsOf(kind).flatMap(({ path, schema }) =>
    (schema['x-kubernetes-validations'] ?? []).map((rule) => ({ path, rule })),
  );
  return [...root, ...below];
}

export function validResources(): Resource[] {
  const file = join(import.meta.dirname, '../golden/valid.yaml');
  return loadResources(readFileSync(file, 'utf8'), 'valid.yaml').resources;
}

/** The only resource of a text. */
export function resourceOf(text: string): Resource {
  const { resources, diagnostics } = loadResources(text, 'test.yaml');
  if (resources.length !== 1) throw new Error(JSON.stringify(diagnostics));
  return resources[0]!;
}

/** A resource whose body is a plain value, with every place at line 1. */
export function resourceFrom(kind: Kind, body: unknown): Resource {
  return {
    apiVersion: 'sluice.dev/v1alpha1',
    kind,
    namespace: 'default',
    name: 'test',
    labels: {},
    body,
    source: { file: 'test.yaml', locate: () => ({ line: 1, column: 1 }) },
  } as unknown as Resource;
}

export type Keys = (string | number)[];

/** `spec.listeners[].port` → `['spec', 'listeners', 0, 'port']`, with the first entry of every list and the key `key` of every map. */
export function keysOf(path: string): Keys {
  return path.split('.').flatMap((part) => {
    const name = part.replace(/(\[\]|\{\})+$/, '');
    const entries = part.slice(name.length).match(/\[\]|\{\}/g) ?? [];
    return [name, ...entries.map((entry) => (entry === '[]' ? 0 : 'key'))];
  });
}

/** Sets a field of a plain value, making the objects and lists above it; undefined removes it. */
export function setField(body: object, keys: Keys, value: unknown): void {
  let holder = body as Record<string | number, unknown>;
  keys.slice(0, -1).forEach((key, index) => {
    if (typeof holder[key] !== 'object' || holder[key] === null)
      holder[key] = typeof keys[index + 1] === 'number' ? [] : {};
    holder = holder[key] as Record<string | number, unknown>;
  });
  const last = keys.at(-1)!;
  if (value === undefined) delete holder[last];
  else holder[last] = value;
}
