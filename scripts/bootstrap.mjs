// Runs a TypeScript entry point on a fresh clone: installs the dependencies on first use (or when the lock file
// changed), then starts the Node that came with them. Plain JavaScript, because any Node since 18 must run it.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [entry, ...args] = process.argv.slice(2);
if (entry === undefined) {
  console.error('usage: bootstrap.mjs ENTRY [ARGUMENT ...]');
  process.exit(2);
}

const windows = process.platform === 'win32';
const stamp = join(root, 'node_modules', '.sluice-lock');
const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
  console.error('sluice: installing dependencies (first use, or the lock file changed) …');
  const install = spawnSync('npm', ['ci', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: windows,
  });
  if (install.status !== 0) {
    console.error(`sluice: npm ci failed${install.error ? `: ${install.error.message}` : ''}`);
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}

const node = join(root, 'node_modules', 'node', 'bin', windows ? 'node.exe' : 'node');
const binaries = join(root, 'node_modules', '.bin');
const child = spawn(existsSync(node) ? node : process.execPath, [join(root, entry), ...args], {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${binaries}${windows ? ';' : ':'}${process.env.PATH}` },
});
// The terminal sends Ctrl-C to the whole group: the child decides when to end, this process only follows it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
