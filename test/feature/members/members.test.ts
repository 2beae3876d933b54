/**
 * Several real processes that share counts through a folder: killed, stopped for longer than a lease, cut off from
 * each other and from the store, while clients connect and leave all the time and note for themselves when they were
 * certainly served.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../../proxy/counter/driver/monotonic-clock.ts';
import { QUICK_SETTINGS } from '../../../proxy/counter/testing/quick-settings.ts';
import { until } from '../../support/until.ts';
import type { Mode, Order } from './count-server.ts';
import { findExcess, type Served } from './evidence.ts';

const LEASE_MS = QUICK_SETTINGS.leaseDurationMs;
const KEYS = ['a', 'b', 'c', 'd', 'e'];
const MAX = 3;
const CLIENTS = 30;

class Server {
  readonly child: ChildProcess;
  readonly name: string;
  port = 0;
  order: Order = { isStoreAway: false, isUnlinked: false };

  constructor(folder: string, mode: Mode) {
    this.child = fork(join(import.meta.dirname, 'count-server.ts'), [folder, mode], {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    });
    this.name = String(this.child.pid);
  }

  async ready(): Promise<this> {
    const [line] = await once(this.child.stdout!, 'data');
    this.port = Number(/port (\d+)/.exec(String(line))?.[1]);
    assert(this.port > 0);
    return this;
  }

  get isRunning(): boolean {
    return this.port > 0 && this.child.exitCode === null && this.child.signalCode === null;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  tell(order: Partial<Order>): void {
    this.order = { ...this.order, ...order };
    this.child.send(this.order);
  }
}

interface Outcome {
  readonly said: string;
  /** Resolves when the connection is gone. */
  readonly over: Promise<Served | null>;
  leave(): void;
}

/** One client: resolves with the server's first word. */
function ask(server: Server, key: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1');
    let fromMs = 0;
    let untilMs = 0;
    let said = '';
    let rest = '';
    const { promise: over, resolve: end } = Promise.withResolvers<Served | null>();
    const answer = () => resolve({ said, over, leave: () => socket.destroy() });
    socket.on('connect', () => socket.write(`${key} ${MAX}\n`));
    socket.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        const [word = '', time] = line.split(' ');
        if (word === 'ok') fromMs = Number(time);
        if (word === 'ok' || word === 'at') untilMs = Number(time);
        if (said !== '') continue;
        said = word;
        answer();
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (said === '') {
        said = 'gone';
        answer();
      }
      end(fromMs === 0 ? null : { key, maxCount: MAX, fromMs, untilMs, server: server.name });
    });
  });
}

class Crowd {
  readonly served: Served[] = [];
  readonly counts: Record<string, number> = {};
  #isOver = false;
  readonly #all: Promise<void>[];

  constructor(servers: readonly (() => Server)[]) {
    this.#all = Array.from({ length: CLIENTS }, () => this.#client(servers));
  }

  async leave(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#all);
  }

  async #client(servers: readonly (() => Server)[]): Promise<void> {
    while (!this.#isOver) {
      const server = servers[Math.floor(Math.random() * servers.length)]!();
      if (!server.isRunning) {
        await delay(20);
        continue;
      }
      const outcome = await Promise.race([
        ask(server, KEYS[Math.floor(Math.random() * KEYS.length)]!),
        delay(2_000, null),
      ]);
      if (outcome === null) continue;
      const { said, over, leave } = outcome;
      this.counts[said] = (this.counts[said] ?? 0) + 1;
      if (said === 'ok') {
        // Some stay for longer than most faults.
        const stayMs = Math.random() < 0.05 ? 2 * LEASE_MS : Math.random() * 300;
        const endMs = monotonicMs() + stayMs;
        let isGone = false;
        void over.then(() => {
          isGone = true;
        });
        while (!isGone && !this.#isOver && monotonicMs() < endMs) await delay(15);
        leave();
      } else {
        await delay(20 + Math.random() * 80);
      }
      const one = await over;
      if (one !== null) this.served.push(one);
    }
  }
}

