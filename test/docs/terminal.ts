import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../support/until.ts';

const STOP_TIMEOUT_MS = 20_000;
const COMMAND_TIMEOUT_MS = 40_000;

/**
 * A terminal in which a reader types: one shell, so that variables, functions and jobs stay. It leads a process group
 * of its own, with which everything that was started in it ends.
 */
export class Terminal {
  readonly #folder: string;
  readonly #name: string;
  readonly #shell: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #blocks = 0;

  /**
   * @param scratch folder for what the shell is given and shows
   * @param cwd where the reader is at first
   */
  constructor(name: string, scratch: string, cwd: string) {
    this.#name = name;
    this.#folder = scratch;
    this.#shell = spawn('bash', ['--norc'], {
      cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, npm_config_loglevel: 'error' },
    });
    this.#lines = createInterface({ input: this.#shell.stdout! })[Symbol.asyncIterator]();
  }

  /** Runs a block to its end. */
  async run(text: string): Promise<{ exitCode: number; output: string }> {
    const output = await this.#type(text);
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`did not end within ${COMMAND_TIMEOUT_MS} ms:\n${text}\n${output()}`)),
      COMMAND_TIMEOUT_MS,
    );
    try {
      const { value } = await Promise.race([this.#lines.next(), promise]);
      return { exitCode: Number(value), output: output() };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Starts a block that goes on running. @returns what it showed so far */
  start(text: string): Promise<() => string> {
    return this.#type(text);
  }

  /** Ends everything in the terminal. */
  async close(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#shell;
    if (exitCode !== null || signalCode !== null || pid === undefined) return;
    // Bash in its loop of commands ends when there are no more; the rest of its group is told to.
    this.#shell.stdin!.end();
    const exited = once(this.#shell, 'exit');
    process.kill(-pid, 'SIGTERM');
    const timer = setTimeout(() => process.kill(-pid, 'SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
    await until(`everything in the terminal ${this.#name} has ended`, () => !isAlive(-pid));
  }

  async #type(text: string): Promise<() => string> {
    const file = join(this.#folder, `${this.#name}-${++this.#blocks}`);
    await writeFile(`${file}.sh`, text);
    closeSync(openSync(`${file}.out`, 'w'));
    this.#shell.stdin!.write(`. '${file}.sh' > '${file}.out' 2>&1 < /dev/null; echo $?\n`);
    return () => readFileSync(`${file}.out`, 'utf8');
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
