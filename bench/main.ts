/**
 * `npm run bench`: Sluice beside other proxies, all in one run on one machine. The proxy has one core, client and
 * backend share another. Figures depend on the machine; the ratios are what counts. `--quick` for a look, `--write` to
 * keep the table in bench/RESULTS.md.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { backendCommand, PEERS, type Peer, type Ports } from './peers.ts';
import {
  cpuSeconds,
  residentBytes,
  runPinned,
  startPinned,
  startUntilLine,
  stop,
  untilListening,
} from './processes.ts';
import { type MEASURES, type Row, resultsPage, resultsTable } from './results.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
  },
});
const PROXY_CORE = 0;
const LOAD_CORE = 1;
const SECONDS = options.quick ? 2 : 6;
const ROUNDS = options.quick ? 1 : 3;
const ACCEPTED = options.quick ? 1_000 : 4_000;
const IDLE = options.quick ? 2_000 : 8_000;
/** Of the measurements of requests and of messages. */
const CONNECTIONS = 64;
const PAYLOAD_BYTES = 64;
const SETTLE_MS = 1_500;

const load = (name: string, ...args: readonly (string | number)[]): string[] => [
  process.execPath,
  join(import.meta.dirname, 'load', name),
  ...args.map(String),
];

const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const rows: Row[] = [];
const loadBefore = `${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores`;
try {
  const peers = PEERS.filter(({ name }) => options.only === undefined || options.only.includes(name));
  for (const peer of peers) {
    const row = await measure(peer);
    if (row === null) console.log(`${peer.name}: not on this machine, left out`);
    else rows.push(row);
  }
  console.log(`\n${resultsTable(rows)}`);
  if (options.write) {
    const page = resultsPage(rows, {
      date: new Date(),
      processor: cpus()[0]?.model ?? 'unknown',
      load: loadBefore,
      idle: IDLE,
    });
    writeFileSync(join(import.meta.dirname, 'RESULTS.md'), page);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measure(peer: Peer): Promise<Row | null> {
  const ports: Ports = {
    proxy: await freePort(),
    http: await freePort(),
    webSocket: await freePort(),
    admin: await freePort(),
  };
  const command = peer.prepare(folder, ports);
  if (command === null) return null;
  console.log(`${peer.name} …`);
  const httpBackend = startPinned('backend', LOAD_CORE, backendCommand(folder, ports.http), '/dev/null');
  const webSocketBackend = await startUntilLine(
    LOAD_CORE,
    load('websocket-backend.ts', ports.webSocket, PAYLOAD_BYTES),
    'ready',
  );
  const proxy = startPinned(peer.name, PROXY_CORE, command, join(folder, `${peer.name}.log`));
  try {
    await untilListening(httpBackend, ports.http);
    await untilListening(proxy, ports.proxy);
    return await measures(peer.name, ports, proxy.child.pid!);
  } finally {
    await Promise.all([stop(proxy.child), stop(httpBackend.child), stop(webSocketBackend)]);
  }
}

async function measures(name: string, ports: Ports, pid: number): Promise<Row> {
  const webSocket = (mode: string, count: number): Promise<string> =>
    runPinned(LOAD_CORE, load('websocket-client.ts', mode, ports.proxy, count, PAYLOAD_BYTES, SECONDS));
  // What is left over from the start is freed by then.
  await delay(SETTLE_MS);
  const emptyBytes = residentBytes(pid);
  const idleClient = await startUntilLine(
    LOAD_CORE,
    load('websocket-client.ts', 'idle', ports.proxy, IDLE, PAYLOAD_BYTES, SECONDS),
    'open',
  );
  await delay(SETTLE_MS);
  const idleBytes = (residentBytes(pid) - emptyBytes) / IDLE;
  idleClient.stdin?.end();
  await stop(idleClient);

  await wrk(ports.proxy, 1);
  const http = await rounds(async () => {
    const { result, cpuMicroseconds } = await withCpu(pid, () => wrk(ports.proxy, SECONDS));
    return { ...result, cpuMicroseconds: cpuMicroseconds / result.requests };
  });
  const accept = await rounds(async () => {
    const { result, cpuMicroseconds } = await withCpu(pid, () => webSocket('accept', ACCEPTED));
    return {
      ...(JSON.parse(result) as { perSecond: number }),
      cpuMicroseconds: cpuMicroseconds / ACCEPTED,
    };
  });
  const echo = await rounds(async () => {
    const { result, cpuMicroseconds } = await withCpu(pid, () => webSocket('echo', CONNECTIONS));
    const figures = JSON.parse(result) as { messages: number; perSecond: number; p99Ms: number };
    return { ...figures, cpuMicroseconds: cpuMicroseconds / figures.messages };
  });
  return {
    name,
    figures: {
      httpPerSecond: median(http.map(({ perSecond }) => perSecond)),
      httpP99Ms: median(http.map(({ p99Ms }) => p99Ms)),
      httpCpuMicroseconds: median(http.map(({ cpuMicroseconds }) => cpuMicroseconds)),
      acceptedPerSecond: median(accept.map(({ perSecond }) => perSecond)),
      acceptCpuMicroseconds: median(accept.map(({ cpuMicroseconds }) => cpuMicroseconds)),
      idleBytes,
      messagesPerSecond: median(echo.map(({ perSecond }) => perSecond)),
      messagesP99Ms: median(echo.map(({ p99Ms }) => p99Ms)),
      messageCpuMicroseconds: median(echo.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    } satisfies Record<keyof typeof MEASURES, number>,
  };
}

/** Runs a load, and measures what the proxy used of its core meanwhile. */
async function withCpu<T>(
  pid: number,
  run: () => Promise<T>,
): Promise<{ result: T; cpuMicroseconds: number }> {
  const before = cpuSeconds(pid);
  const result = await run();
  return { result, cpuMicroseconds: (cpuSeconds(pid) - before) * 1e6 };
}

async function wrk(
  port: number,
  seconds: number,
): Promise<{ requests: number; perSecond: number; p99Ms: number }> {
  const text = await runPinned(LOAD_CORE, [
    'wrk',
    '-t1',
    `-c${CONNECTIONS}`,
    `-d${seconds}s`,
    '--latency',
    '-H',
    'Host: bench.local',
    `http://127.0.0.1:${port}/some/path`,
  ]);
  const errors = /Non-2xx or 3xx responses: (\d+)/.exec(text) ?? /Socket errors: (.*)/.exec(text);
  if (errors !== null) throw new Error(`wrk: ${errors[0]}`);
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(text);
  const unit = { us: 0.001, ms: 1, s: 1000 }[p99?.[2] ?? 'ms'] ?? 1;
  return {
    requests: Number(/(\d+) requests in/.exec(text)?.[1]),
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]),
    p99Ms: Number(p99?.[1]) * unit,
  };
}

async function rounds<T>(round: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let index = 0; index < ROUNDS; index++) results.push(await round());
  return results;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<number>();
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number };
    server.close(() => resolve(port));
  });
  return promise;
}
