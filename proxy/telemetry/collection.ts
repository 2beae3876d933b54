import type { ConnectionEntry, ConnectionKind } from '../connections/registry.ts';
import { type Channel, topic, type WorkerChannel } from '../workers/channel.ts';
import type { MetricReport } from './metrics.ts';

/** An open connection as the admin page shows it. */
export interface ConnectionSummary {
  readonly kind: ConnectionKind;
  readonly listener: string;
  readonly port: number;
  readonly rule: string | null;
  readonly pool: string | null;
  readonly endpoint: string | null;
  readonly clientAddress: string;
  readonly userId: string | null;
  readonly openMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** @param nowMs by the clock of {@link ConnectionEntry.openedAtMs} */
export function summarize(entry: ConnectionEntry, nowMs: number): ConnectionSummary {
  const { kind, listener, port, rule, pool, clientAddress, userId, bytesIn, bytesOut } = entry;
  return {
    kind,
    listener,
    port,
    rule,
    pool,
    endpoint: entry.endpoint?.id ?? null,
    clientAddress,
    userId,
    openMs: Math.round(nowMs - entry.openedAtMs),
    bytesIn,
    bytesOut,
  };
}

/** The oldest connections over all workers, as many as are wanted. */
export function oldest(reports: readonly WorkerReport[], limit: number): ConnectionSummary[] {
  return reports
    .flatMap(({ connections }) => connections)
    .sort((a, b) => b.openMs - a.openMs)
    .slice(0, limit);
}

/** What a worker tells when asked: for `/metrics`, `/connections` and the admin page. */
export interface WorkerReport {
  readonly metrics: readonly MetricReport[];
  /** The oldest, as many as were asked for. */
  readonly connections: readonly ConnectionSummary[];
  /** How many there are in all. */
  readonly connectionCount: number;
}

const ask = topic<{ readonly id: number; readonly maxConnections: number }>('telemetry.ask');
const answer = topic<{ readonly id: number; readonly report: WorkerReport }>('telemetry.answer');

/** A worker that does not answer in this time is left out of the report: a stalled one must not stall the page. */
const ANSWER_TIMEOUT_MS = 2_000;

/** Worker half: answers the main thread's questions. */
export function answerCollections(channel: Channel, collect: (maxConnections: number) => WorkerReport): void {
  channel.on(ask, ({ id, maxConnections }) => channel.post(answer, { id, report: collect(maxConnections) }));
}

/** Main half: asks every worker. */
export class Collector {
  readonly #channels = new Map<number, WorkerChannel>();
  readonly #pending = new Map<number, (report: WorkerReport | null) => void>();
  #nextId = 1;

  addWorker(channel: WorkerChannel): void {
    this.#channels.set(channel.workerId, channel);
    channel.on(answer, ({ id, report }) => this.#pending.get(id)?.(report));
  }

  removeWorker(workerId: number): void {
    this.#channels.delete(workerId);
  }

  /** The reports of the workers that answered, and how many did not. */
  async collect(maxConnections: number): Promise<{ reports: WorkerReport[]; missing: number }> {
    const answers = await Promise.all(
      [...this.#channels.values()].map((channel) => this.#ask(channel, maxConnections)),
    );
    const reports = answers.filter((report) => report !== null);
    return { reports, missing: answers.length - reports.length };
  }

  #ask(channel: WorkerChannel, maxConnections: number): Promise<WorkerReport | null> {
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<WorkerReport | null>();
    const timer = setTimeout(() => resolve(null), ANSWER_TIMEOUT_MS);
    this.#pending.set(id, resolve);
    channel.post(ask, { id, maxConnections });
    return promise.finally(() => {
      clearTimeout(timer);
      this.#pending.delete(id);
    });
  }
}
