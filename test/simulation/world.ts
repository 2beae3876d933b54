import { type LeaseName, shardLease } from '../../proxy/counter/protocol/lease.ts';
import type { Settings } from '../../proxy/counter/protocol/settings.ts';
import { FREE_SHARD } from '../../proxy/counter/store/lease-object.ts';
import { LeaseApi } from './lease-api.ts';
import { Network } from './network.ts';
import { Observer } from './observer.ts';
import { Process, type Surroundings } from './process.ts';
import type { Random } from './random.ts';
import { Schedule } from './schedule.ts';

export interface WorldOptions {
  readonly trace?: (line: string) => void;
  readonly believed?: (settings: Settings) => Settings;
}

/** Processes that come and go, the Lease API and the network between them, and who watches it all. */
export class World {
  readonly schedule = new Schedule();
  readonly random: Random;
  readonly settings: Settings;
  readonly network: Network;
  readonly api: LeaseApi;
  readonly observer: Observer;
  readonly #trace: ((line: string) => void) | null;
  readonly #surroundings: Surroundings;
  readonly #processes = new Map<string, Process>();
  /** Incarnations of which there is proof that they are gone. */
  readonly #obituaries: string[] = [];
  /** After a crash the proof comes within this. */
  maxObituaryMs = 20_000;
  #started = 0;

  constructor(random: Random, settings: Settings, options: WorldOptions) {
    const trace = options.trace ?? null;
    this.random = random;
    this.settings = settings;
    this.#trace = trace;
    const write = (line: string) => this.trace(line);
    this.observer = new Observer(this.schedule, write);
    this.api = new LeaseApi(this.schedule, random, settings.callTimeoutMs);
    this.network = new Network(this.schedule, random, ({ from, to, message }) => {
      if (trace !== null) write(`${from} => ${to} ${JSON.stringify(message)}`);
      this.#processes.get(to)?.deliver({ type: 'message', from, message });
    });
    this.#surroundings = {
      schedule: this.schedule,
      network: this.network,
      api: this.api,
      observer: this.observer,
      settings: options.believed?.(settings) ?? settings,
      trace: trace === null ? null : write,
      otherDecider: (shard, self) => this.#otherDecider(shard, self),
      onFinished: (process, reason) => this.#onFinished(process, reason),
    };
  }

  trace(line: string): void {
    this.#trace?.(`${this.schedule.nowMs.toFixed(1).padStart(10)} ${line}`);
  }

  /** Processes that run or stand still. */
  live(): Process[] {
    return [...this.#processes.values()];
  }

  /** Processes that take new clients: they have a session, and are not about to stop. */
  serving(): Process[] {
    return this.live().filter((process) => !process.isStopping && process.node.member.keeper.record !== null);
  }

  /** Shard Leases that are there and free, as a store does that knows that it is new. */
  createShards(): void {
    for (let shard = 0; shard < this.settings.shards; shard++) {
      this.api.put({ ...FREE_SHARD, name: shardLease(shard) });
    }
  }

  /** @param replaces who was in its place before, and is gone */
  start(replaces = ''): Process {
    const incarnation = `p${++this.#started}`;
    const spread = Math.sqrt(this.settings.maxClockRatio);
    const extreme = this.random.chance(0.3);
    const rate = extreme ? this.random.pick([spread, 1 / spread]) : this.random.between(1 / spread, spread);
    const process = new Process(
      incarnation,
      replaces,
      { rate, offsetMs: this.random.between(0, 1e6) },
      this.#surroundings,
    );
    this.#processes.set(incarnation, process);
    this.trace(`start ${incarnation} at rate ${rate.toFixed(4)}, replaces '${replaces}'`);
    for (const dead of this.#obituaries) process.deliver({ type: 'died', incarnation: dead });
    return process;
  }

  crash(process: Process): void {
    if (process.isDead) return;
    this.trace(`crash ${process.incarnation}`);
    process.crash();
    this.#processes.delete(process.incarnation);
    this.#announceDeathLater(process.incarnation);
  }

  /** Planned: its clients leave within a while. */
  stop(process: Process): void {
    if (process.isStopping || process.isDead) return;
    this.trace(`stop ${process.incarnation}`);
    process.stop();
    const drain = () => {
      for (const connection of process.connections.values()) {
        this.schedule.after(this.random.between(0, 5_000), () => process.leave(connection));
      }
    };
    drain();
    // Those that were being admitted meanwhile.
    this.schedule.after(this.settings.attemptTimeoutMs, drain);
  }

  deleteLease(name: LeaseName): void {
    this.trace(`delete ${name}`);
    this.api.delete(name);
  }

  #announceDeathLater(incarnation: string): void {
    this.schedule.after(this.random.between(0, this.maxObituaryMs), () => this.#announceDeath(incarnation));
  }

  #announceDeath(incarnation: string): void {
    this.#obituaries.push(incarnation);
    for (const process of this.live()) {
      this.schedule.after(this.random.between(0, 1000), () => process.deliver({ type: 'died', incarnation }));
    }
  }

  #otherDecider(shard: number, self: Process): Process | undefined {
    for (const process of this.#processes.values()) {
      if (process !== self && process.node.owner(shard)?.canDecide(process.nowMs())) return process;
    }
    return undefined;
  }

  #onFinished(process: Process, reason: 'ended' | 'stopped'): void {
    this.trace(`${process.incarnation} is ${reason}`);
    process.crash();
    this.#processes.delete(process.incarnation);
    this.#announceDeathLater(process.incarnation);
    if (reason === 'ended') this.start(process.incarnation);
  }
}
