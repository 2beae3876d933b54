/**
 * Processes that contend for one Lease, in simulated time: clocks of different speed, a network that delays and
 * loses requests and answers, an API server with outages, conflicts and errors after the fact, a Lease that is
 * deleted, processes that stall, crash, and stop. A seed decides everything. After each event an observer, who sees
 * all at once, counts the leaders.
 */
import assert from 'node:assert/strict';
import type { Clock } from '../clock.ts';
import { ApiError, TransportError } from '../errors.ts';
import { LeaderElection } from '../leader-election.ts';
import type { Lease, LeaseApi, LeaseSpec } from '../lease.ts';
import { seededRandom } from './seeded-random.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly processes: number;
  /** How much faster the fastest clock may run than the slowest. */
  readonly maxClockRatio: number;
  readonly troubledMs: number;
  /** Part of the processes' lives without trouble. */
  readonly isCalm?: boolean;
}

export interface SimulationResult {
  /** Moments at which more than one process led. */
  readonly violations: readonly string[];
  readonly terms: number;
  readonly deletions: number;
  readonly stalls: number;
  /** How long it took to have a leader, once trouble was over; infinite if it never came. */
  readonly recoveryMs: number;
}

const REQUEST_TIMEOUT_MS = 3_000;
const CALM_MS = 120_000;

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

class World {
  nowMs = 0;
  isTroubled = true;
  readonly random: () => number;
  #events: Event[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  at(atMs: number, run: () => void): Event {
    const event = { atMs, order: this.#order++, run };
    this.#events.push(event);
    return event;
  }

  cancel(event: Event): void {
    this.#events = this.#events.filter((other) => other !== event);
  }

  chance(probability: number): boolean {
    return this.isTroubled && this.random() < probability;
  }

  /** Runs the next event, and all that follows from it at once. */
  async step(): Promise<void> {
    let next = this.#events[0];
    assert.ok(next);
    for (const event of this.#events) {
      if (event.atMs < next.atMs || (event.atMs === next.atMs && event.order < next.order)) next = event;
    }
    this.cancel(next);
    this.nowMs = Math.max(this.nowMs, next.atMs);
    next.run();
    await new Promise(setImmediate);
  }
}

/** The Lease as the API server keeps it. */
class LeaseServer {
  lease: Lease | null = null;
  isDown = false;
  deletions = 0;
  #revision = 10;

  delete(): void {
    if (this.lease !== null) this.deletions++;
    this.lease = null;
  }

  create(spec: LeaseSpec): Lease {
    if (this.lease !== null) throw refusal(409);
    return this.#write(`uid-${this.#revision}`, spec);
  }

  update({ metadata: { uid, resourceVersion } }: Lease, spec: LeaseSpec): Lease {
    const known = this.lease?.metadata;
    if (known === undefined || known.uid !== uid || known.resourceVersion !== resourceVersion)
      throw refusal(409);
    return this.#write(uid ?? '', spec);
  }

  #write(uid: string, spec: LeaseSpec): Lease {
    const metadata = {
      name: 'operator',
      namespace: 'sluice',
      uid,
      resourceVersion: String(++this.#revision),
    };
    this.lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec: { ...spec } };
    return this.lease;
  }
}

function refusal(status: number): ApiError {
  return new ApiError(status, '', `refused with ${status}`, [], 0);
}

/** One process: its clock, its way to the server, and whether it is stalled. */
class SimulatedProcess {
  readonly election: LeaderElection;
  readonly identity: string;
  isAlive = true;
  terms = 0;
  #isLeading = false;
  #stalledUntilMs = 0;
  readonly #world: World;
  readonly #server: LeaseServer;
  readonly #rate: number;
  readonly #offsetMs: number;

  constructor(world: World, server: LeaseServer, identity: string, rate: number) {
    this.#world = world;
    this.#server = server;
    this.identity = identity;
    this.#rate = rate;
    this.#offsetMs = world.random() * 1e6;
    this.election = new LeaderElection({
      api: this.#api(),
      identity,
      clock: this.#clock,
      random: world.random,
      log: { info: () => {}, warn: () => {} },
      lead: (signal) => this.#lead(signal),
    });
    this.election.start();
  }

  stall(durationMs: number): void {
    this.#stalledUntilMs = this.#world.nowMs + durationMs;
  }

