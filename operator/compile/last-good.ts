import type { Diagnostic, Resource } from '../resources/index.ts';
import { diagnose, formatDiagnostic, objectName, sortDiagnostics } from '../resources/index.ts';
import { type CompileInput, type CompileResult, compile } from './compile.ts';
import { resourceKey } from './objects.ts';

/** The last version of each object that was of use, by `Kind/namespace/name`. */
export type LastGood = ReadonlyMap<string, Resource>;

/** No object has been of use yet. */
export const NOTHING_GOOD: LastGood = new Map();

/** The next resources, with a good version in the place of each rejected object that has one. */
export interface Repaired {
  readonly resources: readonly Resource[];
  /** The keys of the objects that were replaced. */
  readonly kept: ReadonlySet<string>;
}

/**
 * Puts the last good version of an object where its new version was rejected. An object that is no longer
 * there stays away: taking it out is no mistake.
 */
export function withLastGood(
  previous: LastGood,
  next: readonly Resource[],
  rejected: ReadonlySet<string>,
): Repaired {
  const kept = new Set<string>();
  const resources: Resource[] = [];
  for (const resource of next) {
    const key = resourceKey(resource);
    const good = rejected.has(key) ? previous.get(key) : undefined;
    if (good === undefined) resources.push(resource);
    // A rejected object that is there twice is replaced once.
    else if (!kept.has(key)) resources.push(good);
    if (good !== undefined) kept.add(key);
  }
  return { resources, kept };
}

export interface KeptResult extends CompileResult {
  /** Those of the rejected objects whose last good version is in effect, as `Kind/namespace/name`. */
  readonly kept: ReadonlySet<string>;
  /** To be passed in the next time. */
  readonly good: LastGood;
}

/** Others refer to them, and may be fine again with their last good version. */
const LEAVES: readonly Resource['kind'][] = ['Secret', 'ConfigMap'];

/**
 * Compiles, and then again with the last good version of each object that was rejected. What was wrong with the new
 * version is reported all the same, together with the fact that the old one holds.
 */
export function compileWithLastGood(previous: LastGood, input: CompileInput): KeptResult {
  let result = compile(input);
  let { resources } = input;
  const replaced = new Set<string>();
  /** What is wrong with the new version of each object that was replaced. */
  const said = new Map<string, readonly Diagnostic[]>();
  for (;;) {
    const candidates = input.resources.filter((resource) => {
      const key = resourceKey(resource);
      return result.rejected.has(key) && previous.has(key) && !replaced.has(key);
    });
    const leaves = candidates.filter(({ kind }) => LEAVES.includes(kind));
    if (candidates.length === 0) break;
    for (const resource of leaves.length > 0 ? leaves : candidates) {
      const object = objectName(resource);
      replaced.add(resourceKey(resource));
      said.set(
        object,
        result.diagnostics.filter((diagnostic) => diagnostic.object === object),
      );
    }
    ({ resources } = withLastGood(previous, input.resources, replaced));
    result = compile({ ...input, resources });
  }
  // What an object refers to may be gone by now, so that its earlier version is of no use either.
  const kept = new Set([...replaced].filter((key) => !result.rejected.has(key)));
  return {
    snapshots: result.snapshots,
    diagnostics: mergeDiagnostics(input.resources, kept, said, result.diagnostics),
    rejected: new Set([...result.rejected, ...replaced].sort()),
    facts: result.facts,
    kept,
    good: goodOf(previous, resources, result.rejected),
  };
}

/** An object that is rejected keeps the version that was good before, which may be so again. */
function goodOf(previous: LastGood, resources: readonly Resource[], rejected: ReadonlySet<string>): LastGood {
  const good = new Map<string, Resource>();
  for (const resource of resources) {
    const key = resourceKey(resource);
    const version = rejected.has(key) ? previous.get(key) : resource;
    if (version !== undefined && !good.has(key)) good.set(key, version);
  }
  return good;
}

/** About a replaced object: what is wrong with its new version. About the others: what holds in the end. */
function mergeDiagnostics(
  resources: readonly Resource[],
  kept: ReadonlySet<string>,
  said: ReadonlyMap<string, readonly Diagnostic[]>,
  diagnostics: readonly Diagnostic[],
): readonly Diagnostic[] {
  if (said.size === 0) return diagnostics;
  const holding = new Map<string, Resource>();
  for (const resource of resources) {
    if (kept.has(resourceKey(resource))) holding.set(objectName(resource), resource);
  }
  const notes = [...holding.values()].map((resource) =>
    diagnose(resource, [], {
      severity: 'warning',
      code: 'KeptLastGood',
      message: 'the last valid version of this object stays in effect',
    }),
  );
  const merged = [
    ...[...said.values()].flat(),
    ...notes,
    ...diagnostics.filter(({ object }) => !said.has(object)),
  ];
  const unique = new Map(merged.map((diagnostic) => [formatDiagnostic(diagnostic), diagnostic]));
  return sortDiagnostics([...unique.values()]);
}
