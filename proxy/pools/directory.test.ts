import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fqdn, ip, pool } from '../../test/support/pools.ts';
import { request } from '../../test/support/requests.ts';
import type { Drain, Pool } from '../config/snapshot.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { Channel, Topic } from '../workers/channel.ts';
import { AffinityBindings } from './bindings.ts';
import { EndpointCounts } from './counts.ts';
import { PoolDirectory } from './directory.ts';
import type { Endpoint, Selection } from './endpoint.ts';
import { type EndpointRecord, type EndpointState, JOIN, MEMBERS, STATES } from './messages.ts';

const COLUMNS = 4;
const POOL = 'default/chat';

/** The main thread's end of several workers, without a main thread: messages are delivered at once. */
class Main {
  readonly counts = EndpointCounts.create(COLUMNS);
  readonly bindings = AffinityBindings.create(64);
  readonly posted: unknown[] = [];
  nowSeconds = 1000;
  #column = 0;

  worker(pools: readonly Pool[]): {
    directory: PoolDirectory;
    send: <P>(topic: Topic<P>, payload: P) => void;
  } {
    const handlers = new Map<string, (payload: never) => void>();
    const channel: Channel = {
      post: (_topic, payload) => void this.posted.push(payload),
      on: (topic, handler) => void handlers.set(topic.name, handler),
    };
    const nowSeconds = () => this.nowSeconds;
    const directory = new PoolDirectory({ channel, metrics: new Metrics(), random: seeded(1), nowSeconds });
    const send = <P>(topic: Topic<P>, payload: P) => handlers.get(topic.name)?.(payload as never);
    this.counts.useColumn(this.#column);
    send(JOIN, {
      counts: this.counts.buffer,
      columns: COLUMNS,
      column: this.#column++,
      bindings: this.bindings.buffer,
      affinityKey: Buffer.from('key'),
    });
    directory.apply(pools);
    return { directory, send };
  }
}

/** mulberry32: the same numbers in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function record(row: number, changes: Partial<EndpointRecord> = {}): EndpointRecord {
  const address = `10.0.${row >> 8}.${row & 255}`;
  return {
    id: `${address}:80`,
    row,
    hostname: address,
    address,
    port: 80,
    weight: 1,
    state: 'healthy',
    ...changes,
  };
}

function members(
  endpoints: readonly EndpointRecord[],
  drained: readonly string[] = [],
  problem: string | null = null,
) {
  return { pool: POOL, endpoints, drained, problem };
}

const TARGETS = [ip('10.0.0.1', 80)];

function setup(endpoints: readonly EndpointRecord[], changes: Partial<Pool> = {}) {
  const main = new Main();
  const worker = main.worker([pool(TARGETS, changes)]);
  worker.send(MEMBERS, members(endpoints));
  return { main, ...worker };
}

function chosen(directory: PoolDirectory, target = '/', headers: Record<string, string> = {}): Selection {
  const selection = directory.select(POOL, request(target, { headers }));
  assert(selection.endpoint !== null, 'no endpoint');
  return selection;
}

function tally(directory: PoolDirectory, times: number): number[] {
  const counts = new Map<string, number>();
  for (let i = 0; i < times; i++) {
    const { id } = chosen(directory).endpoint;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count);
}

describe('policies', () => {
  test('round robin is exact over each round of weights, and smooth within it', () => {
    const weights = [5, 1, 1];
    const { directory } = setup(weights.map((weight, row) => record(row, { weight })));
    const counts = tally(directory, 700);
    assert.deepEqual(counts, [500, 100, 100]);
    let inARow = 0;
    for (let i = 0; i < 70; i++) {
      inARow = chosen(directory).endpoint.weight === 5 ? inARow + 1 : 0;
      assert(inARow <= 5, 'the heavy endpoint is never given more than its share in one go');
    }
  });

  test('weight 0 gets nothing, and a change of states keeps the order', () => {
    const { directory, send } = setup([record(0), record(1, { weight: 0 }), record(2)]);
    assert.deepEqual(tally(directory, 100), [50, 50]);
    send(STATES, { pool: POOL, problem: null, changes: [{ id: record(0).id, state: 'ejected' }] });
    assert.deepEqual(tally(directory, 10), [10]);
    send(STATES, { pool: POOL, problem: null, changes: [{ id: record(0).id, state: 'healthy' }] });
    const after = tally(directory, 100);
    assert(
      Math.abs(after[0]! - after[1]!) <= 2,
      `one that returns does not make up for its absence: ${after}`,
    );
  });

  test('least connections counts what all workers have open, by weight, and spreads ties', () => {
    const loadBalancing = { policy: 'LeastConnections' } as const;
    const { directory, main, send: _ } = setup([record(0), record(1, { weight: 2 })], { loadBalancing });
    const open: Endpoint[] = [];
    for (let i = 0; i < 300; i++) {
      const { endpoint } = chosen(directory);
      directory.begin(endpoint);
      open.push(endpoint);
    }
    assert.deepEqual([main.counts.open(0), main.counts.open(1)], [100, 200]);
    for (const endpoint of open) directory.end(endpoint);
    assert.deepEqual([main.counts.open(0), main.counts.open(1)], [0, 0]);
    assert.deepEqual(tally(directory, 300), [100, 200]);

    const other = main.worker([pool(TARGETS, { loadBalancing })]);
    other.send(MEMBERS, members([record(0), record(1, { weight: 2 })]));
    for (let i = 0; i < 10; i++) other.directory.begin(chosen(other.directory).endpoint);
    const loads = [main.counts.open(0), main.counts.open(1) / 2];
    const { endpoint } = chosen(directory);
    assert.equal(endpoint.weight, loads[0]! < loads[1]! ? 1 : loads[0]! > loads[1]! ? 2 : endpoint.weight);
  });

  test('random two is by weight when idle and evens out load', () => {
    const loadBalancing = { policy: 'Random2' } as const;
    const { directory, main } = setup([record(0), record(1, { weight: 3 })], { loadBalancing });
    const [light = 0] = tally(directory, 10_000);
    assert(light > 2200 && light < 2800, `found ${light} of 10,000, expected about 2,500`);
    main.counts.useColumn(3);
    for (let i = 0; i < 100; i++) main.counts.add(1, 3, 1);
    assert.deepEqual(tally(directory, 50), [50], 'the idle one of the two takes all');
  });

  test('a consistent hash is even, and moves only the keys of an endpoint that goes', () => {
    const loadBalancing = { policy: 'ConsistentHash', key: { from: 'header', name: 'X-Room' } } as const;
    const records = Array.from({ length: 10 }, (_, row) => record(row));
    const { directory, send } = setup(records, { loadBalancing });
    const keys = Array.from({ length: 10_000 }, (_, key) => `room-${key}`);
    const place = () => keys.map((key) => chosen(directory, '/', { 'x-room': key }).endpoint.id);
    const before = place();
    const shares = records.map(({ id }) => before.filter((at) => at === id).length);
    for (const share of shares) assert(share > 700 && share < 1300, `shares ${shares}`);

    const gone = records[3]!.id;
    for (const change of ['unhealthy', 'removed'] as const) {
      if (change === 'unhealthy')
        send(STATES, { pool: POOL, problem: null, changes: [{ id: gone, state: change }] });
      else send(MEMBERS, members(records.filter(({ id }) => id !== gone)));
      place().forEach((at, i) => {
        if (before[i] !== gone) assert.equal(at, before[i], 'a key moved without need');
        else assert.notEqual(at, gone);
      });
    }
    send(MEMBERS, members(records));
    assert.deepEqual(place(), before);
  });

  test('weights shape the ring, and requests without the key go anywhere', () => {
    const loadBalancing = { policy: 'ConsistentHash', key: { from: 'query', name: 'room' } } as const;
    const { directory } = setup([record(0), record(1, { weight: 3 })], { loadBalancing });
    let heavy = 0;
    for (let i = 0; i < 10_000; i++) if (chosen(directory, `/?room=${i}`).endpoint.weight === 3) heavy++;
    assert(heavy > 7000 && heavy < 8000, `${heavy}`);
    assert.deepEqual(tally(directory, 100), [25, 75]);
  });
});

describe('availability', () => {
  test('untested endpoints serve only while none is healthy', () => {
    const untested = record(1, { state: 'untested' });
    const { directory, send } = setup([record(0, { state: 'untested' }), untested]);
    assert.equal(tally(directory, 10).length, 2);
    send(STATES, { pool: POOL, problem: null, changes: [{ id: record(0).id, state: 'healthy' }] });
    assert.deepEqual(tally(directory, 10), [10]);
  });

  test('says why there is nobody', () => {
    const main = new Main();
    const connections = { ...pool([]).connections, maxPerTarget: 2 };
    const { directory, send } = main.worker([pool([fqdn('a.example', 80)], { connections })]);
    const why = () => {
      const { endpoint, ...rest } = directory.select(POOL, request()) as { endpoint: null };
      assert.equal(endpoint, null);
      return rest;
    };
    send(MEMBERS, members([], [], 'a.example does not exist (NXDOMAIN)'));
    const description = 'pool default/chat has no addresses: a.example does not exist (NXDOMAIN)';
    assert.deepEqual(why(), { reason: 'no_addresses', description });

    send(MEMBERS, members([record(0, { state: 'unhealthy' })], [], 'connection refused'));
    const unhealthy = 'pool default/chat: none of 1 endpoints is healthy: connection refused';
    assert.deepEqual(why(), { reason: 'no_healthy_target', description: unhealthy });

    send(MEMBERS, members([record(0), record(1)]));
    for (let i = 0; i < 4; i++) directory.begin(chosen(directory).endpoint);
    const full = 'pool default/chat: all 2 usable endpoints have 2 requests or connections open';
    assert.deepEqual(why(), { reason: 'all_targets_full', description: full });

    directory.apply([pool([])]);
    send(MEMBERS, members([]));
    assert.equal((why() as { reason?: string }).reason, 'no_targets');
  });

  test('endpoints to avoid are passed over while there are others', () => {
    for (const policy of ['RoundRobin', 'LeastConnections', 'Random2'] as const) {
      const { directory } = setup([record(0), record(1), record(2)], { loadBalancing: { policy } });
      const avoid = new Set<Endpoint>();
      for (let i = 0; i < 3; i++) {
        const { endpoint } = directory.select(POOL, request(), avoid) as Selection;
        assert(!avoid.has(endpoint));
        avoid.add(endpoint);
      }
      assert.notEqual(directory.select(POOL, request(), avoid).endpoint, null);
    }
  });

  test('failures in a row over all workers are reported once they reach the threshold', () => {
    const ejection = { consecutiveFailures: 3, baseMs: 1, maxMs: 1, maxEjectedPercent: 100 };
    const main = new Main();
    const workers = [0, 1].map(() => {
      const worker = main.worker([pool(TARGETS, { ejection })]);
      worker.send(MEMBERS, members([record(0)]));
      return { directory: worker.directory, endpoint: chosen(worker.directory).endpoint };
    });
    const [a, b] = workers as [(typeof workers)[0], (typeof workers)[0]];
    a.directory.report(a.endpoint, 'reset');
    b.directory.report(b.endpoint, 'reset');
    a.directory.report(a.endpoint, 'success');
    b.directory.report(b.endpoint, 'reset');
    a.directory.report(a.endpoint, 'reset');
    assert.deepEqual(main.posted, []);
    b.directory.report(b.endpoint, 'timed_out');
    assert.deepEqual(main.posted, [{ pool: POOL, id: record(0).id, last: 'timed_out' }]);
  });
});

describe('endpoints over changes', () => {
  test('stay the same objects, and are drained only when their target went', () => {
    const { directory, send } = setup([record(0), record(1), record(2)]);
    const removed: [string, Drain | null][] = [];
    directory.onRemoved((endpoint, drain) => removed.push([endpoint.id, drain]));
    const first = new Set([0, 1, 2].map(() => chosen(directory).endpoint));
    directory.apply([pool(TARGETS, { loadBalancing: { policy: 'Random2' } })]);
    send(MEMBERS, members([record(0), record(1), record(2)]));
    for (let i = 0; i < 30; i++) assert(first.has(chosen(directory).endpoint));

    const { drain } = pool([]);
    send(MEMBERS, members([record(0)], [record(1).id]));
    assert.deepEqual(removed, [
      [record(1).id, drain],
      [record(2).id, null],
    ]);
    assert.equal(chosen(directory).endpoint.removed, false);

    const kept = chosen(directory).endpoint;
    directory.apply([pool(TARGETS, { protocol: 'HTTPS' })]);
    const replaced = chosen(directory).endpoint;
    assert.notEqual(replaced, kept);
    assert.equal(kept.removed, true);
    assert.deepEqual(removed.slice(2), [[record(0).id, null]]);

    directory.apply([]);
    assert.deepEqual(removed.slice(3), [[record(0).id, drain]]);
  });

  test('endpoints that come before their pool are kept for it', () => {
    const main = new Main();
    const { directory, send } = main.worker([]);
    send(MEMBERS, members([record(0), record(1, { state: 'untested' })]));
    const states: { id: string; state: EndpointState }[] = [{ id: record(0).id, state: 'unhealthy' }];
    send(STATES, { pool: POOL, problem: null, changes: states });
    directory.apply([pool(TARGETS)]);
    assert.equal(chosen(directory).endpoint.id, record(1).id);
  });
});

describe('affinity', () => {
  const cookie = {
    by: 'cookie',
    name: 'SLUICE',
    path: '/',
    ttlSeconds: 60,
    sameSite: 'Lax',
    secure: null,
  } as const;

  test('a cookie keeps a client at its endpoint, in every worker, and moves it when that is gone', () => {
    const records = [record(0), record(1), record(2)];
    const { directory, send, main } = setup(records, { affinity: cookie });
    const { endpoint, setCookie } = chosen(directory);
    assert.match(setCookie ?? '', /^SLUICE=[\w-]{16}; Path=\/; Max-Age=60; SameSite=Lax; HttpOnly$/);
    assert.doesNotMatch(setCookie ?? '', /10\.0/);
    const headers = { cookie: `a=b; ${setCookie?.split(';')[0]}; XSLUICE=c` };
    const other = main.worker([pool(TARGETS, { affinity: cookie })]);
    other.send(MEMBERS, members(records));
    for (let i = 0; i < 10; i++) {
      for (const worker of [directory, other.directory]) {
        const again = chosen(worker, '/', headers);
        assert.deepEqual([again.endpoint.id, again.setCookie], [endpoint.id, null]);
      }
    }
    send(STATES, { pool: POOL, problem: null, changes: [{ id: endpoint.id, state: 'unhealthy' }] });
    const moved = chosen(directory, '/', headers);
    assert.notEqual(moved.endpoint.id, endpoint.id);
    assert.notEqual(moved.setCookie, null);
    const forged = chosen(directory, '/', { cookie: 'SLUICE=10.0.0.1:80' });
    assert.notEqual(forged.setCookie, null);
    const secure = directory.select(POOL, request('/', { scheme: 'https' })) as Selection;
    assert.match(secure.setCookie ?? '', /; Secure; HttpOnly$/);
  });

  test('what a negotiation gives out binds later requests in all workers', () => {
    const records = Array.from({ length: 20 }, (_, row) => record(row));
    const affinity = { by: 'query', name: 'id' } as const;
    const { directory, send, main } = setup(records, { affinity });
    const other = main.worker([pool(TARGETS, { affinity })]);
    other.send(MEMBERS, members(records));
    const negotiate = request('/hub/negotiate?negotiateVersion=1', { method: 'POST' });
    assert.equal(directory.learns(POOL, negotiate), true);
    assert.equal(directory.learns(POOL, request('/hub/negotiate?id=x', { method: 'POST' })), false);
    assert.equal(directory.learns(POOL, request('/hub?id=x')), false);
    for (let i = 0; i < 20; i++) {
      const { endpoint } = directory.select(POOL, negotiate) as Selection;
      const token = `token+/${i}`;
      directory.learnFromBody(endpoint, JSON.stringify({ connectionId: `id${i}`, connectionToken: token }));
      for (const query of [token, encodeURIComponent(token)]) {
        assert.equal(chosen(other.directory, `/hub?id=${query}`).endpoint.id, endpoint.id);
      }
    }
    main.nowSeconds += 3601;
    // Forgotten, or its endpoint gone: all workers still agree.
    for (let i = 0; i < 20; i++) {
      const path = `/hub?id=token+/${i}`;
      assert.equal(chosen(directory, path).endpoint.id, chosen(other.directory, path).endpoint.id);
    }
    const { endpoint } = chosen(directory);
    directory.learnFromBody(endpoint, JSON.stringify({ connectionId: 'v0' }));
    assert.equal(chosen(directory, '/?id=v0').endpoint, endpoint);
    send(MEMBERS, members(records.filter(({ id }) => id !== endpoint.id)));
    assert.notEqual(chosen(directory, '/?id=v0').endpoint, endpoint);
    for (const body of ['', '{', 'null', '[]', '{"connectionToken":7}'])
      directory.learnFromBody(endpoint, body);
  });

  test('so does the handshake of Engine.IO', () => {
    const records = Array.from({ length: 20 }, (_, row) => record(row));
    const { directory } = setup(records, { affinity: { by: 'query', name: 'sid' } });
    assert.equal(directory.learns(POOL, request('/socket.io/?EIO=4&transport=polling')), true);
    assert.equal(directory.learns(POOL, request('/socket.io/?EIO=4&transport=polling&sid=a')), false);
    const { endpoint } = chosen(directory);
    directory.learnFromBody(endpoint, '0{"sid":"abc","upgrades":["websocket"]}');
    assert.equal(chosen(directory, '/socket.io/?EIO=4&sid=abc').endpoint, endpoint);
  });

  test('bindings are bounded: the oldest of a set makes room', () => {
    const bindings = AffinityBindings.create(8);
    for (let i = 0; i < 9; i++) bindings.bind(POOL, `v${i}`, { high: i, low: i }, 1000 + i);
    assert.equal(bindings.find(POOL, 'v0', 1010), null);
    assert.deepEqual(bindings.find(POOL, 'v8', 1010), { high: 8, low: 8 });
    assert.equal(bindings.find('default/other', 'v8', 1010), null);
  });
});
