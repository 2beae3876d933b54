import { stringify } from 'yaml';
import { compile } from '../operator/compile/index.ts';
import { sortDiagnostics } from '../operator/resources/index.ts';
import { FileSource } from '../operator/sources/files.ts';
import { printableSnapshot } from '../proxy/config/encoding.ts';
import { printDiagnostics } from './validate.ts';

export interface TranslateOptions {
  readonly file: readonly string[];
  readonly output: 'yaml' | 'json';
}

/** `sluice translate`: what a proxy would execute. @returns 0 without errors, 1 with (the good parts are printed) */
export async function translate({ file, output }: TranslateOptions): Promise<number> {
  const state = await new FileSource(file).load();
  const { snapshots, diagnostics } = compile({ resources: state.resources, now: Date.now() });
  const all = sortDiagnostics([...state.diagnostics, ...diagnostics]);
  printDiagnostics(all, process.stderr);
  const printable = snapshots.map(printableSnapshot);
  if (output === 'json') console.log(JSON.stringify(printable, null, 2));
  else process.stdout.write(printable.map((snapshot) => `---\n${stringify(snapshot)}`).join(''));
  return all.some(({ severity }) => severity === 'error') ? 1 : 0;
}
