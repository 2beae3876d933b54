import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { ApiError, TransportError } from './errors.ts';
import { ManualClock } from './testing/manual-clock.ts';
import { seededRandom } from './testing/seeded-random.ts';
import { type Failure, type Outcome, TerminalError, WorkQueue, type WorkQueueOptions } from './work-queue.ts';

const turn = () => new Promise(setImmediate);
const unavailable = () => new TransportError('connection refused');

/** A queue whose work ends when the test says so. */
function setUp(options: Partial<WorkQueueOptions> = {}) {
  const clock = new ManualClock();
  const begun: string[] = [];
  const failures: Failure[] = [];
  const open = new Map<string, PromiseWithResolvers<Outcome | undefined>>();
  const queue = new WorkQueue({
    clock,
    random: () => 1,
    concurrency: 2,
    reconcile: (key) => {
      assert.ok(!open.has(key), `two workers have ${key}`);
      begun.push(key);
      const work = Promise.withResolvers<Outcome | undefined>();
      open.set(key, work);
      return work.promise;
    },
    onFailure: (failure) => failures.push(failure),
    ...options,
  });
  const finish = async (key: string, outcome?: Outcome | Error) => {
    const work = open.get(key);
    assert.ok(work, `${key} is worked on`);
    open.delete(key);
    if (outcome instanceof Error) work.reject(outcome);
    else work.resolve(outcome);
    await turn();
  };
  return { clock, queue, begun, failures, finish };
}

test('holds keys until it is started, and each only once', () => {
  const { queue, begun } = setUp();
  for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
  assert.equal(queue.depth, 2);
  assert.deepEqual(begun, []);
  queue.start();
  assert.deepEqual(begun, ['a', 'b']);
});

test('works on so many keys at once, in the order of their coming', async () => {
  const { queue, begun, finish } = setUp();
  queue.start();
  for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
  assert.deepEqual(begun, ['a', 'b']);
  assert.deepEqual([queue.active, queue.depth], [2, 2]);
  await finish('b');
  assert.deepEqual(begun, ['a', 'b', 'c']);
});

test('a key that changes while it is worked on is worked on again, once, after those who wait', async () => {
  const { queue, begun, finish } = setUp({ concurrency: 1 });
  queue.start();
  queue.add('a');
  queue.add('a');
  queue.add('a');
  queue.add('b');
  await finish('a');
  assert.deepEqual(begun, ['a', 'b'], 'a key that changes all the time starves nobody');
  await finish('b');
  await finish('a');
  assert.deepEqual(begun, ['a', 'b', 'a']);
  assert.equal(queue.active, 0);
});

test('a failure is tried again, ever later, until it succeeds', async () => {
  const { clock, queue, begun, failures, finish } = setUp({ backoff: { minMs: 100, maxMs: 1_000 } });
  queue.start();
  queue.add('a');
  const delays = [100, 200, 400, 800, 1_000, 1_000];
  for (const delayMs of delays) {
    await finish('a', unavailable());
    const { length } = begun;
    clock.advance(delayMs - 1);
    assert.equal(begun.length, length, `not within ${delayMs} ms`);
    clock.advance(1);
    assert.equal(begun.length, length + 1);
  }
  assert.deepEqual(
    failures.map(({ retryInMs }) => retryInMs),
    delays,
  );
  assert.equal(failures.at(-1)?.attempts, 6);
  await finish('a');
  assert.equal(queue.failing, 0);
  queue.add('a');
  await finish('a', unavailable());
  assert.equal(failures.at(-1)?.retryInMs, 100, 'a success starts the backoff over');
});

test('backoff is by key', async () => {
  const { clock, queue, begun, finish } = setUp();
  queue.start();
  queue.add('bad');
  await finish('bad', new ApiError(500, '', 'no', [], 0));
  queue.add('good');
  assert.deepEqual(begun, ['bad', 'good']);
  clock.advance(200);
  assert.deepEqual(begun, ['bad', 'good', 'bad']);
});

test('a change brings a failing key back early, but not at once', async () => {
  const { clock, queue, begun, finish } = setUp({ backoff: { minMs: 100, maxMs: 100_000 } });
  queue.start();
  queue.add('a');
  for (let i = 0; i < 8; i++) {
    await finish('a', unavailable());
    if (i < 7) clock.advance(100_000);
  }
  assert.equal(begun.length, 8);
  queue.add('a');
  assert.equal(begun.length, 8);
  clock.advance(100);
  assert.equal(begun.length, 9);
});

