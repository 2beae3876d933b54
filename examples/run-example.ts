/** Starts what an example needs: its backends, and the gateway in front of them. Ctrl-C stops all of it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const POLL_MS = 100;

export interface Example {
  /** The folder with the configuration. */
  readonly folder: URL;
  readonly backends: readonly { readonly module: URL; readonly env?: Readonly<Record<string, string>> }[];
  /** Where the Services of the configuration are on this machine, as `sluice run --service` wants it. */
  readonly services: readonly string[];
  /** What the gateway answers when everything is up: any status below 500 will do. */
  readonly url: string;
  /** What to do now, once it is up. */
  readonly advice: readonly string[];
}

/**
 * Runs until it is stopped. Arguments of this process go to `sluice run`.
 *
 * Children are in process groups of their own, so that Ctrl-C in a terminal reaches this process alone and the order
 * of stopping is ours: the gateway first, and then what it leads to.
 */
export async function runExample({ folder, backends, services, url, advice }: Example): Promise<void> {
  const started = backends.map(({ module, env }) =>
    fork(module, {
      detached: true,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { ...process.env, ...env },
    }),
  );
  const exits = started.map(exitOf);
  await Promise.all(started.map((child, i) => Promise.race([once(child, 'message'), exits[i]])));
  if (started.some(({ exitCode }) => exitCode !== null)) {
    console.error('A backend of the example did not start. Does the example run already?');
    process.exitCode = 1;
    for (const child of started) child.kill('SIGTERM');
    return;
  }

  const gateway = fork(
    new URL('../cli/main.ts', import.meta.url),
    [
      ...['run', '-f', fileURLToPath(folder)],
      ...services.flatMap((service) => ['--service', service]),
      ...process.argv.slice(2),
    ],
    { detached: true, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  let stopping = false;
  const stop = (): void => {
    stopping = true;
    gateway.kill('SIGTERM');
  };
  // The gateway drains on the first signal and goes at once on the second.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  const gatewayExit = exitOf(gateway).then((code) => {
    if (!stopping) process.exitCode = code || 1;
    stopping = true;
    for (const child of started) child.kill('SIGTERM');
  });
  for (const exit of exits) {
    void exit.then((code) => {
      if (stopping) return;
      console.error(`A backend of the example ended with code ${code}.`);
      process.exitCode = 1;
      stop();
    });
  }

  while (!stopping && !(await isUp(url))) await delay(POLL_MS);
  if (!stopping) print(advice);
  await Promise.all([gatewayExit, ...exits]);
}

function exitOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.on('exit', resolve));
}

function isUp(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    request(url, { agent: false }, (response) => {
      response.resume();
      resolve((response.statusCode ?? 500) < 500);
    })
      .on('error', () => resolve(false))
      .end();
  });
}

function print(lines: readonly string[]): void {
  const width = Math.max(...lines.map((line) => line.length));
  const rule = '─'.repeat(width + 2);
  const box = lines.map((line) => `  │ ${line.padEnd(width)} │`).join('\n');
  console.log(`\n  ╭${rule}╮\n${box}\n  ╰${rule}╯\n`);
}
