import { topic } from '../workers/channel.ts';
import type { Outcome } from './endpoint.ts';

/**
 * - `untested`: has a probe, but no result yet. Used only while nothing in the pool is healthy.
 * - `healthy`: passed its probe, or has none.
 * - `unhealthy`: failed its probe, or its Service says that it is not ready.
 * - `ejected`: healthy for its probe, but failed too many requests in a row.
 */
export type EndpointState = 'untested' | 'healthy' | 'unhealthy' | 'ejected';

export interface EndpointRecord {
  readonly id: string;
  /** Index into the shared counts. */
  readonly row: number;
  readonly hostname: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly state: EndpointState;
}

/** To a worker that joins, before anything else. */
export interface Join {
  readonly counts: SharedArrayBuffer;
  readonly columns: number;
  /** The worker's own column. */
  readonly column: number;
  readonly bindings: SharedArrayBuffer;
  /** Keys the values of affinity cookies. */
  readonly affinityKey: Uint8Array;
}

/** All endpoints of a pool; sent when they change and to a worker that joins. */
export interface Members {
  readonly pool: string;
  readonly endpoints: readonly EndpointRecord[];
  /** Endpoints whose target was taken away, not merely their address: their connections are to be drained. */
  readonly drained: readonly string[];
  /** Why the pool has less than all it should have; `null` when it has. */
  readonly problem: string | null;
}

/** Endpoints of a pool that changed their state. */
export interface States {
  readonly pool: string;
  readonly changes: readonly { readonly id: string; readonly state: EndpointState }[];
  readonly problem: string | null;
}

/** From a worker: an endpoint reached the number of failures in a row at which it is ejected. */
export interface Failing {
  readonly pool: string;
  readonly id: string;
  readonly last: Outcome;
}

export const JOIN = topic<Join>('pools.join');
export const MEMBERS = topic<Members>('pools.members');
export const STATES = topic<States>('pools.states');
/** A pool that left the configuration: forget what was kept for it, unless it is still configured here. */
export const FORGET = topic<{ readonly pool: string }>('pools.forget');
export const FAILING = topic<Failing>('pools.failing');
