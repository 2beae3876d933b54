import type { WorkerChannel } from '../workers/channel.ts';
import type { Holding } from './local-counter.ts';

export interface CounterSummary {
  /** Connections that are counted by at least one rule. */
  readonly connections: number;
  /** Different keys, e.g. users times rules. */
  readonly keys: number;
  /** Keys with the most connections, most first. Keys hold user data: for people, never for metrics or logs. */
  readonly top: readonly Holding[];
}

/** The main thread's half of the counter, whether it counts alone or with other processes. */
export interface CounterBackend {
  addWorker(channel: WorkerChannel): void;
  /** Call once the worker's thread is gone, and with it its sockets: from here on its slots are free. */
  removeWorker(workerId: number): void;
  /** For the admin page and `sluice top`; costs a pass over all keys. */
  summary(limit: number): CounterSummary;
  /** Brings its metrics up to date, before they are reported. */
  refreshMetrics(): void;
}
