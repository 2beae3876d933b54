import type { Pool } from '../config/snapshot.ts';

/** One address of one target, as a worker sees it. Object identity is stable while the endpoint exists. */
export interface Endpoint {
  /** `address:port`, unique within its pool. */
  readonly id: string;
  readonly pool: Pool;
  /** Target's FQDN, or its address: the `Host` of `hostHeader: Target` and the default SNI. */
  readonly hostname: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** Set once the endpoint left the pool: finish what is open, start nothing. */
  readonly removed: boolean;
}

export interface Selection {
  readonly endpoint: Endpoint;
  /** `Set-Cookie` value to add to the response, where cookie affinity chose or moved the client. */
  readonly setCookie: string | null;
}

/** No endpoint can take the request: becomes 503 at once, with the reason. */
export interface Unavailable {
  readonly endpoint: null;
  readonly reason: 'no_targets' | 'no_addresses' | 'no_healthy_target' | 'all_targets_full';
  readonly description: string;
}

/** How an attempt at an endpoint went: feeds passive ejection. */
export type Outcome = 'success' | 'connect_failed' | 'timed_out' | 'reset' | 'server_error';
