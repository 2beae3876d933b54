/**
 * Measures the counter: `node --expose-gc proxy/counter/counter.bench.ts`. Prints bytes per held connection,
 * admissions per second of the count itself, and through the channel from real worker threads.
 */
import { once } from 'node:events';
import {
  isMainThread,
  MessageChannel,
  type MessagePort,
  parentPort,
  Worker,
  workerData,
} from 'node:worker_threads';
import { Metrics } from '../telemetry/metrics.ts';
import { addHandler, type Channel, dispatch, type Topic } from '../workers/channel.ts';
import { CounterClient } from './counter-client.ts';
import { CounterService } from './counter-service.ts';
import { LocalCounter } from './local-counter.ts';

const WORKERS = 2;
const PER_WORKER = 400_000;
/** Connections that come and go at the same time in a worker. */
const CONCURRENCY = 256;

class PortChannel implements Channel {
  readonly #handlers = new Map<string, (payload: unknown) => void>();
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', ([name, payload]: [string, unknown]) => dispatch(this.#handlers, name, payload));
  }

  post<P>(topic: Topic<P>, payload: P): void {
    this.#port.postMessage([topic.name, payload]);
  }

  on<P>(topic: Topic<P>, handler: (payload: P) => void): void {
    addHandler(this.#handlers, topic, handler);
  }
}

const key = (user: number) => `["default/per-user","ThrottleByUserIdRule",null]=user-${user}`;
const demandFor = (user: number) => [{ key: key(user), maxCount: 20, enforce: true }];

if (isMainThread) {
  memory('one connection a user, 1 rule', (id) => demandFor(id));
  memory('10 connections a user, 1 rule', (id) => demandFor(id % 100_000));
  memory('10 connections a user, 3 rules', (id) =>
    [0, 1, 2].map((rule) => ({ key: `${rule}${key(id % 100_000)}`, maxCount: 20, enforce: true })),
  );
  direct();
  await throughChannel();
} else {
  await churn(new PortChannel(workerData as MessagePort));
  parentPort!.postMessage('done');
}

function memory(name: string, demands: (id: number) => ReturnType<typeof demandFor>): void {
  const count = 1_000_000;
  const counter = new LocalCounter();
  counter.addMember(1);
  globalThis.gc?.();
  const before = used();
  for (let id = 1; id <= count; id++) counter.acquire(1, id, structuredClone(demands(id)));
  globalThis.gc?.();
  console.log(`${name}: ${((used() - before) / count).toFixed(0)} bytes a connection`);
  counter.removeMember(1);
}

function used(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function direct(): void {
  const counter = new LocalCounter();
  counter.addMember(1);
  const demands = Array.from({ length: 1000 }, (_, user) => demandFor(user));
  const startMs = performance.now();
  for (let id = 1; id <= 2_000_000; id++) {
    counter.acquire(1, id, demands[id % 1000]!);
    if (id > 10_000) counter.release(1, id - 10_000);
  }
  report('count alone', 2_000_000, startMs);
}

async function throughChannel(): Promise<void> {
  const service = new CounterService({ metrics: new Metrics() });
  const startMs = performance.now();
  const done = Array.from({ length: WORKERS }, async (_, index) => {
    const { port1, port2 } = new MessageChannel();
    const channel = new PortChannel(port1);
    service.addWorker({
      workerId: index,
      post: channel.post.bind(channel),
      on: channel.on.bind(channel),
    });
    const worker = new Worker(new URL(import.meta.url), { workerData: port2, transferList: [port2] });
    await once(worker, 'message');
    port1.close();
  });
  await Promise.all(done);
  report(
    `through the channel, ${WORKERS} workers, start of the threads included`,
    WORKERS * PER_WORKER,
    startMs,
  );
  console.log(`left over: ${service.summary(1).connections}`);
}

async function churn(channel: Channel): Promise<void> {
  const client = new CounterClient({ channel });
  let lastId = 0;
  const one = async () => {
    while (lastId < PER_WORKER) {
      const id = ++lastId;
      await client.acquire(id, demandFor(id % 1000));
      client.release(id);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, one));
  await client.acquire(++lastId, demandFor(0));
  client.release(lastId);
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

function report(name: string, count: number, startMs: number): void {
  const seconds = (performance.now() - startMs) / 1000;
  console.log(`${name}: ${Math.round(count / seconds)} admissions/s`);
}
