/**
 * What a server-side apply would change, told from the object's managed fields: whether each field that we want is
 * ours and has our value, and whether something is ours that we no longer want. What others own is left alone.
 */
import { isDeepStrictEqual } from 'node:util';
import { isRecord } from './errors.ts';
import type { FieldSet, KubernetesObject } from './objects.ts';

export interface Difference {
  /** As in `.spec.template.spec.containers[name=proxy].image`. */
  readonly path: string;
  /** `undefined` when the field is no longer wanted. Both may be secret. */
  readonly wanted: unknown;
  readonly found: unknown;
}

/** Fields that say which object is meant. */
const IDENTITY = new Set(['.apiVersion', '.kind', '.metadata.name', '.metadata.namespace', '.metadata.uid']);

/**
 * @param desired plain JSON
 * @param subresource `''` for the object itself, `status`
 */
export function differencesFrom(
  live: KubernetesObject,
  desired: object,
  manager: string,
  subresource: string,
): Difference[] {
  const entry = (live.metadata.managedFields ?? []).find(
    (candidate) =>
      candidate.manager === manager &&
      candidate.operation === 'Apply' &&
      (candidate.subresource ?? '') === subresource,
  );
  const differences: Difference[] = [];
  compare(desired, live, entry?.fieldsV1 ?? {}, '', differences);
  return differences;
}

function compare(
  wanted: unknown,
  found: unknown,
  owned: FieldSet,
  path: string,
  differences: Difference[],
): void {
  const steps = Object.keys(owned).filter((step) => step !== '.');
  // Neither the object nor its metadata is ever owned as one; all else without steps is: a value, or a map or list
  // that is replaced as a whole.
  if (steps.length === 0 && path !== '' && path !== '.metadata') {
    if (!isDeepStrictEqual(wanted, found)) differences.push({ path, wanted, found });
  } else if (steps.length === 0 || steps[0]?.startsWith('f:')) {
    compareFields(wanted, found, owned, path, differences);
  } else {
    compareItems(wanted, found, owned, path, differences);
  }
}

function compareFields(
  wanted: unknown,
  found: unknown,
  owned: FieldSet,
  path: string,
  differences: Difference[],
): void {
  if (!isRecord(wanted) || !isRecord(found)) {
    differences.push({ path, wanted, found });
    return;
  }
  for (const [field, value] of Object.entries(wanted)) {
    const at = `${path}.${field}`;
    if (IDENTITY.has(at)) continue;
    const set = owned[`f:${field}`];
    if (set !== undefined) compare(value, found[field], set, at, differences);
    // What only holds fields that say which object is meant is nothing to own.
    else if (at === '.metadata') compare(value, found[field], {}, at, differences);
    else differences.push({ path: at, wanted: value, found: found[field] });
  }
  for (const step of Object.keys(owned)) {
    const field = step.slice(2);
    if (step.startsWith('f:') && !(field in wanted)) {
      differences.push({ path: `${path}.${field}`, wanted: undefined, found: found[field] });
    }
  }
}

/** A list whose items are owned one by one, in whatever order. */
function compareItems(
  wanted: unknown,
  found: unknown,
  owned: FieldSet,
  path: string,
  differences: Difference[],
): void {
  if (!Array.isArray(wanted) || !Array.isArray(found)) {
    differences.push({ path, wanted, found });
    return;
  }
  const left = new Set<unknown>(wanted);
  for (const [step, set] of Object.entries(owned)) {
    if (step === '.') continue;
    const key: unknown = step.startsWith('k:') || step.startsWith('v:') ? JSON.parse(step.slice(2)) : null;
    const mine = itemAt(wanted, step, key);
    const theirs = itemAt(found, step, key);
    const at = `${path}[${inWords(step, key)}]`;
    if (mine === undefined) differences.push({ path: at, wanted: undefined, found: theirs });
    else compare(mine, theirs, set, at, differences);
    left.delete(mine);
  }
  for (const item of left) differences.push({ path: `${path}[]`, wanted: item, found: undefined });
}

function itemAt(list: readonly unknown[], step: string, key: unknown): unknown {
  if (step.startsWith('i:')) return list[Number(step.slice(2))];
  if (step.startsWith('v:')) return list.find((item) => isDeepStrictEqual(item, key));
  const keys = Object.entries(isRecord(key) ? key : {});
  const isExact = (item: unknown) =>
    isRecord(item) && keys.every(([name, value]) => isDeepStrictEqual(item[name], value));
  // A key may be a default that we leave to the server, such as a port's protocol.
  const isPossible = (item: unknown) =>
    isRecord(item) && keys.every(([name, value]) => !(name in item) || isDeepStrictEqual(item[name], value));
  return list.find(isExact) ?? list.find(isPossible);
}

function inWords(step: string, key: unknown): string {
  if (!isRecord(key)) return step.slice(2);
  return Object.entries(key)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(',');
}
