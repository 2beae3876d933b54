import assert from 'node:assert/strict';
import test from 'node:test';
import { listener, port, snapshot } from '../../test/support/snapshots.ts';
import {
  type CloseReason,
  type ConnectionEntry,
  type ConnectionKind,
  ConnectionRegistry,
  type RegistryEnvironment,
} from './registry.ts';
import { onRemovedListener } from './removed.ts';

/** Timers that fire when the time is moved, and a repeatable sequence of random numbers. */
class Simulation implements RegistryEnvironment {
  nowMs = 0;
  #seed = 1;
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  setTimeout(callback: () => void, delayMs: number): unknown {
    const timer = { atMs: this.nowMs + delayMs, callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as never);
  }

  readonly random = (): number => {
    this.#seed = (this.#seed * 16_807) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  };

  get timers(): number {
    return this.#timers.size;
  }

  advanceTo(ms: number): void {
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > ms) break;
      this.#timers.delete(next);
      this.nowMs = next.atMs;
      next.callback();
    }
    this.nowMs = ms;
  }
}

interface Closed {
  readonly id: number;
  readonly reason: CloseReason;
  readonly atMs: number;
}

function setUp(count: number, kind: ConnectionKind = 'websocket') {
  const simulation = new Simulation();
  const registry = new ConnectionRegistry(simulation);
  const closed: Closed[] = [];
  const entries = Array.from({ length: count }, (_, id): ConnectionEntry => {
    const entry: ConnectionEntry = {
      id,
      kind,
      port: 8080,
      listener: id % 2 === 0 ? 'even' : 'odd',
      rule: null,
      pool: null,
      endpoint: null,
      clientAddress: '192.0.2.1',
      userId: null,
      openedAtMs: 0,
      bytesIn: 0,
      bytesOut: 0,
      close: (reason) => {
        closed.push({ id, reason, atMs: simulation.nowMs });
        registry.remove(entry);
      },
    };
    registry.add(entry);
    return entry;
  });
  return { simulation, registry, entries, closed };
}

test('lists with a limit, counts by kind, forgets what is removed', async () => {
  const { registry, entries } = setUp(5);
  assert.deepEqual(
    registry.list(2).map(({ id }) => id),
    [0, 1],
  );
  assert.deepEqual(
    registry.list(9, (entry) => entry.listener === 'odd').map(({ id }) => id),
    [1, 3],
  );
  assert.deepEqual(registry.list(0), []);
  assert.equal(registry.countsByKind().websocket, 5);
  assert.equal(registry.countsByKind().http, 0);
  const empty = registry.whenEmpty();
  for (const entry of [...entries, ...entries]) registry.remove(entry);
  await empty;
  await registry.whenEmpty();
  assert.equal(registry.size, 0);
});

test('drains: waits, then closes what is left, spread evenly over the window', async () => {
  const { simulation, registry, entries, closed } = setUp(100);
  const draining = registry.drain((entry) => entry.listener === 'even', { timeoutMs: 1000, jitterMs: 500 });
  simulation.advanceTo(999);
  assert.equal(closed.length, 0);
  registry.remove(entries[0]!); // Leaves by itself.
  simulation.advanceTo(1250);
  assert(closed.length >= 24 && closed.length <= 25);
  simulation.advanceTo(1500);
  await draining;
  assert.equal(closed.length, 49);
  assert(closed.every(({ id, reason }) => id % 2 === 0 && reason === 'drain'));
  assert.equal(simulation.timers, 0);
  // One in each forty-ninth of the window, and not in the order of their opening.
  for (const [index, { atMs }] of closed.entries()) {
    const share = 500 / 49;
    assert(
      atMs >= 1000 + index * share - 1e-6 && atMs <= 1000 + (index + 1) * share + 1e-6,
      `${index}: ${atMs}`,
    );
  }
  const ids = closed.map(({ id }) => id);
  assert.notDeepEqual(
    ids,
    ids.toSorted((a, b) => a - b),
  );
  assert.equal(registry.size, 50);
});

test('a drain of nothing, and one whose connections all leave, end at once', async () => {
  const { simulation, registry, entries, closed } = setUp(2);
  await registry.drain(() => false, { timeoutMs: 1000, jitterMs: 0 });
  const draining = registry.drain(() => true, { timeoutMs: 1000, jitterMs: 100 });
  for (const entry of entries) registry.remove(entry);
  await draining;
  assert.equal(simulation.timers, 0);
  assert.equal(closed.length, 0);
});

test('connections that leave in the middle of the window are not closed', async () => {
  const { simulation, registry, entries, closed } = setUp(10);
  const draining = registry.drain(() => true, { timeoutMs: 0, jitterMs: 1000 }, 'shutdown');
  simulation.advanceTo(500);
  const gone = new Set(closed.map(({ id }) => id));
  const left = entries.filter(({ id }) => !gone.has(id));
  assert(gone.size > 0 && left.length > 1);
  registry.remove(left[0]!);
  simulation.advanceTo(1000);
  await draining;
  assert.equal(closed.length, 9);
  assert(closed.every(({ id, reason }) => id !== left[0]!.id && reason === 'shutdown'));
  assert.equal(simulation.timers, 0);
});

test('without jitter all are closed at the timeout', async () => {
  const { simulation, registry, closed } = setUp(3);
  const draining = registry.drain(() => true, { timeoutMs: 100, jitterMs: 0 });
  simulation.advanceTo(100);
  await draining;
  assert.equal(closed.length, 3);
});

test('closes all', () => {
  const { registry, closed } = setUp(3);
  registry.closeAll('shutdown');
  assert.deepEqual(
    closed.map(({ reason }) => reason),
    ['shutdown', 'shutdown', 'shutdown'],
  );
  assert.equal(registry.size, 0);
});

test('knows whose listener is gone', () => {
  const { entries } = setUp(2);
  const both = snapshot({ ports: [port(8080, [listener('even'), listener('odd')])] });
  const removed = (next: Parameters<typeof snapshot>[0]) =>
    entries.filter(onRemovedListener(both, snapshot(next))).map(({ listener: name }) => name);
  assert.deepEqual(removed({ ports: both.ports }), []);
  assert.deepEqual(removed({ ports: [port(8080, [listener('odd')])] }), ['even']);
  assert.deepEqual(removed({ ports: [port(9090, [listener('even'), listener('odd')])] }), ['even', 'odd']);
  assert.deepEqual(removed({}), ['even', 'odd']);
});
