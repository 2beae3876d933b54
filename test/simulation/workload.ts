import type { Demand } from '../../proxy/counter/counter.ts';
import type { World } from './world.ts';

export interface Key {
  readonly key: string;
  readonly maxCount: number;
}

/** Clients that come and go at random, many of them for the same few keys. */
export class Workload {
  readonly keys: readonly Key[];
  readonly #world: World;
  readonly #meanGapMs: number;
  readonly #meanStayMs: number;
  #isStopped = false;

  constructor(world: World) {
    const { random } = world;
    this.#world = world;
    const count = 3 + random.below(6);
    this.keys = Array.from({ length: count }, (_, at) => ({ key: `k${at}`, maxCount: 1 + random.below(4) }));
    this.#meanGapMs = random.pick([150, 300, 600]);
    this.#meanStayMs = random.pick([300, 3_000, 30_000]);
  }

  start(untilMs: number): void {
    const { schedule, random } = this.#world;
    const next = () => {
      if (this.#isStopped || schedule.nowMs >= untilMs) return;
      this.#connect();
      schedule.after(random.exponential(this.#meanGapMs), next);
    };
    schedule.after(random.exponential(this.#meanGapMs), next);
  }

  /** No more clients, and those that are there leave. */
  stop(): void {
    this.#isStopped = true;
    for (const process of this.#world.live()) {
      for (const connection of [...process.connections.values()]) process.leave(connection);
    }
  }

  #connect(): void {
    const { random, schedule } = this.#world;
    const serving = this.#world.serving();
    if (serving.length === 0) return;
    const process = random.pick(serving);
    const connection = process.open(this.#demands());
    const isImpatient = random.chance(0.05);
    const stayMs = isImpatient ? random.between(0, 50) : random.exponential(this.#meanStayMs);
    schedule.after(stayMs, () => process.leave(connection));
  }

  #demands(): Demand[] {
    const { random } = this.#world;
    const demands: Demand[] = [];
    const count = random.pick([1, 1, 2, 2, 3]);
    for (let at = 0; at < count; at++) demands.push({ ...random.pick(this.keys), enforce: true });
    if (random.chance(0.1)) demands.push({ key: `dry${random.below(2)}`, maxCount: 2, enforce: false });
    return demands;
  }
}
