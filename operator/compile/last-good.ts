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

/**
 * Compiles, and then once more with the last good version of each object that was rejected. What was wrong
 * with the new version is reported all the same, together with the fact that the old one holds.
 */
export function compileWithLastGood(previous: LastGood, input: CompileInput): KeptResult {
  const first = compile(input);
  const { resources, kept } = withLastGood(previous, input.resources, first.rejected);
  if (kept.size === 0) return { ...first, kept, good: goodOf(previous, input.resources, first.rejected) };
  const second = compile({ ...input, resources });
  // What an object refers to may be gone by now, so that its earlier version is of no use either.
  const holding = new Set([...kept].filter((key) => !second.rejected.has(key)));
  return {
    snapshots: second.snapshots,
    diagnostics: mergeDiagnostics(input.resources, kept, holding, first.diagnostics, second.diagnostics),
    rejected: first.rejected,
    facts: second.facts,
    kept: holding,
    good: goodOf(previous, resources, second.rejected),
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
  holding: ReadonlySet<string>,
  first: readonly Diagnostic[],
  second: readonly Diagnostic[],
): Diagnostic[] {
  const replaced = new Map<string, Resource>();
  for (const resource of resources) {
    if (kept.has(resourceKey(resource))) replaced.set(objectName(resource), resource);
  }
  const held = [...replaced.values()].filter((resource) => holding.has(resourceKey(resource)));
  const notes = held.map((resource) =>
    diagnose(resource, [], {
      severity: 'warning',
      code: 'KeptLastGood',
      message: 'the last valid version of this object stays in effect',
    }),
  );
  const merged = [
    ...first.filter(({ object }) => replaced.has(object)),
    ...notes,
    ...second.filter(({ object }) => !replaced.has(object)),
  ];
  const unique = new Map(merged.map((diagnostic) => [formatDiagnostic(diagnostic), diagnostic]));
  return sortDiagnostics([...unique.values()]);
}
