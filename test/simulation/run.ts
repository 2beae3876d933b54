import { followerWaitMs, type Settings } from '../../proxy/counter/protocol/settings.ts';
import { Violation } from './observer.ts';
import type { Process } from './process.ts';
import { Random } from './random.ts';
import {
  isSmooth,
  recoveryMs,
  SCENARIOS,
  type Scenario,
  scheduleFaults,
  settingsFor,
  stopFaults,
} from './scenario.ts';
import { Workload } from './workload.ts';
import { World } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  /** Instead of the one that the seed picks. */
  readonly scenario?: Scenario;
  readonly trace?: (line: string) => void;
  /** Turns the settings into what the members take them for. */
  readonly believed?: (settings: Settings) => Settings;
}

export interface RunResult {
  readonly seed: number;
  readonly scenario: Scenario;
  /** What went wrong; `null` when nothing did. */
  readonly failure: string | null;
  readonly virtualMs: number;
  readonly events: number;
  readonly admitted: number;
  readonly rejected: number;
  readonly unavailable: number;
  readonly closedByGateway: number;
  /** From the end of faults until every shard was decided upon, and how long that may take. */
  readonly recoveredMs: number;
  readonly recoveryBoundMs: number;
}

const WARM_UP_MS = 10_000;

/** One seed from start to end: the same seed gives the same run, event by event. */
export function run(options: RunOptions): RunResult {
  const random = new Random(options.seed);
  const picked = random.pick(SCENARIOS);
  const scenario = options.scenario ?? picked;
  const world = new World(random, settingsFor(scenario, random), options);
  const simulation = new Simulation(world, scenario);
  let failure: string | null = null;
  try {
    simulation.run();
  } catch (error) {
    // An assertion of the protocol that fails is as good a find as the observer's.
    failure = error instanceof Violation ? error.message : String((error as Error).stack ?? error);
  }
  const { observer, schedule } = world;
  return {
    seed: options.seed,
    scenario,
    failure,
    virtualMs: schedule.nowMs,
    events: schedule.count,
    admitted: observer.admitted,
    rejected: observer.rejected,
    unavailable: observer.unavailable,
    closedByGateway: observer.closedByGateway,
    recoveredMs: simulation.recoveredMs,
    recoveryBoundMs: simulation.recoveryBoundMs,
  };
}

class Simulation {
  readonly #world: World;
  readonly #scenario: Scenario;
  readonly #workload: Workload;
  recoveredMs = 0;
  recoveryBoundMs = 0;

  constructor(world: World, scenario: Scenario) {
    this.#world = world;
    this.#scenario = scenario;
    this.#workload = new Workload(world);
  }

