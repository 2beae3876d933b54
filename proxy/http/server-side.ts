import type { Socket } from 'node:net';
import type { Snapshot } from '../config/snapshot.ts';
import { canonicalAddress } from '../filters/forwarded.ts';
import type { RoutingTable } from '../routing/table.ts';
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from './codec/head.ts';
import { type ConnectionOwner, DownstreamConnection } from './downstream-connection.ts';
import type { Arrival, ServingState } from './exchange.ts';
import { PlanCache } from './plans.ts';
import type { HttpServices } from './services.ts';

/** The HTTP side of a worker: takes the connections of its listeners and serves their requests. */
export class HttpServerSide implements ConnectionOwner {
  readonly services: HttpServices;
  draining = false;
  readonly #connections = new Set<DownstreamConnection>();
  readonly #stopTicks: () => void;
  #state: ServingState | null = null;
  #lastConnection = 0;

  constructor(services: HttpServices) {
    this.services = services;
    this.#stopTicks = services.clock.everyTick((nowMs) => this.#tick(nowMs));
  }

  get state(): ServingState {
    if (this.#state === null) throw new Error('no routing table has been applied');
    return this.#state;
  }

  /** Requests that begin from now on are served by this table; those in progress keep theirs. */
  apply(table: RoutingTable): void {
    const { settings } = table.snapshot;
    this.#state = {
      table,
      settings,
      plans: new PlanCache(settings),
      headLimits: headLimitsOf(table.snapshot),
    };
  }

  /**
   * Takes over a client's socket, after the TLS handshake where there is one. The socket must have been made with
   * `allowHalfOpen`, since clients may close their side and wait for the answer.
   * @param arrival one object for all connections of a listening socket that have the same server name
   */
  accept(socket: Socket, arrival: Arrival): void {
    const peerAddress = canonicalAddress(socket.remoteAddress ?? '');
    if (peerAddress === null) {
      // It left before we could ask for its address.
      socket.destroy();
      return;
    }
    const connection = new DownstreamConnection(this, socket, arrival, peerAddress);
    this.#connections.add(connection);
    this.services.registry.add(connection);
    this.services.metrics.clientConnections.add(1);
  }

  nextConnectionId(): number {
    return ++this.#lastConnection;
  }

  closed(connection: DownstreamConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.services.registry.remove(connection);
    this.services.metrics.clientConnections.add(-1);
  }

  /** Closes idle connections, and each other one after the answer that is in progress. */
  drain(): void {
    this.draining = true;
    for (const connection of [...this.#connections]) connection.finishSoon();
  }

  /** Ends everything at once. */
  close(): void {
    this.#stopTicks();
    for (const connection of [...this.#connections]) connection.destroy();
    this.services.upstreams.close();
  }

  #tick(nowMs: number): void {
    for (const connection of this.#connections) connection.tick(nowMs);
    this.services.upstreams.tick(nowMs);
  }
}

function headLimitsOf({ settings: { limits } }: Snapshot): HeadLimits {
  const { maxRequestHeaderBytes, maxRequestHeaders } = limits;
  return {
    maxHeadBytes: maxRequestHeaderBytes,
    // A target that fills the whole head shall be told from a head with too many fields: 414, not 431.
    maxTargetBytes: Math.min(DEFAULT_HEAD_LIMITS.maxTargetBytes, Math.floor(maxRequestHeaderBytes / 2)),
    maxFields: maxRequestHeaders,
  };
}
