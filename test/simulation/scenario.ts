import { DEFAULT_SETTINGS, followerWaitMs, type Settings } from '../../proxy/counter/protocol/settings.ts';
import type { Process } from './process.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** What a run is about; each seed picks one. */
export const SCENARIOS = [
  'calm',
  'rolling',
  'api-away',
  'network',
  'lease-api',
  'processes',
  'everything',
  'everything-fast',
] as const;
export type Scenario = (typeof SCENARIOS)[number];

export function settingsFor(scenario: Scenario, random: Random): Settings {
  const settings = { ...DEFAULT_SETTINGS, shards: random.pick([1, 2, 3, 4]) };
  settings.maxClockRatio = random.pick([1.02, 1.1, 1.3]);
  settings.maxVoters = random.pick([3, 5, 7]);
  settings.auditIntervalMs = random.pick([10_000, 60_000]);
  if (scenario === 'everything-fast') {
    settings.leaseDurationMs = 6_000;
    settings.renewIntervalMs = 1_500;
    settings.callTimeoutMs = 1_000;
    settings.closeWindowMs = 1_000;
    settings.rankStepMs = 300;
    settings.retryMs = 300;
    settings.attemptTimeoutMs = 1_500;
    settings.settleMs = 3_000;
    settings.markerMs = 40_000;
    settings.maxDetachedMs = random.pick([20_000, 3_600_000]);
  }
  return settings;
}

/**
 * Once faults have stopped, all shards are decided upon again within this: a Lease that is missing is put back, found
 * incomplete and put right (one wait), and claimed (another), each by whoever is still there of those in rank.
 */
export function recoveryMs(settings: Settings, members: number): number {
  const { renewIntervalMs, rankStepMs, retryMs, callTimeoutMs, maxClockRatio } = settings;
  const waitMs =
    followerWaitMs(settings) + 2 * renewIntervalMs + members * rankStepMs + 8 * retryMs + callTimeoutMs;
  return 2 * waitMs * maxClockRatio;
}

/** Starts one fault now, and undoes it after a while. */
type Fault = (world: World) => void;

function forWhile(world: World, ms: number, undo: () => void): void {
  world.schedule.after(ms, undo);
}

function someone(world: World): Process | undefined {
  const live = world.live();
  return live.length === 0 ? undefined : world.random.pick(live);
}

function leaseMs(world: World): number {
  return world.settings.leaseDurationMs;
}

function cutPair(world: World): void {
  const [from, to] = [someone(world), someone(world)];
  if (from === undefined || to === undefined || from === to) return;
  const both = world.random.chance(0.5);
  const cut = (by: 1 | -1) => {
    world.network.cut(from.incarnation, to.incarnation, by);
    if (both) world.network.cut(to.incarnation, from.incarnation, by);
  };
  world.trace(`cut ${from.incarnation} ${both ? '<>' : '>'} ${to.incarnation}`);
  cut(1);
  forWhile(world, world.random.between(0.1, 3) * leaseMs(world), () => cut(-1));
}

function isolate(world: World): void {
  const process = someone(world);
  if (process === undefined) return;
  const others = world.live().filter((other) => other !== process);
  const inward = world.random.chance(0.7);
  const outward = !inward || world.random.chance(0.7);
  const alsoApi = world.random.chance(0.4);
  const cut = (by: 1 | -1) => {
    for (const other of others) {
      if (inward) world.network.cut(other.incarnation, process.incarnation, by);
      if (outward) world.network.cut(process.incarnation, other.incarnation, by);
    }
    if (alsoApi) process.cutFromApi(by);
  };
  world.trace(`isolate ${process.incarnation} in ${inward} out ${outward} api ${alsoApi}`);
  cut(1);
  forWhile(world, world.random.between(0.1, 3) * leaseMs(world), () => cut(-1));
}

/** Some see each other and not the rest; each half with or without the Lease API. */
function split(world: World): void {
  const halves = world.live().map((process) => ({ process, left: world.random.chance(0.5) }));
  const leftApi = world.random.chance(0.5);
  const rightApi = world.random.chance(0.5);
  const cut = (by: 1 | -1) => {
    for (const one of halves) {
      for (const other of halves) {
        if (one.left !== other.left)
          world.network.cut(one.process.incarnation, other.process.incarnation, by);
      }
      if (one.left ? !leftApi : !rightApi) one.process.cutFromApi(by);
    }
  };
  world.trace(
    `split ${halves.map(({ process, left }) => `${process.incarnation}:${left ? 'L' : 'R'}`).join(' ')}`,
  );
  cut(1);
  forWhile(world, world.random.between(0.5, 4) * leaseMs(world), () => cut(-1));
}

function cutFromApi(world: World): void {
  const process = someone(world);
  if (process === undefined) return;
  world.trace(`cut ${process.incarnation} from the API`);
  process.cutFromApi(1);
  forWhile(world, world.random.between(0.2, 4) * leaseMs(world), () => process.cutFromApi(-1));
}

function apiAway(world: World): void {
  world.trace('API away');
  world.api.faults.isAway = true;
  forWhile(world, world.random.between(0.2, 4) * leaseMs(world), () => {
    world.api.faults.isAway = false;
  });
}

