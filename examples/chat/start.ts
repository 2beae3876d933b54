/**
 * Starts the chat: its backend, and the gateway in front of it. Ctrl-C stops both.
 *
 *   node examples/chat/start.ts [--admin ADDRESS] [options of `sluice run`]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PAGE = 'http://localhost:8080/';
const POLL_MS = 100;
const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/**
 * In a process group of its own, so that Ctrl-C in a terminal reaches this process alone and the order of stopping
 * is ours.
 */
function start(module: string, args: readonly string[], quiet: boolean): ChildProcess {
  const out = quiet ? 'ignore' : 'inherit';
  return fork(path(module), args, { detached: true, stdio: ['ignore', out, 'inherit', 'ipc'] });
}

const backend = start('backend/main.ts', [], true);
const gateway = start('../../cli/main.ts', ['run', '-f', path('.'), ...process.argv.slice(2)], false);
const backendExit = once(backend, 'exit');
const gatewayExit = once(gateway, 'exit');

let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopping = true;
    // The gateway drains on the first signal and goes at once on the second. The backend goes after it.
    gateway.kill('SIGTERM');
  });
}
void backendExit.then(([code]) => {
  if (stopping) return;
  console.error(`The chat backend ended with code ${code}; is port 9443 in use?`);
  process.exitCode = 1;
  stopping = true;
  gateway.kill('SIGTERM');
});
void gatewayExit.then(([code]) => {
  if (!stopping) process.exitCode = code || 1;
  stopping = true;
  backend.kill('SIGTERM');
});

while (!stopping && !(await isUp())) await delay(POLL_MS);
if (!stopping) {
  const lines = [
    `Open  ${PAGE}`,
    'Sign in, then open two more tabs as the same person: the third is refused.',
    'Ctrl-C stops it.',
  ];
  const width = Math.max(...lines.map((line) => line.length));
  const box = lines.map((line) => `  │ ${line.padEnd(width)} │`).join('\n');
  console.log(`\n  ╭${'─'.repeat(width + 2)}╮\n${box}\n  ╰${'─'.repeat(width + 2)}╯\n`);
}
await Promise.all([backendExit, gatewayExit]);

/** Whether the chat answers through the gateway. */
function isUp(): Promise<boolean> {
  return new Promise((resolve) => {
    request(new URL('/api/v1/health', PAGE), { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    })
      .on('error', () => resolve(false))
      .end();
  });
}
