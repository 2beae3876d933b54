import type { Counter, Family, Histogram } from '../telemetry/metrics.ts';
import type { Clock } from './clock.ts';
import type { EndpointCounts } from './counts.ts';
import type { EndpointKeeper } from './endpoint-keeper.ts';
import type { Members } from './messages.ts';
import type { ProbeFunction, ProbeSlots } from './prober.ts';
import type { NameResolver } from './resolver.ts';
import type { Rows } from './rows.ts';
import type { ServiceSource } from './sources.ts';

/** Where state changes are told to people; a `pino` logger will do. */
export interface PoolLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** What the main thread's pools share. */
export interface KeeperContext {
  readonly clock: Clock;
  readonly random: () => number;
  readonly resolver: NameResolver;
  readonly services: ServiceSource;
  readonly probe: ProbeFunction;
  readonly slots: ProbeSlots;
  readonly rows: Rows;
  readonly counts: EndpointCounts;
  readonly log: PoolLog;
  /** How long a new configuration waits for the first answer of a target. */
  readonly settleTimeoutMs: number;
  readonly publishMembers: (members: Members) => void;
  readonly stateChanged: (endpoint: EndpointKeeper) => void;
  readonly probes: Family<Counter>;
  readonly probeDurations: Family<Histogram>;
  readonly ejections: Family<Counter>;
  readonly resolutions: Family<Counter>;
}
