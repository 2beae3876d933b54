/**
 * A process with connections that are counted together with those of other processes: `node count-server.ts FOLDER`.
 * Says its port on standard output; is told what to break by messages of its parent.
 *
 * A client says `KEY MAX`, hears `ok TIME` (or `no`, `unavailable`), and then `at TIME` again and again for as long as
 * it is served; the last word is `bye TIME` when the gateway closes. Times are of the machine's monotonic clock.
 */
import { createServer, type Socket } from 'node:net';
import type { Counter } from '../../../proxy/counter/counter.ts';
import { CounterClient } from '../../../proxy/counter/counter-client.ts';
import { CounterService } from '../../../proxy/counter/counter-service.ts';
import { monotonicMs } from '../../../proxy/counter/driver/monotonic-clock.ts';
import { Faults, openMember } from '../../../proxy/counter/testing/test-member.ts';
import { Metrics } from '../../../proxy/telemetry/metrics.ts';
import { channelPair } from '../../../proxy/workers/channel.ts';

export interface Order {
  readonly isStoreAway: boolean;
  readonly isUnlinked: boolean;
}

const TICK_MS = 20;

/**
 * - `shared`: as it should be.
 * - `deaf`: does not close what is lost.
 * - `alone`: counts for itself.
 */
export type Mode = 'shared' | 'deaf' | 'alone';

const [, , folder = '', mode = 'shared'] = process.argv;
const faults = new Faults();

async function client(): Promise<CounterClient> {
  if (mode !== 'alone') {
    const { clients, counter, unlink } = await openMember(folder, `p${process.pid}`, 1, faults);
    process.on('message', (order: Order) => {
      faults.isStoreAway = order.isStoreAway;
      if (order.isUnlinked && !faults.isUnlinked) unlink();
      faults.isUnlinked = order.isUnlinked;
    });
    if (!(await counter.whenReady(20_000))) throw new Error('the member did not become ready');
    return clients[0]!;
  }
  const [worker, main] = channelPair();
  const alone = new CounterClient({ channel: worker });
  new CounterService({ metrics: new Metrics() }).addWorker({
    workerId: 1,
    post: main.post.bind(main),
    on: main.on.bind(main),
  });
  return alone;
}

const counter: Counter & { readonly isInSession: boolean } = await client();
const open = new Set<Socket>();
let last = 0;

const server = createServer((socket) => {
  const id = ++last;
  let isAsked = false;
  socket.setNoDelay();
  socket.on('error', () => {});
  socket.on('close', () => {
    open.delete(socket);
    if (isAsked) counter.release(id);
  });
  socket.once('data', async (line) => {
    const [key = '', max = ''] = String(line).trim().split(' ');
    isAsked = true;
    const demands = [{ key, maxCount: Number(max), enforce: true }];
    const { outcome } = await counter.acquire(id, demands, () => {
      if (mode === 'deaf') return;
      open.delete(socket);
      socket.end(`bye ${monotonicMs()}\n`);
      socket.destroySoon();
    });
    if (outcome !== 'admitted') {
      socket.end(outcome === 'rejected' ? 'no\n' : 'unavailable\n');
    } else if (socket.destroyed) {
      counter.release(id);
    } else {
      open.add(socket);
      socket.write(`ok ${monotonicMs()}\n`);
    }
  });
});

setInterval(() => {
  for (const socket of open) {
    const nowMs = monotonicMs();
    if (counter.isInSession || mode === 'deaf') socket.write(`at ${nowMs}\n`);
  }
}, TICK_MS);

server.listen(0, '127.0.0.1', () => {
  console.log(`port ${(server.address() as { port: number }).port}`);
});
// Ends with its parent, however that ends.
process.on('disconnect', () => process.exit());
