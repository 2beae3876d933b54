import type { Drain } from '../config/snapshot.ts';
import type { ListenFailure } from '../listeners/words.ts';
import { topic } from './channel.ts';

export interface Applied {
  readonly generation: number;
  readonly failures: readonly ListenFailure[];
}

/** Main → worker: serve this (the text of `encodeSnapshot`). */
export const applySnapshot = topic<{ readonly generation: number; readonly snapshot: string }>(
  'runtime.apply',
);
/** Worker → main: serving it. */
export const snapshotApplied = topic<Applied>('runtime.applied');
/** Main → worker: accept nothing new, let go of what is open. */
export const drainWorker = topic<Drain>('runtime.drain');
/** Worker → main: no client connection is left. */
export const workerDrained = topic<null>('runtime.drained');

/** What a worker is born with. */
export interface WorkerStart {
  readonly workerId: number;
  /** Address that listeners bind. */
  readonly address: string;
  /** TLS session ticket keys (48 bytes) that all workers share, so that a client may resume at any of them. */
  readonly ticketKeys: Uint8Array;
  /** Client connections per worker (32-bit integers), so that the limit of the pod holds over all of them. */
  readonly connectionCounts: SharedArrayBuffer;
  /** This worker's place in it. */
  readonly connectionSlot: number;
  /** Whether several workers listen on the same port. */
  readonly reusePort: boolean;
}
