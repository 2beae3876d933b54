import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Metrics } from '../telemetry/metrics.ts';
import { type Channel, channelPair, type WorkerChannel } from '../workers/channel.ts';
import type { Acquisition, Demand } from './counter.ts';
import { CounterClient } from './counter-client.ts';
import { CounterService } from './counter-service.ts';
import { monotonicMs } from './driver/monotonic-clock.ts';
import {
  COUNTER_RECOUNTED,
  COUNTER_REPLIES,
  COUNTER_REQUESTS,
  COUNTER_REVOKED,
  type RequestBatch,
} from './messages.ts';
import { COUNTER_SESSION, COUNTER_SESSION_CHANGED, SessionClock } from './session.ts';

function workerChannel(channel: Channel, workerId: number): WorkerChannel {
  return { workerId, post: channel.post.bind(channel), on: channel.on.bind(channel) };
}

/** A service with so many workers, their ids counting up from 1. */
function serviceWith(workers: number) {
  const metrics = new Metrics();
  const service = new CounterService({ metrics });
  const clients = Array.from({ length: workers }, (_, index) => {
    const [worker, main] = channelPair();
    service.addWorker(workerChannel(main, index + 1));
    return new CounterClient({ channel: worker });
  });
  return { service, clients, metrics };
}

/** A client whose other side is in the test's hands. */
function clientAlone(options: { maxPending?: number; answerTimeoutMs?: number } = {}) {
  const [worker, main] = channelPair();
  const client = new CounterClient({ channel: worker, ...options });
  const requests: RequestBatch[] = [];
  main.on(COUNTER_REQUESTS, (request) => requests.push(request));
  return { client, requests, main };
}

async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

const one = (key: string, maxCount = 1): Demand[] => [{ key, maxCount, enforce: true }];

test('1,000 connections of one key at once over four workers: exactly maxCount are admitted', async () => {
  const { service, clients } = serviceWith(4);
  const asked = Array.from({ length: 1000 }, (_, n) =>
    clients[n % 4]!.acquire(Math.floor(n / 4) + 1, one('alice', 20)),
  );
  const outcomes = (await Promise.all(asked)).map(({ outcome }) => outcome);
  assert.equal(outcomes.filter((outcome) => outcome === 'admitted').length, 20);
  assert.equal(outcomes.filter((outcome) => outcome === 'rejected').length, 980);
  assert.deepEqual(service.summary(5), { connections: 20, keys: 1, top: [{ key: 'alice', count: 20 }] });
});

test('what is asked in one turn of the event loop is one message', async () => {
  const { client, requests } = clientAlone();
  for (let id = 1; id <= 100; id++) void client.acquire(id, one('a'));
  client.release(500);
  await turns();
  assert.equal(requests.length, 1);
  assert.equal(requests[0]!.connections.length, 100);
  assert.deepEqual(requests[0]!.released, [500]);
});

test('a release makes room for what is asked in the same turn', async () => {
  const { clients } = serviceWith(1);
  const client = clients[0]!;
  await client.acquire(1, one('a'));
  client.release(1);
  assert.equal((await client.acquire(2, one('a'))).outcome, 'admitted');
});

test('a connection released while its answer is pending leaves nothing behind', async () => {
  const { service, clients } = serviceWith(1);
  const client = clients[0]!;
  const unsent = client.acquire(1, one('a'));
  client.release(1);
  assert.equal((await unsent).outcome, 'unavailable');
  const sent = client.acquire(2, one('a'));
  await turns(1);
  client.release(2);
  assert.equal((await sent).outcome, 'admitted');
  await turns();
  assert.equal(service.summary(1).connections, 0);
  assert.equal(client.pending, 0);
});

test('asking twice for the same connection takes one slot, in one turn or in several', async () => {
  const { service, clients } = serviceWith(1);
  const client = clients[0]!;
  const asked = [client.acquire(1, one('a')), client.acquire(1, one('a'))];
  await turns(1);
  asked.push(client.acquire(1, one('a')));
  for (const acquisition of await Promise.all(asked)) assert.equal(acquisition.outcome, 'admitted');
  client.release(1);
  await turns();
  assert.equal(service.summary(1).connections, 0);
});

test('more than maxPending without an answer are unavailable at once', async () => {
  const { client } = clientAlone({ maxPending: 2 });
  void client.acquire(1, one('a'));
  void client.acquire(2, one('a'));
  const third = await client.acquire(3, one('a'));
  assert.equal(third.outcome, 'unavailable');
});

