/** The entry point of a data-path worker thread: composes the worker halves of all features. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { Authenticator } from '../authentication/authenticator.ts';
import { decodeSnapshot } from '../config/encoding.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { ConnectionRegistry } from '../connections/registry.ts';
import { onRemovedListener } from '../connections/removed.ts';
import { CounterClient } from '../counter/counter-client.ts';
import { Firewall } from '../firewall/firewall.ts';
import { claimsOf } from '../firewall/rules.ts';
import { TotalsReporter } from '../firewall/totals.ts';
import { systemClock } from '../http/clock.ts';
import { HttpMetrics } from '../http/http-metrics.ts';
import { HttpServerSide } from '../http/server-side.ts';
import { UpstreamPool } from '../http/upstream-pool.ts';
import { ConnectionLimit } from '../listeners/connection-limit.ts';
import { Listeners } from '../listeners/listeners.ts';
import { PoolDirectory } from '../pools/directory.ts';
import { describeConnectError } from '../pools/failures.ts';
import { upstreamTls } from '../pools/tls.ts';
import { buildRoutingTable } from '../routing/table.ts';
import { BatchingAccessLog } from '../telemetry/access-log-batch.ts';
import { answerCollections, summarize } from '../telemetry/collection.ts';
import { workerLog } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { threadMetrics } from '../telemetry/process-metrics.ts';
import { Splicer } from '../websocket/splicer.ts';
import { ThreadChannel } from './thread-channel.ts';
import { applySnapshot, drainWorker, snapshotApplied, type WorkerStart, workerDrained } from './topics.ts';

assert(parentPort !== null, 'a worker is started by the supervisor');
const start = workerData as WorkerStart;
const channel = new ThreadChannel(parentPort);
const metrics = new Metrics();
const registry = new ConnectionRegistry();
const pools = new PoolDirectory({ channel, metrics });
const authenticator = new Authenticator({ channel, metrics });
const log = workerLog(channel);
const firewall = new Firewall({
  counter: new CounterClient({ channel }),
  metrics,
  totals: new TotalsReporter({ channel }),
  log,
});
const accessLog = new BatchingAccessLog({ channel });
const upstreams = new UpstreamPool(systemClock, upstreamTls);
const http = new HttpServerSide({
  clock: systemClock,
  pools,
  authenticator,
  firewall,
  upstreams,
  registry,
  splicer: new Splicer(systemClock),
  describeConnectError,
  accessLog,
  metrics: new HttpMetrics(metrics),
  random: Math.random,
});
const listeners = new Listeners({
  address: start.address,
  reusePort: start.reusePort,
  ticketKeys: start.ticketKeys,
  metrics,
  connectionLimit: new ConnectionLimit(new Int32Array(start.connectionCounts), start.connectionSlot),
  accept: (socket, arrival) => http.accept(socket, arrival),
});

/** What is served now; `null` before the first snapshot. */
let current: Snapshot | null = null;

pools.onRemoved((endpoint, drain) => {
  upstreams.retire(endpoint);
  if (drain !== null) void registry.drain((entry) => entry.endpoint === endpoint, drain);
});

channel.on(applySnapshot, async ({ generation, snapshot: text }) => {
  const snapshot = decodeSnapshot(text);
  // What is referred to comes before what refers to it, so that no request meets an id that is not there yet.
  pools.apply(snapshot.pools);
  authenticator.apply(snapshot.authentications, claimsOf(snapshot.ruleLists));
  firewall.apply(snapshot.ruleLists);
  accessLog.apply(snapshot.settings.accessLog);
  const table = buildRoutingTable(snapshot, metrics);
  http.apply(table);
  const failures = await listeners.apply(snapshot);
  if (current !== null) void registry.drain(onRemovedListener(current, snapshot), snapshot.settings.drain);
  current = snapshot;
  channel.post(snapshotApplied, { generation, failures });
});

channel.on(drainWorker, async (drain) => {
  await listeners.close();
  http.drain();
  void registry.drain(() => true, drain, 'shutdown');
  await registry.whenEmpty();
  accessLog.flush();
  channel.post(workerDrained, null);
});

const refreshThreadMetrics = threadMetrics(metrics, `worker-${start.workerId}`);
answerCollections(channel, (maxConnections) => {
  refreshThreadMetrics();
  const nowMs = performance.now();
  return {
    metrics: metrics.report(),
    connections: registry.list(maxConnections).map((entry) => summarize(entry, nowMs)),
    connectionCount: registry.size,
  };
});
