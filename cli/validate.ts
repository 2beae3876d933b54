import { compile } from '../operator/compile/index.ts';
import {
  type Diagnostic,
  formatDiagnostic,
  sortDiagnostics,
  validateResource,
} from '../operator/resources/index.ts';
import { type InputOptions, readInput } from './input.ts';

export interface ValidateOptions extends InputOptions {
  readonly output: 'text' | 'json';
}

/** `sluice validate`: everything that is wrong, all at once. @returns 0 without errors, 1 with */
export async function validate(options: ValidateOptions): Promise<number> {
  const input = await readInput(options);
  if (input === null) return 1;
  const { state, environment } = input;
  // Where something could not be read, references may lead there: only what stands in each object can be judged.
  const diagnostics = state.complete
    ? compile({ resources: state.resources, now: Date.now(), environment }).diagnostics
    : state.resources.flatMap((resource) => validateResource(resource));
  const all = sortDiagnostics([...state.diagnostics, ...diagnostics]);
  const errors = all.filter(({ severity }) => severity === 'error').length;
  if (options.output === 'json')
    console.log(JSON.stringify({ valid: errors === 0, diagnostics: all }, null, 2));
  else {
    printDiagnostics(all, process.stdout);
    console.log(
      `${count(state.resources.length, 'object')}, ${count(errors, 'error')}, ${count(all.length - errors, 'warning')}`,
    );
  }
  return errors === 0 ? 0 : 1;
}

/** One line each. */
export function printDiagnostics(diagnostics: readonly Diagnostic[], stream: NodeJS.WritableStream): void {
  for (const diagnostic of diagnostics) stream.write(`${formatDiagnostic(diagnostic)}\n`);
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
