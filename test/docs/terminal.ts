import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../support/until.ts';

const STOP_TIMEOUT_MS = 8_000;

/** What a terminal runs. */
export interface Shell {
  /** Program and arguments that end in a `bash` which reads commands from its standard input. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** How long one block may take. */
  readonly timeoutMs: number;
}

export const LOCAL_SHELL: Shell = { command: ['bash', '--norc'], env: {}, timeoutMs: 40_000 };

export interface TerminalOptions {
  /** Folder for what the shell is given and shows. */
  readonly scratch: string;
  /** Where the reader is at first. */
  readonly cwd: string;
  readonly shell: Shell;
}

/**
 * A terminal in which a reader types: one shell, so that variables, functions and jobs stay. It leads a process group
 * of its own, with which everything that was started in it ends.
 */
export class Terminal {
  readonly #folder: string;
  readonly #name: string;
  readonly #shell: ChildProcess;
  readonly #timeoutMs: number;
  readonly #lines: AsyncIterator<string>;
  #blocks = 0;

  constructor(name: string, { scratch, cwd, shell }: TerminalOptions) {
    const [command, ...args] = shell.command;
    this.#name = name;
    this.#folder = scratch;
    this.#timeoutMs = shell.timeoutMs;
    this.#shell = spawn(command, args, {
      cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, npm_config_loglevel: 'error', ...shell.env },
    });
    if (this.#shell.pid !== undefined) open.add(this.#shell.pid);
    this.#lines = createInterface({ input: this.#shell.stdout! })[Symbol.asyncIterator]();
  }

  /** Runs a block to its end. */
  async run(text: string): Promise<{ exitCode: number; output: string }> {
    const output = await this.#type(text);
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`did not end within ${this.#timeoutMs} ms:\n${text}\n${output()}`)),
      this.#timeoutMs,
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

  /** Ends everything in the terminal: asks, asks again as somebody who does not want to wait, and then does not ask. */
  async close(): Promise<void> {
    const { pid } = this.#shell;
    if (pid === undefined) return;
    this.#shell.stdin!.end();
    for (const signal of ['SIGTERM', 'SIGTERM', 'SIGKILL'] as const) {
      if (!signalGroup(pid, signal)) break;
      await until('', () => !signalGroup(pid, 0), STOP_TIMEOUT_MS).catch(() => {});
    }
    open.delete(pid);
  }

  async #type(text: string): Promise<() => string> {
    const file = join(this.#folder, `${this.#name}-${++this.#blocks}`);
    await writeFile(`${file}.sh`, text);
    closeSync(openSync(`${file}.out`, 'w'));
    this.#shell.stdin!.write(`. '${file}.sh' > '${file}.out' 2>&1 < /dev/null; echo $?\n`);
    return () => readFileSync(`${file}.out`, 'utf8');
  }
}

/** The leaders of the process groups of all terminals. */
const open = new Set<number>();

// Whatever way the test process ends, what it started ends too: asked, so that it can end what it started itself.
process.on('exit', () => {
  for (const pid of open) signalGroup(pid, 'SIGTERM');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** @returns whether there was anybody to get the signal */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}
