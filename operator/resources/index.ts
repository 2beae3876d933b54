/** Resources: their types, reading them from files, and checking them against the CRDs. */

export { type DefaultsPath, defaults, withDefaults } from './defaults.ts';
export {
  anyOf,
  type Diagnostic,
  type DiagnosticCode,
  describeHidden,
  describeValue,
  diagnose,
  diagnosticCodes,
  formatDiagnostic,
  objectName,
  oneLine,
  sortDiagnostics,
} from './diagnostics.ts';
export { isClusterScoped, isOwnKind } from './kinds.ts';
export { type LoadResult, loadResources } from './load.ts';
export { nearest } from './suggest.ts';
export type * from './types.ts';
export { validateResource } from './validate.ts';
