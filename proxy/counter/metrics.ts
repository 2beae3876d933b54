import type { Gauge, Metrics } from '../telemetry/metrics.ts';
import { counterGauges } from './counter-gauges.ts';
import type { DriverState } from './driver/counter-driver.ts';

/** What a process says of its part in a shared counter: numbers, and never keys. */
export class ClusterCounterMetrics {
  readonly #connections: Gauge;
  readonly #keys: Gauge;
  readonly #uncounted;
  readonly #unavailable;
  readonly #revoked;
  readonly #delay;
  readonly #member;
  readonly #owned;
  readonly #links;
  readonly #dropped;

  constructor(metrics: Metrics) {
    ({ connections: this.#connections, keys: this.#keys } = counterGauges(metrics));
    this.#uncounted = metrics
      .gauge(
        'sluice_counter_uncounted_connections',
        'Connections admitted without the count by failurePolicy Local or Open that are not counted yet.',
      )
      .labels();
    this.#unavailable = metrics
      .counter('sluice_counter_unavailable_total', 'Connections for which the count could not be known.')
      .labels();
    this.#revoked = metrics
      .counter(
        'sluice_counter_revoked_total',
        'Connections closed since this process was out of touch with the other members of the counter.',
      )
      .labels();
    this.#delay = metrics
      .histogram(
        'sluice_counter_wake_delay_seconds',
        "How late the event loop came to the counter's timers: this eats the slack of its leases.",
        [],
        [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      )
      .labels();
    this.#member = metrics
      .gauge('sluice_counter_member', 'Whether this process has a part in the shared counter (1) or not (0).')
      .labels();
    this.#owned = metrics
      .gauge('sluice_counter_owned_shards', 'Shards that this process decides on.')
      .labels();
    this.#links = metrics
      .gauge('sluice_counter_links', 'Open links to other members of the counter.')
      .labels();
    this.#dropped = metrics
      .gauge(
        'sluice_counter_dropped_messages',
        'Messages to other members that could not be sent, since this one last joined.',
      )
      .labels();
  }

  /** @param keys of the shards that this process owns: each key is counted by one process */
  setState({ isMember, owned, links }: DriverState, keys: number): void {
    this.#keys.set(keys);
    this.#member.set(isMember ? 1 : 0);
    this.#owned.set(owned.length);
    this.#links.set(links.open);
    this.#dropped.set(links.dropped);
  }

  set(connections: number, uncounted: number): void {
    this.#connections.set(connections);
    this.#uncounted.set(uncounted);
  }

  unavailable(): void {
    this.#unavailable.add();
  }

  revoked(connections: number): void {
    this.#revoked.add(connections);
  }

  delayed(delayMs: number): void {
    this.#delay.observe(delayMs / 1000);
  }
}
