/** `npm run generate`: writes every generated file; with `--check` it fails where one is out of date. */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

const args = process.argv.slice(2);
let failed = false;
for (const script of globSync('generate-*.ts', { cwd: import.meta.dirname }).sort()) {
  const { status } = spawnSync(process.execPath, [script, ...args], {
    cwd: import.meta.dirname,
    stdio: 'inherit',
  });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
