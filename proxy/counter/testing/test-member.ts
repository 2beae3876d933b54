/** Members of a shared counter within one process, with what can go wrong between them. */
import type { TestContext } from 'node:test';
import { silentLog } from '../../telemetry/log.ts';
import { Metrics } from '../../telemetry/metrics.ts';
import { channelPair } from '../../workers/channel.ts';
import { ClusterCounter } from '../cluster-counter.ts';
import { CounterClient } from '../counter-client.ts';
import { monotonicClock } from '../driver/monotonic-clock.ts';
import { SocketTransport } from '../link/socket-transport.ts';
import type { LinkTransport } from '../link/transport.ts';
import type { LeaseResult } from '../protocol/turn.ts';
import { FileStore } from '../store/file-store.ts';
import type { LeaseSession, LeaseStore } from '../store/lease-store.ts';
import { QUICK_SETTINGS } from './quick-settings.ts';

/** What a test can break. */
export class Faults {
  /** Calls get no answer, and nothing is shown. */
  isStoreAway = false;
  /** Whom this member cannot link to; links that are open are cut by the test itself. */
  isUnlinked = false;
}

export interface TestMember {
  readonly counter: ClusterCounter;
  readonly clients: readonly CounterClient[];
  readonly metrics: Metrics;
  readonly faults: Faults;
  /** Takes all links away, both ways, for good or until `isUnlinked` is `false` again. */
  unlink(): void;
}

export async function testMember(
  t: TestContext,
  directory: string,
  place: string,
  workers = 1,
): Promise<TestMember> {
  const member = await openMember(directory, place, workers, new Faults());
  t.after(() => member.close());
  return member;
}

export async function openMember(
  directory: string,
  place: string,
  workers: number,
  faults: Faults,
): Promise<TestMember & { close(): Promise<void> }> {
  const settings = QUICK_SETTINGS;
  const clock = monotonicClock;
  const store = new FileStore({ directory, settings, clock, log: silentLog, pollMs: 10 });
  const transport = await SocketTransport.listen(directory);
  const cuttable = cuttableTransport(transport, faults);
  const metrics = new Metrics();
  const counter = new ClusterCounter({
    place,
    settings,
    store: faultyStore(store, faults, settings.callTimeoutMs),
    transport: cuttable.transport,
    clock,
    random: Math.random,
    log: silentLog,
    metrics,
    linkTuning: { minRedialMs: 10, maxRedialMs: 50, heartbeatMs: 100 },
  });
  const clients = Array.from({ length: workers }, (_, workerId) => {
    const [worker, main] = channelPair();
    const client = new CounterClient({ channel: worker });
    counter.addWorker({ workerId, post: main.post.bind(main), on: main.on.bind(main) });
    return client;
  });
  await counter.start();
  const close = async () => {
    await counter.stop(0);
    await store.close();
    await transport.close();
  };
  return { counter, clients, metrics, faults, unlink: cuttable.cut, close };
}

function cuttableTransport(
  transport: SocketTransport,
  faults: Faults,
): { transport: LinkTransport; cut(): void } {
  const sockets = new Set<{ terminate(): void }>();
  return {
    transport: {
      address: transport.address,
      serve: (self, onLink) =>
        transport.serve(self, (peer, socket) => {
          if (faults.isUnlinked) {
            socket.on('error', () => {});
            socket.terminate();
            return;
          }
          sockets.add(socket);
          onLink(peer, socket);
        }),
      dial: (self, peer, address) => {
        if (faults.isUnlinked) throw new Error('cut by the test');
        const socket = transport.dial(self, peer, address);
        sockets.add(socket);
        return socket;
      },
      close: () => transport.close(),
    },
    cut: () => {
      faults.isUnlinked = true;
      for (const socket of sockets) socket.terminate();
      sockets.clear();
    },
  };
}

function faultyStore(store: LeaseStore, faults: Faults, callTimeoutMs: number): LeaseStore {
  return {
    predecessor: () => store.predecessor(),
    addressOf: (incarnation) => store.addressOf(incarnation),
    close: () => store.close(),
    open: (self, watcher): LeaseSession => {
      // What is shown while the store is away comes later, in its order.
      const missed: (() => void)[] = [];
      let isClosed = false;
      const show = (event: () => void) => {
        if (faults.isStoreAway) missed.push(event);
        else {
          for (const earlier of missed.splice(0)) earlier();
          event();
        }
      };
      const session = store.open(self, {
        seen: (record) => show(() => watcher.seen(record)),
        gone: (name) => show(() => watcher.gone(name)),
        listed: () => show(() => watcher.listed()),
        died: (incarnation) => show(() => watcher.died(incarnation)),
      });
      return {
        call: (call, answer) => {
          if (!faults.isStoreAway) {
            session.call(call, answer);
            return;
          }
          const unknown: LeaseResult = { outcome: 'unknown' };
          setTimeout(() => !isClosed && answer(unknown), callTimeoutMs);
        },
        close: () => {
          isClosed = true;
          session.close();
        },
      };
    },
  };
}
