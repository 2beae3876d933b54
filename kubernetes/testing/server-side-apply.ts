/**
 * Server-side apply without schemas: every map is merged by field, lists of objects with a `name`, `type` or `uid`
 * by that key, other lists are atomic.
 */
import { isRecord } from '../errors.ts';
import type { FieldSet, KubernetesObject, ManagedFields } from '../objects.ts';
import { Refusal } from './status.ts';

interface Place {
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

const LIST_KEYS = ['name', 'type', 'uid'];
const IDENTITY = new Set(['apiVersion', 'kind']);

type Path = readonly string[];

/** @returns the object as it is to be stored. */
export function applyPatch(
  known: KubernetesObject | null,
  applied: KubernetesObject,
  query: URLSearchParams,
  { subresource = '', name, namespace }: Place,
): KubernetesObject {
  if (known === null && subresource !== '') throw new Refusal(404, 'NotFound', `"${name}" not found`);
  const manager = query.get('fieldManager');
  if (manager === null) throw new Refusal(400, 'BadRequest', 'fieldManager is required');
  const entries = known?.metadata.managedFields ?? [];
  const isMine = (entry: ManagedFields) =>
    entry.manager === manager && entry.operation === 'Apply' && (entry.subresource ?? '') === subresource;
  const mine = entries.find(isMine);
  const wanted = fieldsOf(content(applied));
  let others = entries.filter((entry) => entry !== mine);
  const conflicts = others.flatMap((entry) =>
    leaves(entry.fieldsV1 ?? {})
      .filter((path) => has(wanted, path) && !same(known, applied, path))
      .map((path) => ({ entry, path })),
  );
  if (conflicts.length > 0 && query.get('force') !== 'true') {
    const causes = conflicts.map(({ entry, path }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with "${entry.manager}" using ${entry.apiVersion}`,
      field: path.map((step) => `.${step.slice(2)}`).join(''),
    }));
    throw new Refusal(409, 'Conflict', `Apply failed with ${causes.length} conflict`, causes);
  }
  for (const { entry, path } of conflicts) {
    others = others.map((other) =>
      other === entry ? { ...other, fieldsV1: without(other.fieldsV1 ?? {}, path) } : other,
    );
  }
  const dropped = leaves(mine?.fieldsV1 ?? {}).filter(
    (path) => !has(wanted, path) && !others.some(({ fieldsV1 }) => has(fieldsV1 ?? {}, path)),
  );
  const base = structuredClone(
    known ?? { apiVersion: applied.apiVersion, kind: applied.kind, metadata: { name: name ?? '' } },
  );
  for (const path of dropped) remove(base, path);
  const merged = merge(base, content(applied)) as KubernetesObject;
  const entry = {
    manager,
    operation: 'Apply',
    apiVersion: applied.apiVersion,
    fieldsType: 'FieldsV1',
    fieldsV1: wanted,
  };
  const managedFields = [...others, subresource === '' ? entry : { ...entry, subresource }];
  return {
    ...merged,
    metadata: {
      ...merged.metadata,
      name: name ?? '',
      ...(namespace !== undefined && { namespace }),
      managedFields,
    },
  };
}

/** What of an applied object is fields, rather than its name. */
function content({ metadata, ...rest }: KubernetesObject): Record<string, unknown> {
  const { name: _n, namespace: _ns, uid: _u, resourceVersion: _r, managedFields: _m, ...others } = metadata;
  const fields = Object.fromEntries(Object.entries(rest).filter(([field]) => !IDENTITY.has(field)));
  return Object.keys(others).length > 0 ? { ...fields, metadata: others } : fields;
}

function listKey(list: readonly unknown[]): string | null {
  return (
    LIST_KEYS.find((key) => list.length > 0 && list.every((item) => isRecord(item) && key in item)) ?? null
  );
}

function stepOf(key: string, item: unknown): string {
  return `k:${JSON.stringify({ [key]: (item as Record<string, unknown>)[key] })}`;
}

function fieldsOf(value: unknown): FieldSet {
  if (Array.isArray(value)) {
    const key = listKey(value);
    if (key === null) return {};
    return Object.fromEntries(value.map((item) => [stepOf(key, item), { '.': {}, ...fieldsOf(item) }]));
  }
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([field, child]) => [`f:${field}`, fieldsOf(child)]));
}

function leaves(set: FieldSet, path: Path = []): Path[] {
  const steps = Object.entries(set).filter(([step]) => step !== '.');
  if (steps.length === 0) return path.length === 0 ? [] : [path];
  return steps.flatMap(([step, child]) => leaves(child, [...path, step]));
}

function has(set: FieldSet, path: Path): boolean {
  let at: FieldSet | undefined = set;
  for (const step of path) {
    at = at[step];
    if (at === undefined) return false;
  }
  return true;
}

function without(set: FieldSet, [step = '', ...rest]: Path): FieldSet {
  const { [step]: child, ...others } = set;
  if (rest.length === 0 || child === undefined) return others;
  return { ...others, [step]: without(child, rest) };
}

function child(value: unknown, step: string): unknown {
  if (step.startsWith('f:')) return isRecord(value) ? value[step.slice(2)] : undefined;
  const keys = Object.entries(JSON.parse(step.slice(2)) as Record<string, unknown>);
  return Array.isArray(value)
    ? value.find((item) => keys.every(([key, wanted]) => item[key] === wanted))
    : undefined;
}

function same(a: unknown, b: unknown, path: Path): boolean {
  return JSON.stringify(path.reduce(child, a)) === JSON.stringify(path.reduce(child, b));
}

/** A list item goes as a whole, when the field that is its key goes. */
function remove(value: unknown, path: Path): void {
  const last = path.at(-1) ?? '';
  const parent = path.slice(0, -1).reduce(child, value);
  const [, keys] = /^k:(.*)$/.exec(path.at(-2) ?? '') ?? [];
  if (keys !== undefined && last.slice(2) in (JSON.parse(keys) as object)) {
    const list = path.slice(0, -2).reduce(child, value);
    if (Array.isArray(list) && parent !== undefined) list.splice(list.indexOf(parent), 1);
  } else if (isRecord(parent)) {
    delete parent[last.slice(2)];
  }
}

function merge(base: unknown, applied: unknown): unknown {
  if (Array.isArray(applied) && Array.isArray(base)) {
    const key = listKey(applied);
    if (key === null) return applied;
    const merged = base.map((item) => {
      const mine = applied.find((other) => other[key] === item[key]);
      return mine === undefined ? item : merge(item, mine);
    });
    return [...merged, ...applied.filter((item) => !base.some((other) => other[key] === item[key]))];
  }
  if (!isRecord(applied)) return applied;
  const result: Record<string, unknown> = isRecord(base) ? { ...base } : {};
  for (const [field, value] of Object.entries(applied)) result[field] = merge(result[field], value);
  return result;
}
