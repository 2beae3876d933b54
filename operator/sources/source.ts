import type { Diagnostic, Resource } from '../resources/index.ts';

/** What a source of resources holds at one moment. */
export interface SourceState {
  /** Their contents are not checked yet. */
  readonly resources: readonly Resource[];
  /** What could not be read, and what was skipped. */
  readonly diagnostics: readonly Diagnostic[];
  /**
   * Whether everything could be read. When not, nobody can tell which objects are missing, so a
   * configuration that is in effect must not be replaced by this one.
   */
  readonly complete: boolean;
}
