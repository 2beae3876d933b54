/**
 * `npm start`: the chat example when no file is named. An example folder with a `start.ts` of its own also starts the
 * backend that it needs; anything else is `sluice run`.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const CHAT = join(import.meta.dirname, '..', 'examples', 'chat');
const args = process.argv.slice(2);
const flag = args.findIndex((arg) => arg === '-f' || arg === '--file');
const target = flag < 0 ? CHAT : args[flag + 1];
const example = target === undefined ? '' : join(target, 'start.ts');
const isExample = existsSync(example);
const rest = isExample && flag >= 0 ? args.toSpliced(flag, 2) : args;
const command = isExample ? [example, ...rest] : [join(import.meta.dirname, 'main.ts'), 'run', ...rest];

const child = spawn(process.execPath, command, { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => forward(signal));
child.on('exit', (code) => process.exit(code ?? 1));

/** A terminal sends Ctrl-C to every process of the group already. */
function forward(signal: NodeJS.Signals): void {
  if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
}