  run(): void {
    const { schedule, random, settings, observer } = this.#world;
    const smooth = isSmooth(this.#scenario);
    if (smooth || random.chance(0.9)) this.#world.createShards();
    const members = 1 + random.below(5);
    for (let at = 0; at < members; at++) {
      schedule.after(random.between(0, smooth ? 100 : 5_000), () => this.#world.start());
    }
    this.#advance(WARM_UP_MS);
    if (smooth) {
      this.#advance(settings.settleMs + 4 * settings.renewIntervalMs);
      observer.expectsExactRejections = this.#world.live().length > 0;
    }
    const faultsMs = this.#scenario === 'api-away' ? random.pick([120_000, 600_000, 3_600_000]) : 150_000;
    const endMs = schedule.nowMs + faultsMs;
    this.#workload.start(Number.POSITIVE_INFINITY);
    scheduleFaults(this.#world, this.#scenario, schedule.nowMs, endMs);
    this.#advance(endMs - schedule.nowMs);
    stopFaults(this.#world);
    this.#recover();
    if (smooth) this.#checkSmooth();
    this.#checkNoLeak();
    this.#checkEverySlot();
  }

  #recover(): void {
    const { schedule, settings, observer, maxObituaryMs } = this.#world;
    const sinceMs = schedule.nowMs;
    this.recoveryBoundMs = maxObituaryMs + recoveryMs(settings, this.#world.live().length + 3);
    while (!this.#isHealthy()) {
      if (schedule.nowMs - sinceMs > this.recoveryBoundMs)
        observer.fail(`not recovered: ${this.#whatIsWrong()}`);
      this.#advance(250);
    }
    this.recoveredMs = schedule.nowMs - sinceMs;
    // Everybody who died is over by then, and shards are where they belong.
    this.#advance(this.recoveryBoundMs - this.recoveredMs + 2 * followerWaitMs(settings));
    if (!this.#isHealthy()) observer.fail(`did not stay well: ${this.#whatIsWrong()}`);
  }

  #isHealthy(): boolean {
    const { settings } = this.#world;
    for (let shard = 0; shard < settings.shards; shard++)
      if (this.#deciders(shard).length !== 1) return false;
    return this.#world.serving().every((process) => !process.node.member.isInDoubt(process.nowMs()));
  }

  #whatIsWrong(): string {
    const { settings } = this.#world;
    const wrong: string[] = [];
    for (let shard = 0; shard < settings.shards; shard++) {
      const deciders = this.#deciders(shard).map(({ incarnation }) => incarnation);
      if (deciders.length !== 1) wrong.push(`shard ${shard} is decided by [${deciders.join(' ')}]`);
    }
    for (const process of this.#world.serving()) {
      if (process.node.member.isInDoubt(process.nowMs())) wrong.push(`${process.incarnation} is in doubt`);
    }
    return wrong.join(', ');
  }

  #deciders(shard: number): Process[] {
    return this.#world.live().filter((process) => process.node.owner(shard)?.canDecide(process.nowMs()));
  }

  #checkSmooth(): void {
    const { observer } = this.#world;
    if (observer.unavailable > 0) observer.fail(`${observer.unavailable} connections got no answer`);
    if (observer.closedByGateway > 0) observer.fail(`${observer.closedByGateway} connections were closed`);
  }

  #checkNoLeak(): void {
    const { settings, observer } = this.#world;
    this.#workload.stop();
    this.#advance(settings.attemptTimeoutMs + 8 * settings.retryMs);
    for (let shard = 0; shard < settings.shards; shard++) {
      for (const { incarnation, node } of this.#deciders(shard)) {
        const counts = node.owner(shard)!.holdings.counts();
        if (counts.size > 0) observer.fail(`${incarnation} still counts ${JSON.stringify([...counts])}`);
      }
    }
    for (const { incarnation, node } of this.#world.live()) {
      if (!node.member.isSettled) observer.fail(`${incarnation} is not settled`);
    }
  }

  #checkEverySlot(): void {
    const { settings, observer, random } = this.#world;
    const before = observer.admitted;
    let expected = 0;
    for (const { key, maxCount } of this.#workload.keys) {
      for (let count = 0; count < maxCount; count++) {
        random.pick(this.#world.serving()).open([{ key, maxCount, enforce: true }]);
        expected++;
      }
    }
    this.#advance(settings.attemptTimeoutMs);
    const admitted = observer.admitted - before;
    if (admitted !== expected) observer.fail(`of ${expected} free slots ${admitted} could be had`);
    const rejectedBefore = observer.rejected;
    for (const { key, maxCount } of this.#workload.keys) {
      random.pick(this.#world.serving()).open([{ key, maxCount, enforce: true }]);
    }
    this.#advance(settings.attemptTimeoutMs);
    const rejected = observer.rejected - rejectedBefore;
    if (rejected !== this.#workload.keys.length) observer.fail(`only ${rejected} too many were rejected`);
  }

  #advance(ms: number): void {
    this.#world.schedule.runUntil(this.#world.schedule.nowMs + ms, nothing);
  }
}

function nothing(): void {}

/** The first of some seeds that fails, or `null`. */
export function firstFailure(
  from: number,
  seeds: number,
  options: Omit<RunOptions, 'seed'>,
): RunResult | null {
  for (let seed = from; seed < from + seeds; seed++) {
    const result = run({ ...options, seed });
    if (result.failure !== null) return result;
  }
  return null;
}