test('a change does not put off an attempt that is due earlier', async () => {
  const { clock, queue, begun, finish } = setUp({ backoff: { minMs: 100, maxMs: 1_000 }, random: () => 0 });
  queue.start();
  queue.add('a');
  await finish('a', unavailable());
  queue.add('a');
  clock.advance(50);
  assert.equal(begun.length, 2);
});

test('a terminal error is not tried again until something changes', async () => {
  const { clock, queue, begun, failures, finish } = setUp();
  queue.start();
  queue.add('a');
  await finish('a', new TerminalError('never so'));
  assert.equal(failures[0]?.retryInMs, null);
  clock.advance(1e9);
  assert.deepEqual(begun, ['a']);
  assert.equal(clock.pending, 0);
  queue.add('a');
  assert.deepEqual(begun, ['a', 'a']);
});

test('requeueAfterMs brings a key back; a change does so earlier, and then no second time', async () => {
  const { clock, queue, begun, finish } = setUp();
  queue.start();
  queue.add('a');
  await finish('a', { requeueAfterMs: 5_000 });
  clock.advance(4_999);
  assert.equal(begun.length, 1);
  clock.advance(1);
  assert.equal(begun.length, 2);
  await finish('a', { requeueAfterMs: 5_000 });
  queue.add('a');
  assert.equal(begun.length, 3);
  await finish('a');
  clock.advance(1e6);
  assert.equal(begun.length, 3);
});

test('stopping waits for what was begun, and begins nothing more', async () => {
  const { clock, queue, begun, finish } = setUp();
  queue.start();
  for (const key of ['a', 'b', 'c']) queue.add(key);
  queue.add('a');
  let stopped = false;
  const stopping = queue.stop().then(() => {
    stopped = true;
  });
  await finish('a', unavailable());
  assert.equal(stopped, false);
  queue.add('d');
  await finish('b');
  await stopping;
  assert.deepEqual(begun, ['a', 'b']);
  assert.equal(clock.pending, 0);
});

test('stopping with nothing to wait for is done at once', async () => {
  await setUp().queue.stop();
});

test('what else a reconciler throws ends the process', () => {
  const program = `
    import { WorkQueue } from ${JSON.stringify(import.meta.resolve('./work-queue.ts'))};
    import { systemClock } from ${JSON.stringify(import.meta.resolve('./clock.ts'))};
    const reconcile = async () => { throw new TypeError('a bug of ours'); };
    const queue = new WorkQueue({ reconcile, onFailure() {}, concurrency: 1, clock: systemClock, random: Math.random });
    queue.start();
    queue.add('a');
    setTimeout(() => {}, 20_000);`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(status, 1);
  assert.match(stderr, /a bug of ours/);
});

test('at random: no change is missed, whatever fails, and no key is with two workers', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const clock = new ManualClock();
    const wanted = new Map<string, number>();
    const made = new Map<string, number>();
    const running = new Set<string>();
    let isTroubled = true;
    const queue = new WorkQueue({
      clock,
      random,
      concurrency: 3,
      onFailure: () => {},
      reconcile: async (key) => {
        assert.ok(!running.has(key));
        running.add(key);
        assert.ok(running.size <= 3);
        const seen = wanted.get(key) ?? 0;
        const { promise, resolve } = Promise.withResolvers<void>();
        clock.after(random() * 50, resolve);
        await promise;
        running.delete(key);
        if (isTroubled && random() < 0.3) throw unavailable();
        made.set(key, seen);
        return random() < 0.1 ? { requeueAfterMs: 1_000 } : undefined;
      },
    });
    queue.start();
    for (let step = 1; step <= 300; step++) {
      const key = `k${Math.floor(random() * 10)}`;
      wanted.set(key, step);
      queue.add(key);
      if (random() < 0.7) clock.advance(random() * 40);
      if (random() < 0.7) await turn();
    }
    isTroubled = false;
    for (let i = 0; i < 100; i++) {
      clock.advance(10_000);
      await turn();
    }
    assert.deepEqual([...made].sort(), [...wanted].sort(), `seed ${seed}`);
    assert.equal(queue.failing, 0);
    await queue.stop();
  }
});
