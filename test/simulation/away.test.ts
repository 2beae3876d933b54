import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shardOfKey } from '../../proxy/counter/protocol/placement.ts';
import { DEFAULT_SETTINGS } from '../../proxy/counter/protocol/settings.ts';
import type { Process } from './process.ts';
import { Random } from './random.ts';
import { World } from './world.ts';

const SETTINGS = { ...DEFAULT_SETTINGS, shards: 4 };
const KEYS = Array.from({ length: 16 }, (_, at) => `k${at}`);

function worldOf(members: number): World {
  const world = new World(new Random(7), SETTINGS, {});
  world.createShards();
  for (let at = 0; at < members; at++) world.start();
  advance(world, 60_000);
  return world;
}

function advance(world: World, ms: number): void {
  world.schedule.runUntil(world.schedule.nowMs + ms, () => {});
}

function deciderOf(world: World, shard: number): Process | undefined {
  return world.live().find((process) => process.node.owner(shard)?.canDecide(process.nowMs()));
}

function openOnAll(world: World, maxCount: number): void {
  for (const process of world.live()) {
    for (const key of KEYS) process.open([{ key, maxCount, enforce: true }]);
  }
  advance(world, SETTINGS.attemptTimeoutMs + 1_000);
}

test('without the API server an owner dies: nobody else is closed, only its shards admit nobody', () => {
  const world = worldOf(5);
  openOnAll(world, 5);
  assert.equal(world.observer.admitted, 5 * KEYS.length);
  world.api.faults.isAway = true;
  advance(world, 60_000);
  const victim = deciderOf(world, 0)!;
  const lost = new Set(
    Array.from({ length: SETTINGS.shards }, (_, shard) => shard).filter(
      (shard) => deciderOf(world, shard) === victim,
    ),
  );
  // No proof of its death either: that comes from the API server too.
  world.maxObituaryMs = Number.MAX_SAFE_INTEGER;
  world.crash(victim);
  advance(world, 3_600_000);
  assert.equal(world.observer.closedByGateway, 0);
  for (const key of KEYS) {
    const shard = shardOfKey(key, SETTINGS.shards);
    assert.equal(deciderOf(world, shard) === undefined, lost.has(shard));
  }
  const before = { ...world.observer };
  openOnAll(world, 8);
  const served = KEYS.filter((key) => !lost.has(shardOfKey(key, SETTINGS.shards))).length;
  // The dead member's slots stay counted: of 8, 5 were taken.
  assert.equal(world.observer.admitted - before.admitted, 3 * served);
  assert.equal(world.observer.unavailable - before.unavailable, 4 * (KEYS.length - served));

  world.api.faults.isAway = false;
  advance(world, 60_000);
  openOnAll(world, 8);
  for (const key of KEYS) {
    const owner = deciderOf(world, shardOfKey(key, SETTINGS.shards))!;
    assert.equal(owner.node.owner(shardOfKey(key, SETTINGS.shards))!.holdings.count(key), 8);
  }
  assert.equal(world.observer.closedByGateway, 0);
});

test('without the API server and most members, the rest close what they hold, spread over the window, in time', () => {
  const world = worldOf(5);
  openOnAll(world, 5);
  world.api.faults.isAway = true;
  world.maxObituaryMs = Number.MAX_SAFE_INTEGER;
  const [survivor, ...others] = world.live();
  for (const process of others) world.crash(process);
  const closedMs: number[] = [];
  for (let at = 0; at < 400; at++) {
    advance(world, 100);
    while (closedMs.length < world.observer.closedByGateway) closedMs.push(world.schedule.nowMs);
  }
  assert.equal(survivor!.connections.size, 0);
  assert.equal(closedMs.length, KEYS.length);
  assert.ok(closedMs.at(-1)! - closedMs[0]! > SETTINGS.closeWindowMs / 2);
});
