import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { ejection, fqdn, ip, pool, probe, service } from '../../test/support/pools.ts';
import { request } from '../../test/support/requests.ts';
import type { Pool } from '../config/snapshot.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { channelPair } from '../workers/channel.ts';
import type { Clock } from './clock.ts';
import { PoolDirectory } from './directory.ts';
import type { Endpoint, Selection } from './endpoint.ts';
import { localServices } from './local-services.ts';
import { PoolManager, type PoolManagerOptions } from './manager.ts';
import type { ProbeResult } from './probe.ts';
import { type NameResolver, ResolveError } from './resolver.ts';
import type { ServiceSource, SourceAddress } from './sources.ts';

const POOL = 'default/chat';

class Time extends ManualClock implements Clock {
  epochMs(): number {
    return Date.UTC(2026, 0, 1) + this.now();
  }
}

/** Answers what the test says; a name without an answer stays open. */
class Names implements NameResolver {
  readonly answers = new Map<string, readonly string[] | string>();
  asked = 0;
  ttlMs = 60_000;

  async resolve(name: string) {
    this.asked++;
    const answer = this.answers.get(name);
    if (answer === undefined) return new Promise<never>(() => {});
    if (typeof answer === 'string') throw new ResolveError(answer);
    return { addresses: answer, ttlMs: this.ttlMs };
  }
}

function setup(options: Partial<PoolManagerOptions> = {}) {
  const clock = new Time();
  const names = new Names();
  const failing = new Map<string, string>();
  let probes = 0;
  const probeFunction = async ({ id }: Endpoint): Promise<ProbeResult> => {
    probes++;
    const words = failing.get(id);
    return words === undefined ? { success: true } : { success: false, code: 'refused', words };
  };
  const metrics = new Metrics();
  const manager = new PoolManager({
    metrics,
    affinityKey: Buffer.from('key'),
    clock,
    resolver: names,
    random: () => 0,
    probe: probeFunction,
    ...options,
  });
  let workerId = 0;
  const addWorker = (pools: readonly Pool[]) => {
    const [main, worker] = channelPair();
    const id = ++workerId;
    manager.addWorker(Object.assign(main, { workerId: id }));
    const directory = new PoolDirectory({ channel: worker, metrics: new Metrics() });
    directory.apply(pools);
    return { id, directory };
  };
  /** Lets messages and probes that are due arrive. */
  const settle = async () => {
    for (let i = 0; i < 6; i++) await turn();
  };
  const advance = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };
  const states = () => manager.status().flatMap(({ endpoints }) => endpoints.map(({ state }) => state));
  return {
    clock,
    names,
    failing,
    manager,
    metrics,
    addWorker,
    settle,
    advance,
    states,
    probes: () => probes,
  };
}

function reach(directory: PoolDirectory): string[] {
  const ids = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const { endpoint } = directory.select(POOL, request());
    if (endpoint !== null) ids.add(endpoint.id);
  }
  return [...ids].sort();
}