function pause(world: World): void {
  const process = someone(world);
  if (process === undefined || process.isPaused) return;
  world.trace(`pause ${process.incarnation}`);
  process.pause();
  const ms = world.random.chance(0.5)
    ? world.random.between(0.02, 0.5) * leaseMs(world)
    : world.random.between(0.5, 4) * leaseMs(world);
  forWhile(world, ms, () => {
    if (!process.isPaused) return;
    world.trace(`resume ${process.incarnation}`);
    process.resume();
  });
}

function crashAndRestart(world: World, process: Process): void {
  world.crash(process);
  // A container that is restarted, or a pod on another node.
  const replaces = world.random.chance(0.5) ? process.incarnation : '';
  world.schedule.after(world.random.between(0.01, 2) * leaseMs(world), () => world.start(replaces));
}

function crash(world: World): void {
  const process = someone(world);
  if (process === undefined) return;
  crashAndRestart(world, process);
}

function crashMost(world: World): void {
  for (const process of world.live()) {
    if (!world.random.chance(0.7)) continue;
    crashAndRestart(world, process);
  }
}

function roll(world: World): void {
  const serving = world.serving();
  if (serving.length === 0) return;
  const process = world.random.pick(serving);
  const surge = world.random.chance(0.7);
  if (surge) world.start();
  const stopAfterMs = surge ? world.random.between(1, 20_000) : 0;
  world.schedule.after(stopAfterMs, () => {
    world.stop(process);
    if (!surge) world.start();
  });
}

function scale(world: World): void {
  if (world.serving().length < 6 && world.random.chance(0.5)) world.start();
  else if (world.serving().length > 2) world.stop(world.random.pick(world.serving()));
}

function deleteLease(world: World): void {
  const records = world.api.records();
  if (records.length > 0) world.deleteLease(world.random.pick(records).name);
}

function stallWatch(world: World): void {
  const process = someone(world);
  const ms = world.random.between(0.2, 4) * leaseMs(world);
  world.trace(`stall the watch of ${process?.incarnation}`);
  process?.stallWatch(ms);
}

const NETWORK: readonly Fault[] = [cutPair, cutPair, isolate, split];
const API: readonly Fault[] = [cutFromApi, cutFromApi, apiAway, deleteLease, stallWatch, stallWatch];
const PROCESSES: readonly Fault[] = [pause, pause, crash, crash, crashMost, roll, scale];
const FAULTS: Readonly<Record<Scenario, readonly Fault[]>> = {
  calm: [],
  rolling: [roll, roll, scale],
  'api-away': [],
  network: NETWORK,
  'lease-api': API,
  processes: PROCESSES,
  everything: [...NETWORK, ...API, ...PROCESSES],
  'everything-fast': [...NETWORK, ...API, ...PROCESSES],
};

/** Nobody is rejected without need, closed, or left without an answer: the members see no fault worth the name. */
export function isSmooth(scenario: Scenario): boolean {
  return scenario === 'calm' || scenario === 'rolling' || scenario === 'api-away';
}

/** Spreads a scenario's faults over a stretch of time. */
export function scheduleFaults(world: World, scenario: Scenario, fromMs: number, untilMs: number): void {
  const { random, schedule, network, api } = world;
  const kinds = FAULTS[scenario];
  if (!isSmooth(scenario)) {
    const rough = random.unit();
    Object.assign(network.faults, {
      loss: random.pick([0, 0.01, 0.1, 0.3]) * rough,
      duplication: random.pick([0, 0.05, 0.3]) * rough,
      stragglers: random.pick([0, 0.01, 0.1]),
      straggleMs: random.pick([100, 2_000, 40_000]),
      maxDelayMs: random.pick([2, 20, 200]),
    });
    Object.assign(api.faults, {
      errors: random.pick([0, 0.05, 0.3]) * rough,
      lostAnswers: random.pick([0, 0.05, 0.3]) * rough,
      late: random.pick([0, 0.01, 0.1]),
      maxLatencyMs: random.pick([10, 100, 1_000]),
    });
  }
  if (scenario === 'api-away') {
    schedule.at(fromMs, () => {
      world.trace('API away');
      api.faults.isAway = true;
    });
    return;
  }
  if (kinds.length === 0) return;
  const meanMs = random.pick([0.3, 1, 3]) * world.settings.leaseDurationMs * (scenario === 'rolling' ? 2 : 1);
  const next = (atMs: number) => {
    if (atMs >= untilMs) return;
    schedule.at(atMs, () => {
      if (world.schedule.nowMs < untilMs) random.pick(kinds)(world);
      next(atMs + random.exponential(meanMs));
    });
  };
  next(fromMs + random.exponential(meanMs));
}

export function stopFaults(world: World): void {
  world.trace('faults stop');
  world.network.mendAll();
  Object.assign(world.api.faults, { errors: 0, lostAnswers: 0, late: 0, maxLatencyMs: 20, isAway: false });
  for (const process of world.live()) {
    process.resume();
    process.mendApi();
    process.stallWatch(0);
  }
  if (world.serving().length === 0) world.start();
}
