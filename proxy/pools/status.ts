import type { Pool } from '../config/snapshot.ts';
import type { EndpointState } from './messages.ts';

/** A pool as the admin page and `sluice status` show it. Plain data, without secrets. */
export interface PoolStatus {
  readonly id: string;
  readonly protocol: Pool['protocol'];
  readonly policy: Pool['loadBalancing']['policy'];
  /** Endpoints, and those of them that requests may go to. */
  readonly total: number;
  readonly healthy: number;
  readonly targets: readonly TargetStatus[];
  readonly endpoints: readonly EndpointStatus[];
}

/** A pool in one line. */
export interface PoolSummary {
  readonly id: string;
  readonly healthy: number;
  readonly total: number;
  /** Why it has less than it should, in words; `null` when all is well. */
  readonly problem: string | null;
}

export interface TargetStatus {
  /** `name:port`, `address:port` or `namespace/name:port`. */
  readonly target: string;
  readonly weight: number;
  /** Addresses that are in use. */
  readonly addresses: number;
  /** Why addresses are missing or may be out of date, in words; `null` when all is well. */
  readonly problem: string | null;
}

export interface EndpointStatus {
  /** `address:port`. */
  readonly id: string;
  readonly hostname: string;
  /** Share of its target's weight. */
  readonly weight: number;
  readonly state: EndpointState;
  /** When it came into the state it has; ISO 8601. */
  readonly since: string;
  /** Open requests and connections, over all workers. */
  readonly open: number;
  /** `null`: none yet, or no probe is configured. */
  readonly lastProbe: ProbeStatus | null;
  /** The last thing that went wrong, though it may be well again; `null`: nothing did. */
  readonly lastFailure: { readonly at: string; readonly words: string } | null;
  /** When an ejection ends; ISO 8601. */
  readonly ejectedUntil: string | null;
}

export interface ProbeStatus {
  readonly at: string;
  readonly durationMs: number;
  readonly success: boolean;
}
