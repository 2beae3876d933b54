import type { Gauge, Metrics } from '../telemetry/metrics.ts';
import type { WorkerChannel } from '../workers/channel.ts';
import type { CounterBackend, CounterSummary } from './counter-backend.ts';
import { counterGauges } from './counter-gauges.ts';
import { LocalCounter } from './local-counter.ts';
import { answer, COUNTER_REPLIES, COUNTER_REQUESTS } from './messages.ts';

/**
 * The main thread's half: decides for all workers of this process, so that their counts are one count.
 * Each worker thread is a member of its own, and leaves with all it holds.
 */
export class CounterService implements CounterBackend {
  readonly #counter = new LocalCounter();
  readonly #connections: Gauge;
  readonly #keys: Gauge;

  constructor(options: { readonly metrics: Metrics }) {
    const { metrics } = options;
    ({ connections: this.#connections, keys: this.#keys } = counterGauges(metrics));
  }

  addWorker(channel: WorkerChannel): void {
    const { workerId } = channel;
    const counter = this.#counter;
    counter.addMember(workerId);
    channel.on(COUNTER_REQUESTS, (request) => {
      for (const connection of request.released) counter.release(workerId, connection);
      const reply = answer(request, (connection, demands) => counter.acquire(workerId, connection, demands));
      this.#measure();
      if (reply.outcomes.length > 0) channel.post(COUNTER_REPLIES, reply);
    });
  }

  removeWorker(workerId: number): void {
    this.#counter.removeMember(workerId);
    this.#measure();
  }

  summary(limit: number): CounterSummary {
    const { connectionCount: connections, keyCount: keys } = this.#counter;
    return { connections, keys, top: this.#counter.top(limit) };
  }

  refreshMetrics(): void {
    this.#measure();
  }

  #measure(): void {
    this.#connections.set(this.#counter.connectionCount);
    this.#keys.set(this.#counter.keyCount);
  }
}
