import type { Snapshot } from '../../proxy/config/snapshot.ts';
import { compileWithLastGood, type LastGood, NOTHING_GOOD } from '../compile/last-good.ts';
import { type Diagnostic, sortDiagnostics } from '../resources/index.ts';
import type { SourceState } from './source.ts';

/** What is in effect, and what is to be said about the resources as they are now. */
export interface Configuration {
  readonly snapshots: readonly Snapshot[];
  readonly diagnostics: readonly Diagnostic[];
  /** Whether `snapshots` were made from the state that was passed in; if not, they are those from before. */
  readonly applied: boolean;
  readonly good: LastGood;
}

/**
 * What a change of the source leads to.
 *
 * - Something could not be read: nobody knows which objects are missing, so all stays as it is. Without a
 *   configuration from before there are no snapshots, as a part of what was meant may be worse than nothing:
 *   a rule list may be in the file that could not be read.
 * - An object is invalid: its last good version holds, or it is left out where there is none.
 *
 * Pure, like `compile`.
 */
export function nextConfiguration(
  previous: Configuration | null,
  state: SourceState,
  nowMs: number,
): Configuration {
  const good = previous?.good ?? NOTHING_GOOD;
  if (!state.complete) {
    return {
      snapshots: previous?.snapshots ?? [],
      // No word about the objects that could be read: their references may lead to those that could not.
      diagnostics: sortDiagnostics([...state.diagnostics]),
      applied: false,
      good,
    };
  }
  const compiled = compileWithLastGood(good, { resources: state.resources, now: nowMs });
  return {
    snapshots: compiled.snapshots,
    diagnostics: sortDiagnostics([...state.diagnostics, ...compiled.diagnostics]),
    applied: true,
    good: compiled.good,
  };
}
