/**
 * The inside of one node: its own network, mount and PID namespaces, held by one process. Nothing of a node is
 * visible to the machine around it except its processes, its cgroups and its folder, and all of it ends with that one
 * process.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { until } from '../support/until.ts';
import { cgroupHierarchies, removeCgroups } from './cgroups.ts';
import { program } from './components.ts';
import { addresses, cgroupRoot, runFolder } from './paths.ts';

const INIT = join(import.meta.dirname, 'node-init.sh');

const NAMESPACES = ['net', 'mount', 'pid', 'ipc', 'uts'] as const;
export type Namespace = (typeof NAMESPACES)[number];

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class ClusterNode {
  /** From 1. */
  readonly index: number;
  readonly name: string;
  readonly address: string;
  readonly podRange: string;
  /** Its state: logs, and what it sees as /var and /run. */
  readonly folder: string;
  readonly cgroup: string;

  constructor(index: number) {
    this.index = index;
    this.name = `node${index}`;
    this.address = addresses.node(index);
    this.podRange = addresses.podsOf(index);
    this.folder = join(runFolder, this.name);
    this.cgroup = `${cgroupRoot}/${this.name}`;
  }

  /** A path below the node's folder; its parent exists. */
  path(...parts: string[]): string {
    const path = join(this.folder, ...parts);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  }

  /** The process that holds the namespaces, as the machine around numbers it; `null` when the node is down. */
  holder(): number | null {
    // Looked for by its arguments rather than kept in a file: a file could name a process of another time.
    for (const pid of processes()) {
      const args = argumentsOf(pid);
      if (args[0] === 'unshare' && args.at(-2) === INIT && args.at(-1) === this.folder) return pid;
    }
    return null;
  }

  async start(): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    rmSync(this.path('initialized'), { force: true });
    for (const hierarchy of cgroupHierarchies()) mkdirSync(join(hierarchy, this.cgroup), { recursive: true });
    const log = openSync(this.path('logs', 'init.log'), 'a');
    const namespaces = NAMESPACES.map((namespace) => `--${namespace}`);
    const options = ['--fork', '--kill-child', '--mount-proc'];
    const holder = spawn('unshare', [...namespaces, ...options, 'bash', INIT, this.folder], {
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    holder.unref();
    await until(`${this.name} is initialized`, () => {
      if (holder.exitCode !== null) throw new Error(`${this.name} ended:\n${this.log('init')}`);
      return existsSync(this.path('initialized'));
    });
    this.#ip('link', 'add', 'node0', 'type', 'bridge');
    this.#ip('addr', 'add', `${this.address}/${addresses.nodePrefixLength}`, 'dev', 'node0');
    this.#ip('link', 'set', 'node0', 'up');
    // kubelet and kube-proxy want a default route; this one leads nowhere.
    this.#ip('route', 'add', 'default', 'dev', 'node0');
  }

  /** Ends every process of the node and removes its cgroups. */
  async stop(): Promise<void> {
    const holder = this.holder();
    if (holder !== null) {
      // The holder passes its end on to the first process of the PID namespace, and the kernel does the rest. That
      // one is awaited, since it ends last.
      const first = childrenOf(holder);
      process.kill(holder, 'SIGKILL');
      await until(`the processes of ${this.name} ended`, () =>
        [holder, ...first].every((pid) => !existsSync(`/proc/${pid}`)),
      );
    }
    for (const hierarchy of cgroupHierarchies()) await removeCgroups(join(hierarchy, this.cgroup));
  }

  /** A command line that runs in the node's namespaces. */
  inside(
    command: string,
    args: readonly string[],
    namespaces: readonly Namespace[] = NAMESPACES,
  ): [string, string[]] {
    const flags = namespaces.map((namespace) => `--${namespace}`);
    return ['nsenter', [`--target=${this.#first()}`, ...flags, '--', command, ...args]];
  }

  /** The first process of the PID namespace, as the machine around numbers it. */
  #first(): number {
    const holder = this.holder();
    const [first] = holder === null ? [] : childrenOf(holder);
    if (first === undefined) throw new Error(`${this.name} is not running`);
    return first;
  }

  /**
   * Starts a program that stays, with its output in a log file; resolves when it runs. It outlives this process, and
   * ends with the node.
   */
  async daemon(
    name: string,
    command: string,
    args: readonly string[],
    namespaces: readonly Namespace[] = NAMESPACES,
  ): Promise<void> {
    const log = openSync(this.path('logs', `${name}.log`), 'a');
    // The programs look for runc, iptables and each other.
    const path = [
      dirname(program('containerd')),
      '/usr/local/sbin',
      '/usr/sbin',
      '/sbin',
      process.env.PATH ?? '/usr/bin:/bin',
    ].join(':');
    const child = spawn(...this.inside(command, args, namespaces), {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: '/',
      env: { PATH: path, HOME: '/var', LANG: 'C.UTF-8' },
    });
    closeSync(log);
    child.unref();
    // nsenter becomes the program once it is in the namespaces.
    await until(`${name} runs`, () => {
      if (child.exitCode !== null) throw new Error(`${name} ended:\n${this.log(name)}`);
      return this.processesOf(command).length > 0;
    });
  }

  /** The processes of a daemon, by the path of its program, as the machine around numbers them. */
  processesOf(command: string): number[] {
    const namespace = namespaceOf(this.#first());
    return processes().filter((pid) => argumentsOf(pid)[0] === command && namespaceOf(pid) === namespace);
  }

  /** Ends a daemon at once, as a crash would. */
  async kill(command: string): Promise<void> {
    const pids = this.processesOf(command);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await until(`${command} ended`, () => pids.every(hasEnded));
  }

  async run(command: string, args: readonly string[], input = ''): Promise<CommandResult> {
    return runCommand(...this.inside(command, args), { input });
  }

  logNames(): string[] {
    return readdirSync(this.path('logs')).map((name) => basename(name, '.log'));
  }

  /** The end of a daemon's log. */
  log(name: string): string {
    const file = this.path('logs', `${name}.log`);
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(-30).join('\n') : '';
  }

  /** Connects this node with the network of another, by a cable between their bridges. */
  joinNetworkOf(other: ClusterNode): void {
    const [near, far] = [`to-${other.name}`, `to-${this.name}`];
    this.#ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', String(other.#first()));
    this.#ip('link', 'set', near, 'master', 'node0', 'up');
    other.#ip('link', 'set', far, 'master', 'node0', 'up');
  }

  /** Sends packets for the pods of another node there. */
  routeTo(other: ClusterNode): void {
    this.#ip('route', 'replace', other.podRange, 'via', other.address);
  }

  #ip(...args: string[]): void {
    const { status, stderr } = spawnSync(...this.inside('ip', args, ['net']), { encoding: 'utf8' });
    if (status !== 0) throw new Error(`ip ${args.join(' ')} in ${this.name}: ${stderr}`);
  }
}

export async function runCommand(
  command: string,
  args: readonly string[],
  options: { readonly input?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<CommandResult> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => {}).end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Whether nothing of a process is left, its ports in particular: that comes a little after its memory is gone. */
function hasEnded(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The first thread may be over while others still hold what they share.
    const threads = readdirSync(`/proc/${pid}/task`);
    return stat[stat.lastIndexOf(')') + 2] === 'Z' && threads.length <= 1;
  } catch {
    return true;
  }
}

/** Empty for a process that is gone. */
function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

function namespaceOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return null;
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
