/**
 * Measures the shared counter between real processes of one machine: `node proxy/counter/cluster-counter.bench.ts`.
 * One process owns the only shard; another, with the connections, asks for each over a link. Prints admissions for
 * each second of processor time of the owner and of the one that asks, and the latency that the count adds.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { silentLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { channelPair } from '../workers/channel.ts';
import { ClusterCounter } from './cluster-counter.ts';
import type { Demand } from './counter.ts';
import { CounterClient } from './counter-client.ts';
import { monotonicClock } from './driver/monotonic-clock.ts';
import { SocketTransport } from './link/socket-transport.ts';
import { DEFAULT_SETTINGS } from './protocol/settings.ts';
import { FileStore } from './store/file-store.ts';

const SETTINGS = { ...DEFAULT_SETTINGS, shards: 1, settleMs: 3_600_000 };
const COUNT = Number(process.env.COUNT ?? 200_000);
/** Connections that come and go at the same time. */
const CONCURRENCY = Number(process.env.CONCURRENCY ?? 256);
const USERS = 1_000;

interface Usage {
  readonly cpuSeconds: number;
}

async function member(directory: string, place: string) {
  const transport = await SocketTransport.listen(directory);
  const counter = new ClusterCounter({
    place,
    settings: SETTINGS,
    store: new FileStore({ directory, settings: SETTINGS, clock: monotonicClock, log: silentLog }),
    transport,
    clock: monotonicClock,
    random: Math.random,
    log: silentLog,
    metrics: new Metrics(),
  });
  const [worker, main] = channelPair();
  const client = new CounterClient({ channel: worker });
  counter.addWorker({ workerId: 1, post: main.post.bind(main), on: main.on.bind(main) });
  await counter.start();
  if (!(await counter.whenReady(30_000))) throw new Error('the member did not become ready');
  return { counter, client };
}

function demandsOf(user: number, rules: number): Demand[] {
  return Array.from({ length: rules }, (_, rule) => ({
    key: `["default/per-user","ThrottleByUserIdRule",${rule}]=user-${user}`,
    maxCount: 1_000_000,
    enforce: true,
  }));
}

async function churn(client: CounterClient, rules: number, count: number, from: number): Promise<void> {
  let last = from;
  const one = async () => {
    while (last < from + count) {
      const id = ++last;
      const { outcome } = await client.acquire(id, demandsOf(id % USERS, rules));
      if (outcome !== 'admitted') throw new Error(`connection ${id} is ${outcome}`);
      client.release(id);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, one));
}

async function latencies(client: CounterClient, from: number): Promise<number[]> {
  const times: number[] = [];
  for (let id = from + 1; id <= from + 2_000; id++) {
    const startMs = performance.now();
    await client.acquire(id, demandsOf(id % USERS, 1));
    times.push(performance.now() - startMs);
    client.release(id);
    if (id % 10 === 0) await delay(1);
  }
  return times.sort((a, b) => a - b);
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6 };
}

async function ask(owner: ReturnType<typeof fork>): Promise<Usage> {
  owner.send('usage');
  return (await once(owner, 'message'))[0] as Usage;
}

async function measure(owner: ReturnType<typeof fork>, client: CounterClient): Promise<void> {
  await churn(client, 1, 20_000, 0);
  let from = 20_000;
  for (const rules of [1, 2]) {
    const [ownerBefore, selfBefore, startMs] = [await ask(owner), usage(), performance.now()];
    await churn(client, rules, COUNT, from);
    from += COUNT;
    const seconds = (performance.now() - startMs) / 1000;
    const ownerSeconds = (await ask(owner)).cpuSeconds - ownerBefore.cpuSeconds;
    const selfSeconds = usage().cpuSeconds - selfBefore.cpuSeconds;
    const rate = (divisor: number) => Math.round(COUNT / divisor);
    console.log(
      `${rules} rules, ${CONCURRENCY} at a time: ${rate(seconds)} admissions and releases/s; ` +
        `per core: owner ${rate(ownerSeconds)}/s, member ${rate(selfSeconds)}/s`,
    );
  }
  const times = await latencies(client, from);
  const at = (share: number) => times[Math.floor(times.length * share)]!.toFixed(3);
  console.log(`latency, one at a time: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}

const [, , directory] = process.argv;
if (directory === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const owner = fork(import.meta.filename, [folder]);
  await once(owner, 'message');
  const { client, counter } = await member(folder, 'member');
  try {
    if (counter.state.owned.length > 0) throw new Error('the other process is to own the shard');
    await measure(owner, client);
  } finally {
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    rmSync(folder, { recursive: true });
  }
  process.exit();
} else {
  await member(directory, 'owner');
  process.on('message', () => process.send?.(usage()));
  process.send?.('ready');
}
