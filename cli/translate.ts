import { stringify } from 'yaml';
import { compile } from '../operator/compile/index.ts';
import { sortDiagnostics } from '../operator/resources/index.ts';
import { printableSnapshot } from '../proxy/config/encoding.ts';
import { type InputOptions, readInput } from './input.ts';
import { printDiagnostics } from './validate.ts';

export interface TranslateOptions extends InputOptions {
  readonly output: 'yaml' | 'json';
}

/** `sluice translate`: what a proxy would execute. @returns 0 without errors, 1 with (the good parts are printed) */
export async function translate(options: TranslateOptions): Promise<number> {
  const input = await readInput(options);
  if (input === null) return 1;
  const { state, environment } = input;
  const { snapshots, diagnostics } = compile({ resources: state.resources, now: Date.now(), environment });
  const all = sortDiagnostics([...state.diagnostics, ...diagnostics]);
  printDiagnostics(all, process.stderr);
  const printable = snapshots.map(printableSnapshot);
  if (options.output === 'json') console.log(JSON.stringify(printable, null, 2));
  else process.stdout.write(printable.map((snapshot) => `---\n${stringify(snapshot)}`).join(''));
  return all.some(({ severity }) => severity === 'error') ? 1 : 0;
}