  readonly #clock: Clock = {
    now: () => this.#offsetMs + this.#world.nowMs * this.#rate,
    epochMs: () => this.#world.nowMs,
    after: (delayMs, callback) => {
      const event = this.#local(this.#world.nowMs + delayMs / this.#rate, callback);
      return () => event.cancel();
    },
  };

  /** What happens in this process waits while it is stalled, and never happens once it is dead. */
  #local(atMs: number, run: () => void): { cancel: () => void } {
    const world = this.#world;
    let event: Event;
    const attempt = () => {
      if (!this.isAlive) return;
      if (world.nowMs < this.#stalledUntilMs) event = world.at(this.#stalledUntilMs, attempt);
      else run();
    };
    event = world.at(atMs, attempt);
    return { cancel: () => world.cancel(event) };
  }

  async #lead(signal: AbortSignal): Promise<void> {
    assert.ok(!this.#isLeading, 'one term at a time');
    this.#isLeading = true;
    this.terms++;
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#clock.after(this.#world.random() * 1_000, resolve);
    await promise;
    this.#isLeading = false;
  }

  #api(): LeaseApi {
    const server = this.#server;
    return {
      get: () => this.#call(() => server.lease),
      create: (spec) => this.#call(() => server.create(spec)),
      update: (lease, spec) => this.#call(() => server.update(lease, spec)),
    };
  }

  #call<T>(handle: () => T): Promise<T> {
    const world = this.#world;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const timeout = this.#clock.after(REQUEST_TIMEOUT_MS, () => reject(new TransportError('no answer')));
    const answer = (settle: () => void) => {
      if (world.chance(0.05)) return;
      this.#local(world.nowMs + this.#delayMs(), () => {
        timeout();
        settle();
      });
    };
    if (world.chance(0.05)) return promise;
    world.at(world.nowMs + this.#delayMs(), () => {
      if (this.#server.isDown) return;
      if (world.chance(0.03)) return answer(() => reject(refusal(500)));
      try {
        const result = structuredClone(handle());
        answer(() => (world.chance(0.03) ? reject(refusal(500)) : resolve(result)));
      } catch (error) {
        answer(() => reject(error));
      }
    });
    return promise;
  }

  /** Mostly short; now and then longer than anybody waits. */
  #delayMs(): number {
    return this.#world.chance(0.08) ? this.#world.random() * 25_000 : this.#world.random() * 50;
  }
}

export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const { seed, processes: count, maxClockRatio, troubledMs, isCalm = false } = options;
  const world = new World(seed);
  world.isTroubled = !isCalm;
  const server = new LeaseServer();
  const processes: SimulatedProcess[] = [];
  let started = 0;
  const start = () => {
    const rate = 1 + world.random() * (maxClockRatio - 1);
    processes.push(new SimulatedProcess(world, server, `process-${++started}`, rate));
  };
  const living = () => processes.filter(({ isAlive }) => isAlive);
  const leaders = () => living().filter(({ election }) => election.isLeader());
  const holders = () => living().filter(({ identity }) => identity === server.lease?.spec?.holderIdentity);
  for (let i = 0; i < count; i++) start();

  let stalls = 0;
  const disturb = () => {
    const victims = [leaders, living, holders][Math.floor(world.random() * 3)]!();
    const victim = victims[Math.floor(world.random() * victims.length)];
    const choice = world.random();
    if (choice < 0.25 && victim !== undefined) {
      stalls++;
      victim.stall(world.random() * 40_000);
    } else if (choice < 0.45) {
      server.delete();
      // Twice in a row is what catches those who have just made it anew.
      if (world.random() < 0.6) world.at(world.nowMs + world.random() * 25_000, () => server.delete());
    } else if (choice < 0.6) {
      server.isDown = true;
      world.at(world.nowMs + world.random() * 40_000, () => {
        server.isDown = false;
      });
    } else if (choice < 0.75 && victim !== undefined) {
      victim.isAlive = false;
      world.at(world.nowMs + world.random() * 5_000, start);
    } else if (choice < 0.9 && victim !== undefined) {
      void victim.election.stop().then(() => {
        if (!victim.isAlive) return;
        victim.isAlive = false;
        start();
      });
    }
    if (world.isTroubled) world.at(world.nowMs + world.random() * 20_000, disturb);
  };
  if (!isCalm) world.at(30_000, disturb);
  world.at(troubledMs, () => {
    world.isTroubled = false;
    server.isDown = false;
  });

  const violations: string[] = [];
  const observe = () => {
    if (leaders().length > 1) violations.push(`${leaders().length} leaders at ${Math.round(world.nowMs)} ms`);
  };
  while (world.nowMs < troubledMs) {
    await world.step();
    observe();
  }
  let recoveryMs = leaders().length === 1 ? 0 : Number.POSITIVE_INFINITY;
  while (world.nowMs < troubledMs + CALM_MS) {
    await world.step();
    observe();
    if (leaders().length === 1) recoveryMs = Math.min(recoveryMs, world.nowMs - troubledMs);
  }
  if (leaders().length !== 1) recoveryMs = Number.POSITIVE_INFINITY;
  const terms = processes.reduce((sum, process) => sum + process.terms, 0);
  return { violations, terms, deletions: server.deletions, stalls, recoveryMs };
}
