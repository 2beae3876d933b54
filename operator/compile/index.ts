/** From resources to snapshots: `compile` is the whole of it, the rest helps to use and check it. */

export { type CompileInput, type CompileResult, compile } from './compile.ts';
export type { Environment } from './environment.ts';
export type { CompileFacts } from './facts.ts';
export { type CompileCode, compileCodes } from './report.ts';
export { validateSnapshot } from './validate-snapshot.ts';