async function start(t: TestContext, count: number, mode: Mode = 'shared') {
  const folder = mkdtempSync(join(tmpdir(), 'members-'));
  const servers: Server[] = [];
  const add = () => {
    const server = new Server(folder, mode);
    servers.push(server);
    return server.ready();
  };
  t.after(async () => {
    await Promise.all(
      servers.map((server) => {
        server.child.kill('SIGCONT');
        return server.kill();
      }),
    );
    rmSync(folder, { recursive: true });
  });
  return { servers: await Promise.all(Array.from({ length: count }, add)), add };
}

test('whatever happens to processes, links and the store, no key has too many, and all slots come back', async (t) => {
  const { servers, add } = await start(t, 4);
  const places = [...servers];
  const crowd = new Crowd(places.map((_, at) => () => places[at]!));
  await delay(LEASE_MS);

  // Killed, and started again in its place.
  await places[0]!.kill();
  places[0] = await add();
  await delay(500);
  // Stands still for three leases, holding connections, and perhaps shards.
  places[1]!.child.kill('SIGSTOP');
  // Meanwhile another is cut off from the rest, then from the store as well, then from the store only.
  places[2]!.tell({ isUnlinked: true });
  await delay(LEASE_MS);
  places[2]!.tell({ isStoreAway: true });
  await delay(2 * LEASE_MS);
  places[1]!.child.kill('SIGCONT');
  places[2]!.tell({ isUnlinked: false });
  await delay(LEASE_MS);
  places[2]!.tell({ isStoreAway: false });
  // The store is away for all, and a process dies meanwhile.
  for (const server of places) server.tell({ isStoreAway: true });
  await delay(LEASE_MS);
  await places[3]!.kill();
  await delay(LEASE_MS);
  for (const server of places.slice(0, 3)) server.tell({ isStoreAway: false });
  places[3] = await add();
  await delay(LEASE_MS);
  await crowd.leave();

  const { served, counts } = crowd;
  t.diagnostic(`${served.length} connections; answers: ${JSON.stringify(counts)}`);
  assert(served.length > 300, `only ${served.length} connections`);
  assert.deepEqual(findExcess(served), null);

  for (const key of KEYS) {
    const held: Outcome[] = [];
    await until(`all slots of ${key} can be had again`, async () => {
      const outcome = await ask(places[held.length % places.length]!, key);
      if (outcome.said === 'ok') held.push(outcome);
      return held.length === MAX;
    });
    assert.equal((await ask(places[0]!, key)).said, 'no');
    for (const { leave } of held) leave();
  }
});

test('processes that count alone are found out', async (t) => {
  const { servers } = await start(t, 2, 'alone');
  const crowd = new Crowd(servers.map((server) => () => server));
  await delay(1_000);
  await crowd.leave();
  assert.notEqual(findExcess(crowd.served), null);
});

test('processes that keep what they have lost are found out', async (t) => {
  const { servers } = await start(t, 3, 'deaf');
  const crowd = new Crowd(servers.map((server) => () => server));
  await delay(LEASE_MS);
  servers[0]!.tell({ isUnlinked: true, isStoreAway: true });
  await delay(2.5 * LEASE_MS);
  await crowd.leave();
  assert.notEqual(findExcess(crowd.served), null);
});

test('an excess is found where it is, and not where one leaves as another comes', () => {
  const one = (fromMs: number, untilMs: number, key = 'a'): Served => ({
    key,
    maxCount: 1,
    fromMs,
    untilMs,
    server: 's',
  });
  assert.equal(findExcess([one(0, 10), one(10, 20), one(5, 15, 'b'), one(5, 5)]), null);
  assert.equal(findExcess([one(0, 10), one(9, 20)])?.atMs, 9);
});
