import type { AuthenticationResult } from '../authentication/identity.ts';
import type { ConnectionRegistry } from '../connections/registry.ts';
import type { Admission, AdmissionKind } from '../firewall/firewall.ts';
import type { FirewallClient } from '../firewall/rules.ts';
import type { Endpoint, Outcome, Selection, Unavailable } from '../pools/endpoint.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import type { Splicer } from '../websocket/splicer.ts';
import type { Clock } from './clock.ts';
import type { HttpMetrics } from './http-metrics.ts';
import type { RequestView } from './request.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/** What an exchange needs of the worker's other parts. */
export interface PoolSelector {
  select(poolId: string, request: RequestView, avoid?: ReadonlySet<Endpoint>): Selection | Unavailable;
  /** One request in flight, or one open spliced connection, until `end`. */
  begin(endpoint: Endpoint): void;
  end(endpoint: Endpoint): void;
  report(endpoint: Endpoint, outcome: Outcome): void;
  /** Whether the answer's body is to be given to `learnFromBody` before its last byte is passed on. */
  learns(poolId: string, request: RequestView): boolean;
  learnFromBody(endpoint: Endpoint, body: string): void;
}

export interface TokenChecker {
  authenticate(id: string, request: RequestView): AuthenticationResult | Promise<AuthenticationResult>;
}

export interface Admitter {
  admit(
    ruleListIds: readonly string[],
    kind: AdmissionKind,
    client: FirewallClient,
  ): Admission | Promise<Admission>;
}

/** All of it lives as long as the worker. */
export interface HttpServices {
  readonly clock: Clock;
  readonly pools: PoolSelector;
  readonly authenticator: TokenChecker;
  readonly firewall: Admitter;
  readonly upstreams: UpstreamPool;
  readonly registry: ConnectionRegistry;
  readonly splicer: Splicer;
  /** Why a connection could not be made: a code for metrics and logs. */
  readonly describeConnectError: (error: Error, endpoint: Endpoint) => { readonly code: string };
  readonly accessLog: AccessLog;
  readonly metrics: HttpMetrics;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}
