import type { Demand } from '../../proxy/counter/counter.ts';
import type { Schedule } from './schedule.ts';

/** A rule of the protocol's promise was broken. */
export class Violation extends Error {}

export interface Connection {
  readonly id: number;
  readonly process: string;
  readonly demands: readonly Demand[];
  state: 'asked' | 'established' | 'closed';
  /** Not counted while its process stands still beyond its session: nothing can be said over it. */
  isFrozen: boolean;
}

/** Knows every connection of every process at every instant, and what is allowed. */
export class Observer {
  readonly #schedule: Schedule;
  readonly #trace: (line: string) => void;
  readonly #established = new Map<string, number>();
  /** Connections that are asked for, established, or were until a moment ago. */
  readonly #around = new Map<string, number>();
  admitted = 0;
  rejected = 0;
  unavailable = 0;
  closedByGateway = 0;
  /** Rejections must be justified by connections that are around; set where links are good. */
  expectsExactRejections = false;

  constructor(schedule: Schedule, trace: (line: string) => void) {
    this.#schedule = schedule;
    this.#trace = trace;
  }

  ask(connection: Connection): void {
    this.#forKeys(connection, (key) => add(this.#around, key, 1));
  }

  establish(connection: Connection): void {
    connection.state = 'established';
    this.admitted++;
    this.#count(connection);
  }

  reject(connection: Connection, violated: Demand): void {
    this.rejected++;
    const around = (this.#around.get(violated.key) ?? 0) - 1;
    if (this.expectsExactRejections && around < violated.maxCount) {
      this.fail(
        `${connection.process} rejected ${connection.id} by ${violated.key}: ${around} of ${violated.maxCount} around`,
      );
    }
    this.#end(connection);
  }

  close(connection: Connection): void {
    if (connection.state === 'closed') return;
    if (connection.state === 'established' && !connection.isFrozen) this.#uncount(connection);
    this.#end(connection);
  }

  freeze(connection: Connection): void {
    if (connection.state !== 'established' || connection.isFrozen) return;
    this.#uncount(connection);
    connection.isFrozen = true;
  }

  thaw(connection: Connection): void {
    if (connection.state !== 'established' || !connection.isFrozen) return;
    connection.isFrozen = false;
    this.#count(connection);
  }

  fail(message: string): never {
    this.#trace(`VIOLATION ${message}`);
    throw new Violation(`at ${this.#schedule.nowMs.toFixed(3)} ms: ${message}`);
  }

  #count(connection: Connection): void {
    this.#forKeys(connection, (key, maxCount) => {
      const count = add(this.#established, key, 1);
      if (count > maxCount)
        this.fail(`${key} has ${count} of ${maxCount} established, last at ${connection.process}`);
    });
  }

  #uncount(connection: Connection): void {
    this.#forKeys(connection, (key) => add(this.#established, key, -1));
  }

  #end(connection: Connection): void {
    connection.state = 'closed';
    this.#schedule.after(1_500, () => this.#forKeys(connection, (key) => add(this.#around, key, -1)));
  }

  #forKeys(connection: Connection, visit: (key: string, maxCount: number) => void): void {
    const seen = new Set<string>();
    for (const { key, maxCount, enforce } of connection.demands) {
      if (enforce && !seen.has(key)) visit(key, maxCount);
      seen.add(key);
    }
  }
}

function add(counts: Map<string, number>, key: string, by: 1 | -1): number {
  const count = (counts.get(key) ?? 0) + by;
  counts.set(key, count);
  return count;
}
