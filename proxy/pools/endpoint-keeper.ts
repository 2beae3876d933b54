import type { Ejection, Pool } from '../config/snapshot.ts';
import { EjectionRecord } from './ejections.ts';
import type { Endpoint, Outcome } from './endpoint.ts';
import { HealthRecord } from './health.ts';
import type { KeeperContext } from './keeper-context.ts';
import type { EndpointRecord, EndpointState } from './messages.ts';
import type { ProbeResult } from './probe.ts';
import { Prober } from './prober.ts';
import type { EndpointStatus, ProbeStatus } from './status.ts';

/** What the targets say of an endpoint. */
export interface Place {
  readonly id: string;
  /** Name of the target that it comes from. */
  readonly target: string;
  readonly hostname: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
}

/** One endpoint in the main thread: probed, ejected, and told of. */
export class EndpointKeeper implements Endpoint {
  pool: Pool;
  removed = false;
  readonly row: number;
  #place: Place;
  readonly #context: KeeperContext;
  readonly #health: HealthRecord;
  readonly #ejection = new EjectionRecord();
  #prober: Prober | null = null;
  #cancelReturn: (() => void) | null = null;
  #state: EndpointState;
  #sinceMs: number;
  #changed = false;
  #resting = false;
  #lastProbe: ProbeStatus | null = null;
  #lastFailure: { readonly at: string; readonly words: string } | null = null;

  constructor(pool: Pool, place: Place, row: number, context: KeeperContext) {
    this.pool = pool;
    this.row = row;
    this.#place = place;
    this.#context = context;
    this.#health = new HealthRecord(pool.probe !== null);
    this.#state = this.#health.state;
    this.#sinceMs = context.clock.epochMs();
    this.#setProber(true);
  }

  get id(): string {
    return this.#place.id;
  }

  get target(): string {
    return this.#place.target;
  }

  get hostname(): string {
    return this.#place.hostname;
  }

  get address(): string {
    return this.#place.address;
  }

  get port(): number {
    return this.#place.port;
  }

  get weight(): number {
    return this.#place.weight;
  }

  get state(): EndpointState {
    return this.#state;
  }

  get ejected(): boolean {
    return this.#ejection.untilMs !== null;
  }

  /** In words. */
  get lastFailure(): string | null {
    return this.#lastFailure?.words ?? null;
  }

  /** @returns whether that is news. */
  place(place: Place): boolean {
    const old = this.#place;
    this.#place = place;
    return old.hostname !== place.hostname || old.weight !== place.weight || old.target !== place.target;
  }

  /** What is known of the endpoint outlives a change of the pool's settings. */
  configure(pool: Pool): void {
    this.pool = pool;
    if (pool.probe === null) this.#health.probeRemoved();
    if (pool.ejection === null && this.ejected) this.#readmit();
    this.#setProber(false);
    this.#setState();
  }

  /** It is there, and said by its target to take nothing new for now. */
  setResting(resting: boolean): void {
    if (resting === this.#resting) return;
    this.#resting = resting;
    if (resting) this.#fail('it is not ready');
    this.#setState();
  }

  eject(ejection: Ejection, last: Outcome): void {
    const { clock, ejections, counts } = this.#context;
    const durationMs = this.#ejection.eject(clock.now(), ejection);
    counts.clearFailures(this.row);
    ejections.labels(this.pool.id).add();
    this.#fail(
      `${ejection.consecutiveFailures} requests in a row failed, the last ${OUTCOME_WORDS[last]}; ejected for ${durationMs / 1000} s`,
    );
    this.#cancelReturn = clock.after(durationMs, () => this.#readmit());
    this.#setState();
  }

  record(): EndpointRecord {
    const { id, hostname, address, port, weight } = this.#place;
    return { id, row: this.row, hostname, address, port, weight, state: this.#state };
  }

  status(): EndpointStatus {
    const { clock, counts } = this.#context;
    const { untilMs } = this.#ejection;
    return {
      id: this.id,
      hostname: this.hostname,
      weight: this.weight,
      state: this.#state,
      since: iso(this.#sinceMs),
      open: counts.open(this.row),
      lastProbe: this.#lastProbe,
      lastFailure: this.#lastFailure,
      ejectedUntil: untilMs === null ? null : iso(clock.epochMs() + untilMs - clock.now()),
    };
  }

  /** Whether the state changed since this was last asked. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  stop(): void {
    this.removed = true;
    this.#prober?.stop();
    this.#cancelReturn?.();
  }

  #setProber(isNew: boolean): void {
    const { probe } = this.pool;
    if (probe === null) {
      this.#prober?.stop();
      this.#prober = null;
      this.#lastProbe = null;
    } else if (this.#prober !== null) {
      this.#prober.configure(this, probe);
    } else {
      const { clock, random, slots, probe: probeFunction } = this.#context;
      this.#prober = new Prober(this, probe, isNew, {
        clock,
        random,
        slots,
        probe: probeFunction,
        result: (result, durationMs) => this.#probed(result, durationMs),
      });
    }
  }

  #probed(result: ProbeResult, durationMs: number): void {
    const { clock, probes, probeDurations } = this.#context;
    const { probe, id } = this.pool;
    if (probe === null) return;
    this.#lastProbe = {
      at: iso(clock.epochMs()),
      durationMs: Math.round(durationMs),
      success: result.success,
    };
    probes.labels(id, result.success ? 'success' : result.code).add();
    probeDurations.labels(id).observe(durationMs / 1000);
    if (!result.success) this.#fail(result.words);
    if (this.#health.record(result.success, probe)) this.#setState();
  }

  #readmit(): void {
    this.#cancelReturn?.();
    this.#cancelReturn = null;
    this.#ejection.readmit(this.#context.clock.now());
    this.#context.counts.clearFailures(this.row);
    this.#setState();
  }

  #fail(words: string): void {
    this.#lastFailure = { at: iso(this.#context.clock.epochMs()), words };
  }

  #setState(): void {
    const health = this.#resting ? 'unhealthy' : this.#health.state;
    const state = health !== 'unhealthy' && this.ejected ? 'ejected' : health;
    if (state === this.#state) return;
    const before = this.#state;
    this.#state = state;
    this.#sinceMs = this.#context.clock.epochMs();
    this.#changed = true;
    const { log, stateChanged } = this.#context;
    const fields = { pool: this.pool.id, endpoint: this.id, target: this.target, state, before };
    if (state === 'healthy') log.info(fields, 'endpoint is healthy');
    else log.warn({ ...fields, failure: this.lastFailure }, `endpoint is ${state}`);
    stateChanged(this);
  }
}

const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  success: 'well',
  connect_failed: 'to connect',
  timed_out: 'by a timeout',
  reset: 'by a reset connection',
  server_error: 'with a server error',
};

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