test('without an answer in time the outcome is unavailable, and whatever was taken is given back', async () => {
  const { client, requests, main } = clientAlone({ answerTimeoutMs: 5 });
  // The client's own timer does not keep the process alive.
  const alive = setInterval(() => {}, 1_000);
  const acquisition = await client.acquire(1, one('a'));
  clearInterval(alive);
  assert.equal(acquisition.outcome, 'unavailable');
  await turns();
  assert.deepEqual(
    requests.map(({ connections, released }) => ({ connections, released })),
    [
      { connections: [1], released: [] },
      { connections: [], released: [1] },
    ],
  );
  main.post(COUNTER_REPLIES, { batch: 1, outcomes: [-1], exceeded: [] });
  await turns();
  assert.equal(client.pending, 0);
});

test('several demands: what was violated and exceeded comes back by index', async () => {
  const { clients } = serviceWith(1);
  const client = clients[0]!;
  const demands: Demand[] = [
    { key: 'dry', maxCount: 1, enforce: false },
    { key: 'a', maxCount: 2, enforce: true },
  ];
  const outcomes: Acquisition[] = [];
  for (let id = 1; id <= 3; id++) outcomes.push(await client.acquire(id, demands));
  assert.deepEqual(outcomes, [
    { outcome: 'admitted', exceeded: [] },
    { outcome: 'admitted', exceeded: [0] },
    { outcome: 'rejected', violated: 1, exceeded: [0] },
  ]);
});

test('a worker that is gone gives back all it held, and its late messages change nothing', async () => {
  const metrics = new Metrics();
  const service = new CounterService({ metrics });
  const [worker, main] = channelPair();
  service.addWorker(workerChannel(main, 1));
  const client = new CounterClient({ channel: worker });
  await Promise.all(Array.from({ length: 50 }, (_, id) => client.acquire(id + 1, one('a', 99))));
  service.removeWorker(1);
  assert.equal(service.summary(1).connections, 0);
  assert.equal((await client.acquire(51, one('a', 99))).outcome, 'unavailable');
  assert.equal(service.summary(1).connections, 0);
  const held = metrics.report().find(({ name }) => name === 'sluice_counter_connections');
  assert.equal(held?.series[0]?.value, 0);
});

const aStep = fc.record({
  worker: fc.integer({ min: 0, max: 2 }),
  what: fc.constantFrom('connect', 'connect', 'leave', 'wait', 'crash'),
  key: fc.constantFrom('a', 'b'),
});

test('never more than maxCount are open, and every slot comes back, however workers interleave and crash', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aStep, { maxLength: 60 }), async (steps) => {
      const maxCount = 3;
      const service = new CounterService({ metrics: new Metrics() });
      let lastWorker = 0;
      const start = () => {
        const [worker, main] = channelPair();
        const workerId = ++lastWorker;
        service.addWorker(workerChannel(main, workerId));
        return {
          workerId,
          client: new CounterClient({ channel: worker }),
          lastId: 0,
          open: new Map<number, string>(),
        };
      };
      const workers = [start(), start(), start()];
      const asked: Promise<void>[] = [];
      const connect = async (worker: (typeof workers)[number], key: string) => {
        const id = ++worker.lastId;
        const { outcome } = await worker.client.acquire(id, one(key, maxCount));
        if (outcome === 'admitted') worker.open.set(id, key);
        for (const each of ['a', 'b']) {
          const open = workers.flatMap((w) => [...w.open.values()]).filter((k) => k === each).length;
          assert(open <= maxCount, `${open} connections of ${each} are open`);
        }
      };
      for (const { worker: index, what, key } of steps) {
        const worker = workers[index]!;
        if (what === 'connect') asked.push(connect(worker, key));
        else if (what === 'wait') await turns(2);
        else if (what === 'leave') {
          const [id] = worker.open.keys();
          if (id !== undefined) {
            worker.open.delete(id);
            worker.client.release(id);
          }
        } else {
          // Its sockets are gone with the thread, before its slots are given back.
          workers[index] = start();
          service.removeWorker(worker.workerId);
        }
      }
      await Promise.all(asked);
      const open = workers.reduce((sum, worker) => sum + worker.open.size, 0);
      await turns();
      assert.equal(service.summary(2).connections, open);
      for (const { client, open: mine } of workers) {
        for (const id of mine.keys()) client.release(id);
      }
      await turns();
      assert.deepEqual(service.summary(2), { connections: 0, keys: 0, top: [] });
    }),
    { numRuns: 150 },
  );
});

