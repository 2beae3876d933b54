/**
 * Which processes of this machine are certainly gone. A number alone does not say it, since numbers are used again:
 * a process is named by its number together with the time at which it started.
 */
import { readFileSync, readlinkSync } from 'node:fs';

export interface LocalProcess {
  /** The machine's run, from boot to boot. */
  readonly boot: string;
  /** Whose numbers are meant: containers count for themselves. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Since boot, in the kernel's ticks. */
  readonly startTicks: string;
}

/** This process; `null` where the system does not tell (it needs Linux's /proc): then nobody is known to be gone. */
export function thisProcess(): LocalProcess | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const pidNamespace = readlinkSync('/proc/self/ns/pid');
    const stat = statOf(process.pid);
    if (stat === null) return null;
    return { boot, pidNamespace, pid: process.pid, startTicks: stat.startTicks };
  } catch {
    return null;
  }
}

/** Whether a process of this machine is certainly gone, as seen by another. */
export function isGone(other: LocalProcess, self: LocalProcess): boolean {
  if (other.boot !== self.boot) return true;
  if (other.pidNamespace !== self.pidNamespace) return false;
  try {
    const stat = statOf(other.pid);
    return stat === null || stat.startTicks !== other.startTicks || stat.isDead;
  } catch {
    return false;
  }
}

interface ProcessStat {
  readonly startTicks: string;
  /** Ended, and only its parent has not heard of it. */
  readonly isDead: boolean;
}

/** `null`: there is no such process. */
function statOf(pid: number): ProcessStat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
  // The name stands in parentheses and may hold anything, parentheses too.
  const [state, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const startTicks = rest[18];
  if (startTicks === undefined) throw new Error(`/proc/${pid}/stat: found ${rest.length} fields`);
  return { startTicks, isDead: state === 'Z' || state === 'X' };
}
