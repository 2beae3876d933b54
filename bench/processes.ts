/** Child processes of the benchmark, pinned to a core, ended by their id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const READY_TIMEOUT_MS = 20_000;
const POLL_MS = 50;

export interface Pinned {
  readonly child: ChildProcess;
  readonly name: string;
  readonly outputFile: string;
}

/** Starts a command on one core; what it prints goes to a file. */
export function startPinned(
  name: string,
  core: number,
  command: readonly string[],
  outputFile: string,
): Pinned {
  const output = openSync(outputFile, 'a');
  const child = spawn('taskset', ['-c', String(core), ...command], { stdio: ['ignore', output, output] });
  return { child, name, outputFile };
}

/** Runs a command on one core and gives its standard output. */
export async function runPinned(core: number, command: readonly string[]): Promise<string> {
  const child = spawn('taskset', ['-c', String(core), ...command], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once('close', resolve);
  const code = await promise;
  if (code !== 0) throw new Error(`${command.join(' ')}: exit code ${code}`);
  return text;
}

/** Starts a command on one core and resolves once it printed the line; its standard input stays open. */
export async function startUntilLine(
  core: number,
  command: readonly string[],
  line: string,
): Promise<ChildProcess> {
  const child = spawn('taskset', ['-c', String(core), ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    if (chunk.includes(line)) resolve();
  });
  child.once('exit', (code) => reject(new Error(`${command.join(' ')}: exit code ${code} before "${line}"`)));
  await promise;
  return child;
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('exit', () => resolve());
  const impatience = setTimeout(() => child.kill('SIGKILL'), 3_000);
  child.kill('SIGTERM');
  await promise;
  clearTimeout(impatience);
}

/** Resolves once something accepts connections on the port. */
export async function untilListening({ child, name, outputFile }: Pinned, port: number): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) {
      throw new Error(`${name} ended with exit code ${child.exitCode}:\n${readFileSync(outputFile, 'utf8')}`);
    }
    if (await accepts(port)) return;
    await delay(POLL_MS);
  }
  throw new Error(`${name} did not listen on port ${port} within ${READY_TIMEOUT_MS / 1000} s`);
}

function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ port, host: '127.0.0.1' }, () => resolve(true));
  socket.once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

/** Resident memory of a process and its children, in bytes (Linux). Shared pages are divided by their users. */
export function residentBytes(pid: number): number {
  const own =
    Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
  return own + children(pid).reduce((sum, child) => sum + residentBytes(child), 0);
}

/** Processor seconds that a process and its children have used (Linux, 100 ticks a second). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) / 100;
  return own + children(pid).reduce((sum, child) => sum + cpuSeconds(child), 0);
}

function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
}
