/** Child processes of tests: started with their readiness awaited, and certainly gone at the end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const POLL_MS = 25;
const OUTPUT_CHARACTERS = 200_000;

export interface ProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Asked again and again until it is true; its failures count as "not yet". */
  readonly ready: (process: RunningProcess) => boolean | Promise<boolean>;
  /** How long the process has to end after SIGTERM before SIGKILL. */
  readonly stopTimeoutMs?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<ChildProcess>();
// Whatever way the test process ends, its children end too.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class RunningProcess implements AsyncDisposable {
  readonly name: string;
  readonly exited: Promise<Exit>;
  /** `null` while it runs. */
  exit: Exit | null = null;
  readonly #child: ChildProcess;
  readonly #stopTimeoutMs: number;
  #output = '';

  constructor(options: ProcessOptions) {
    this.name = `${options.command} ${options.args.join(' ')}`;
    this.#stopTimeoutMs = options.stopTimeoutMs ?? STOP_TIMEOUT_MS;
    this.#child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_CHARACTERS);
      });
    }
    this.exited = new Promise((resolve) => {
      const ended = (exit: Exit): void => {
        running.delete(this.#child);
        this.exit = exit;
        resolve(exit);
      };
      // 'close' comes after 'exit', when all output has been read.
      this.#child.on('close', (code, signal) => ended({ code, signal }));
      this.#child.on('error', (error) => {
        this.#output += `${error.message}\n`;
        if (this.#child.pid === undefined) ended({ code: null, signal: null });
      });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} did not start:\n${this.#output}`);
    return this.#child.pid;
  }

  /** Standard output and error so far, the last part of it when there is very much. */
  get output(): string {
    return this.#output;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM, and SIGKILL when that is not heeded in time. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.exit !== null) return this.exit;
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), this.#stopTimeoutMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop().then(() => undefined);
  }
}

/** Starts a process and resolves when it is ready; rejects, with its output, when it ends or stays silent. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const started = new RunningProcess(options);
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (true) {
    if (started.exit !== null) {
      throw new Error(`${started.name} ended (${JSON.stringify(started.exit)}):\n${started.output}`);
    }
    if (await Promise.resolve(options.ready(started)).catch(() => false)) return started;
    if (performance.now() > deadline) {
      await started.stop('SIGKILL');
      throw new Error(`${started.name} did not get ready within ${READY_TIMEOUT_MS} ms:\n${started.output}`);
    }
    await delay(POLL_MS);
  }
}

/** Runs a process to its end. */
export async function run(
  command: string,
  args: readonly string[],
  options: Pick<ProcessOptions, 'cwd' | 'env'> = {},
): Promise<Exit & { readonly output: string }> {
  const child = new RunningProcess({ ...options, command, args, ready: () => true });
  const exit = await child.exited;
  return { ...exit, output: child.output };
}