describe('names', () => {
  test('all addresses are used, followed by TTL, and share the weight of their target', async () => {
    const { names, manager, addWorker, settle, advance } = setup();
    names.answers.set('a.example', ['10.0.0.1', '10.0.0.2']);
    const pools = [pool([fqdn('a.example', 80, 3), ip('10.0.0.9', 81)])];
    await manager.apply(pools);
    const { directory } = addWorker(pools);
    await settle();
    const drained: unknown[] = [];
    directory.onRemoved((endpoint, drain) => drained.push([endpoint.id, drain]));
    assert.deepEqual(reach(directory), ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.9:81']);
    const weights = manager.status()[0]!.endpoints.map(({ weight }) => weight);
    assert.deepEqual(weights, [1.5, 1.5, 1]);

    names.answers.set('a.example', ['10.0.0.2', '10.0.0.3']);
    await advance(59_000);
    assert.equal(names.asked, 1);
    await advance(1000);
    assert.equal(names.asked, 2);
    assert.deepEqual(reach(directory), ['10.0.0.2:80', '10.0.0.3:80', '10.0.0.9:81']);
    assert.deepEqual(drained, [['10.0.0.1:80', null]], 'an address that left DNS is not drained');
  });

  test('the TTL is kept within the bounds', async () => {
    const { names, manager, advance } = setup();
    names.answers.set('a.example', ['10.0.0.1']);
    names.ttlMs = 0;
    await manager.apply([pool([fqdn('a.example', 80)])]);
    await advance(4999);
    assert.equal(names.asked, 1);
    names.ttlMs = 1e9;
    await advance(1);
    await advance(299_999);
    assert.equal(names.asked, 2);
    await advance(1);
    assert.equal(names.asked, 3);
  });

  test('a failure keeps the last addresses and says why', async () => {
    const { names, manager, addWorker, settle, advance } = setup();
    names.answers.set('a.example', ['10.0.0.1']);
    const pools = [pool([fqdn('a.example', 80)])];
    await manager.apply(pools);
    const { directory } = addWorker(pools);
    await settle();
    names.answers.set('a.example', 'a.example does not exist (NXDOMAIN)');
    await advance(60_000);
    assert.deepEqual(reach(directory), ['10.0.0.1:80']);
    const [target] = manager.status()[0]!.targets;
    assert.deepEqual(target, {
      target: 'a.example:80',
      weight: 1,
      addresses: 1,
      problem: 'a.example does not exist (NXDOMAIN)',
    });
  });

  test('applying waits for first answers, but not for ever, and then says what is missing', async () => {
    const { manager, addWorker, settle, clock } = setup();
    const pools = [pool([fqdn('slow.example', 80)]), pool([ip('10.0.0.1', 80)], { id: 'default/b' })];
    let applied = false;
    const applying = manager.apply(pools).then(() => {
      applied = true;
    });
    const { directory } = addWorker(pools);
    await settle();
    assert.equal(applied, false);
    assert.notEqual(directory.select('default/b', request()).endpoint, null);
    assert.equal((directory.select(POOL, request()) as { reason?: string }).reason, 'no_addresses');
    clock.advance(5000);
    await applying;
  });

  test('an unknown Service harms nothing else, and what would make it known is said', async () => {
    const { manager, addWorker, settle } = setup();
    const pools = [pool([service('chat', 80), ip('10.0.0.1', 80)])];
    await manager.apply(pools);
    const { directory } = addWorker(pools);
    await settle();
    assert.deepEqual(reach(directory), ['10.0.0.1:80']);
    assert.match(manager.status()[0]!.targets[0]!.problem ?? '', / --service default\/chat:80=HOST:PORT /);
  });
});

test('an endpoint of a Service goes by the name of the Service', async () => {
  const { manager } = setup({
    services: localServices(new Map([['shop/chat:80', [{ host: '127.0.0.1', port: 9443 }]]])),
  });
  await manager.apply([pool([service('chat', 80, { namespace: 'shop' })])]);
  const [endpoint] = manager.status()[0]!.endpoints;
  assert.equal(endpoint!.id, '127.0.0.1:9443');
  assert.equal(endpoint!.hostname, 'chat.shop.svc');
});

describe('Services that are followed', () => {
  /** A Service whose state the test sets. */
  function followed() {
    const state = {
      addresses: [] as SourceAddress[],
      resting: [] as SourceAddress[],
      problem: null,
      settled: true,
    };
    let tell = () => {};
    const asked: string[] = [];
    const services: ServiceSource = ({ name, portName }, changed) => {
      asked.push(`${name}:${portName}`);
      tell = changed;
      return { state, drainsLeft: true, stop: () => {} };
    };
    const set = (addresses: readonly string[], resting: readonly string[] = []) => {
      state.addresses = addresses.map((address) => ({ address, port: 80 }));
      state.resting = resting.map((address) => ({ address, port: 80 }));
      tell();
    };
    return { services, asked, set };
  }

  test('an endpoint that is not ready takes nothing new and keeps what it has, until it is gone', async () => {
    const { services, set } = followed();
    const { manager, addWorker, settle, states } = setup({ services });
    const pools = [pool([service('chat', 80)])];
    set(['10.0.0.1', '10.0.0.2'], ['10.0.0.3']);
    await manager.apply(pools);
    const { directory } = addWorker(pools);
    const removed: unknown[] = [];
    directory.onRemoved(({ id }, drain) => removed.push([id, drain]));
    await settle();
    assert.deepEqual(reach(directory), ['10.0.0.1:80', '10.0.0.2:80']);
    assert.equal(states().length, 2, 'one that was never ready is not there yet');

    set(['10.0.0.1'], ['10.0.0.2']);
    await settle();
    assert.deepEqual(reach(directory), ['10.0.0.1:80']);
    assert.deepEqual(states(), ['healthy', 'unhealthy']);
    assert.equal(manager.status()[0]!.endpoints[1]!.lastFailure?.words, 'it is not ready');
    set(['10.0.0.1', '10.0.0.2']);
    await settle();
    assert.deepEqual(reach(directory), ['10.0.0.1:80', '10.0.0.2:80']);
    assert.deepEqual(removed, []);

    set(['10.0.0.1'], ['10.0.0.2']);
    await settle();
    set(['10.0.0.1']);
    await settle();
    assert.deepEqual(removed, [['10.0.0.2:80', pools[0]!.drain]]);
    assert.deepEqual(states(), ['healthy']);
  });

  test('an endpoint that is not ready for one target may be in use for another', async () => {
    const { services, set } = followed();
    const { manager, states } = setup({ services });
    const pools = [pool([service('chat', 80), ip('10.0.0.1', 80)])];
    set(['10.0.0.1']);
    await manager.apply(pools);
    set([], ['10.0.0.1']);
    assert.deepEqual(states(), ['healthy']);
  });

  test('a port that goes by another name now is looked up anew', async () => {
    const { services, asked } = followed();
    const { manager } = setup({ services });
    await manager.apply([pool([service('chat', 80)])]);
    await manager.apply([pool([service('chat', 80, { weight: 2 })])]);
    await manager.apply([pool([service('chat', 80, { portName: 'web' })])]);
    assert.deepEqual(asked, ['chat:', 'chat:web']);
  });
});

describe('probes', () => {
  const probed = (changes = {}) => [
    pool([ip('10.0.0.1', 80), ip('10.0.0.2', 80)], { probe: probe(), ...changes }),
  ];

  test('the first result decides, later ones by thresholds', async () => {
    const { manager, addWorker, settle, advance, failing, states, metrics } = setup();
    failing.set('10.0.0.2:80', 'GET … failed: connection refused');
    const applied = manager.apply(probed());
    assert.deepEqual(states(), ['untested', 'untested']);
    await applied;
    const { directory } = addWorker(probed());
    await settle();
    assert.deepEqual(states(), ['healthy', 'unhealthy']);
    assert.deepEqual(reach(directory), ['10.0.0.1:80']);
    const status = manager.status()[0]!.endpoints[1]!;
    assert.equal(status.lastFailure?.words, 'GET … failed: connection refused');
    assert.equal(status.lastProbe?.success, false);

    failing.set('10.0.0.1:80', 'status 500');
    failing.delete('10.0.0.2:80');
    await advance(5000);
    assert.deepEqual(states(), ['healthy', 'healthy']);
    await advance(5000);
    await advance(5000);
    assert.deepEqual(states(), ['unhealthy', 'healthy']);
    assert.deepEqual(reach(directory), ['10.0.0.2:80']);
    const report = metrics.report().find(({ name }) => name === 'sluice_pool_endpoints');
    assert.deepEqual(
      report?.series.map(({ labels, value }) => [labels[1], value]),
      [
        ['untested', 0],
        ['healthy', 1],
        ['unhealthy', 1],
        ['ejected', 0],
      ],
    );
    manager.stop();
  });

  test('a reload keeps what is known, and a new probe must fail often enough', async () => {
    const { manager, advance, failing, states } = setup();
    failing.set('10.0.0.1:80', 'refused');
    failing.set('10.0.0.2:80', 'refused');
    await manager.apply(probed({ probe: null }));
    await manager.apply(probed());
    await advance(0);
    assert.deepEqual(states(), ['healthy', 'healthy']);
    for (let i = 0; i < 2; i++) await advance(5000);
    assert.deepEqual(states(), ['unhealthy', 'unhealthy']);
    await manager.apply(probed({ probe: probe({ path: '/other' }) }));
    assert.deepEqual(states(), ['unhealthy', 'unhealthy']);
    await manager.apply(probed({ probe: null }));
    assert.deepEqual(states(), ['healthy', 'healthy']);
  });
});

describe('ejection', () => {
  const pools = [
    pool(
      [1, 2, 3, 4].map((n) => ip(`10.0.0.${n}`, 80)),
      { ejection: ejection() },
    ),
  ];

  async function fail(directory: PoolDirectory, id: string, settle: () => Promise<void>) {
    let found: Selection | undefined;
    for (let i = 0; i < 50 && found?.endpoint.id !== id; i++)
      found = directory.select(POOL, request()) as Selection;
    for (let i = 0; i < 3; i++) directory.report(found!.endpoint, 'connect_failed');
    await settle();
  }

  test('lasts longer each time, and never takes more than the share', async () => {
    const { manager, addWorker, settle, advance, states } = setup();
    await manager.apply(pools);
    const { directory } = addWorker(pools);
    await settle();
    await fail(directory, '10.0.0.1:80', settle);
    assert.deepEqual(states(), ['ejected', 'healthy', 'healthy', 'healthy']);
    const words = '3 requests in a row failed, the last to connect; ejected for 30 s';
    assert.equal(manager.status()[0]!.endpoints[0]!.lastFailure?.words, words);
    await advance(29_999);
    assert.equal(states()[0], 'ejected');
    await advance(1);
    assert.equal(states()[0], 'healthy');
    await fail(directory, '10.0.0.1:80', settle);
    await advance(59_999);
    assert.equal(states()[0], 'ejected');
    await fail(directory, '10.0.0.2:80', settle);
    await fail(directory, '10.0.0.3:80', settle);
    assert.deepEqual(states(), ['ejected', 'ejected', 'healthy', 'healthy']);
    assert.deepEqual(reach(directory), ['10.0.0.3:80', '10.0.0.4:80']);
    manager.stop();
  });
});

describe('workers', () => {
  test('one that starts late gets everything, one that crashed leaves nothing behind', async () => {
    const { manager, addWorker, settle, failing } = setup();
    const pools = [pool([ip('10.0.0.1', 80), ip('10.0.0.2', 80)], { probe: probe() })];
    failing.set('10.0.0.1:80', 'refused');
    await manager.apply(pools);
    await settle();
    const crashing = addWorker(pools);
    const staying = addWorker(pools);
    await settle();
    assert.deepEqual(reach(crashing.directory), ['10.0.0.2:80']);
    for (const { directory } of [crashing, crashing, staying]) {
      directory.begin((directory.select(POOL, request()) as Selection).endpoint);
    }
    const open = () => manager.status()[0]!.endpoints[1]!.open;
    assert.equal(open(), 3);
    manager.removeWorker(crashing.id);
    assert.equal(open(), 1);
    const replacement = addWorker(pools);
    await settle();
    replacement.directory.begin((replacement.directory.select(POOL, request()) as Selection).endpoint);
    assert.equal(open(), 2);
    manager.stop();
  });

  test('a pool that is taken out is forgotten, and applying the same again publishes nothing', async () => {
    const { manager, addWorker, settle, metrics, names } = setup();
    names.answers.set('a.example', ['10.0.0.1']);
    const pools = [pool([fqdn('a.example', 80)])];
    await manager.apply(pools);
    const { directory } = addWorker(pools);
    await settle();
    const { endpoint } = directory.select(POOL, request());
    await manager.apply(structuredClone(pools));
    assert.equal(names.asked, 1);
    assert.equal(directory.select(POOL, request()).endpoint, endpoint);
    await manager.apply([]);
    await settle();
    assert.notEqual(
      directory.select(POOL, request()).endpoint,
      null,
      'until the worker has the new configuration',
    );
    directory.apply([]);
    assert.equal(endpoint?.removed, true);
    assert.deepEqual(metrics.report().find(({ name }) => name === 'sluice_pool_endpoints')?.series, []);
  });

  test('new targets without an answer yet do not take the old ones away', async () => {
    const { manager, addWorker, settle, names } = setup();
    const before = [pool([ip('10.0.0.1', 80)])];
    await manager.apply(before);
    const { directory } = addWorker(before);
    await settle();
    const after = [pool([fqdn('b.example', 80)])];
    const { promise, resolve } = Promise.withResolvers<readonly string[]>();
    names.resolve = async () => ({ addresses: await promise, ttlMs: 60_000 });
    const applied = manager.apply(after);
    await settle();
    assert.deepEqual(reach(directory), ['10.0.0.1:80']);
    resolve(['10.0.0.2']);
    await applied;
    await settle();
    assert.deepEqual(reach(directory), ['10.0.0.2:80']);
  });
});