/** A client whose slots can be lost. */
async function clientWithSession() {
  const alone = clientAlone();
  const session = new SessionClock();
  session.setEnd(monotonicMs() + 60_000);
  alone.main.post(COUNTER_SESSION, { memory: session.memory, marginMs: 0 });
  await turns(1);
  return { ...alone, session };
}

const ADMITTED = -1;
const OPENLY = -4;

test('answers may come in parts, and each goes to its connection', async () => {
  const { client, main } = clientAlone();
  const asked = [1, 2, 3].map((id) => client.acquire(id, one('a')));
  await turns();
  main.post(COUNTER_REPLIES, { batch: 1, positions: [2, 0], outcomes: [ADMITTED, 0], exceeded: [[0, [0]]] });
  assert.deepEqual(await asked[2], { outcome: 'admitted', exceeded: [0] });
  assert.equal((await asked[0])!.outcome, 'rejected');
  assert.equal(client.pending, 1);
  main.post(COUNTER_REPLIES, { batch: 1, positions: [1], outcomes: [ADMITTED], exceeded: [] });
  assert.equal((await asked[1])!.outcome, 'admitted');
  assert.equal(client.pending, 0);
});

test('of a batch that is answered in part, only the rest is given up', async () => {
  const { client, main, requests } = clientAlone({ answerTimeoutMs: 30 });
  const asked = [1, 2].map((id) => client.acquire(id, one('a')));
  await turns();
  main.post(COUNTER_REPLIES, { batch: 1, positions: [0], outcomes: [ADMITTED], exceeded: [] });
  assert.equal((await asked[0])!.outcome, 'admitted');
  assert.equal((await asked[1])!.outcome, 'unavailable');
  await turns();
  assert.deepEqual(requests.at(-1)!.released, [2]);
});

test('an admission that comes after its session is given back, and is none', async () => {
  const { client, main, session, requests } = await clientWithSession();
  const answered = async (id: number, epoch: number) => {
    const asked = client.acquire(id, one('a'));
    await turns();
    main.post(COUNTER_REPLIES, { batch: requests.at(-1)!.batch, outcomes: [ADMITTED], exceeded: [], epoch });
    return (await asked).outcome;
  };
  assert.equal(await answered(1, 0), 'admitted');
  session.nextEpoch();
  assert.equal(await answered(2, 0), 'unavailable');
  await turns();
  assert.deepEqual(requests.at(-1)!.released, [2]);
  assert(!client.isInSession);
  main.post(COUNTER_REVOKED, { connections: [], epoch: 1 });
  await turns();
  assert(client.isInSession);
  assert.equal(await answered(3, 1), 'admitted');
  session.setEnd(monotonicMs() - 1);
  assert.equal(await answered(4, 1), 'unavailable');
});

test('whoever lost its slots is told once: by name, with all, or when the session ends by itself', async () => {
  const { client, main, session, requests } = await clientWithSession();
  const lost: number[] = [];
  const admit = async (id: number, outcome = ADMITTED) => {
    const asked = client.acquire(id, one('a'), () => lost.push(id));
    await turns();
    main.post(COUNTER_REPLIES, {
      batch: requests.at(-1)!.batch,
      outcomes: [outcome],
      exceeded: [],
      epoch: 0,
    });
    assert.equal((await asked).outcome, 'admitted');
  };
  for (const id of [1, 2, 3]) await admit(id);
  await admit(4, OPENLY);
  await admit(5, OPENLY);
  client.release(3);
  main.post(COUNTER_REVOKED, { connections: [1, 3, 99], epoch: 0 });
  main.post(COUNTER_REVOKED, { connections: [1], epoch: 0 });
  main.post(COUNTER_RECOUNTED, { connections: [5] });
  await turns();
  assert.deepEqual(lost, [1]);
  main.post(COUNTER_REVOKED, { connections: null, epoch: 0 });
  await turns();
  assert.deepEqual(lost, [1, 2, 5]);
  await admit(6);
  session.setEnd(monotonicMs() - 1);
  main.post(COUNTER_SESSION_CHANGED, null);
  await turns();
  assert.deepEqual(lost, [1, 2, 5, 6]);
});
