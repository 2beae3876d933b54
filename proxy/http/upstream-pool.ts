import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { Endpoint } from '../pools/endpoint.ts';
import { rememberSession } from '../pools/tls.ts';
import { type Clock, NEVER } from './clock.ts';
import { type ConnectionHome, UpstreamConnection } from './upstream-connection.ts';

interface EndpointConnections {
  /** The one used last is at the end, and is used next: it is the least likely to be closing. */
  readonly idle: UpstreamConnection[];
  readonly all: Set<UpstreamConnection>;
}

/** This worker's connections to endpoints. */
export class UpstreamPool implements ConnectionHome {
  readonly #clock: Clock;
  readonly #tlsOptions: (endpoint: Endpoint) => ConnectionOptions;
  readonly #endpoints = new Map<Endpoint, EndpointConnections>();

  constructor(clock: Clock, tlsOptions: (endpoint: Endpoint) => ConnectionOptions) {
    this.#clock = clock;
    this.#tlsOptions = tlsOptions;
  }

  /** A connection that is open and idle, if there is one. */
  takeIdle(endpoint: Endpoint): UpstreamConnection | null {
    const connection = this.#endpoints.get(endpoint)?.idle.pop();
    if (connection === undefined) return null;
    connection.idleDeadlineMs = NEVER;
    return connection;
  }

  /** A new connection: it tells the receiver that it is given whether it could be made. */
  connect(endpoint: Endpoint): UpstreamConnection {
    const isTls = endpoint.pool.protocol === 'HTTPS';
    const connection = new UpstreamConnection(endpoint, this, isTls ? this.#tlsOptions(endpoint) : null);
    if (isTls) rememberSession(endpoint, connection.socket as TLSSocket);
    let entry = this.#endpoints.get(endpoint);
    if (entry === undefined) {
      entry = { idle: [], all: new Set() };
      this.#endpoints.set(endpoint, entry);
    }
    entry.all.add(connection);
    return connection;
  }

  release(connection: UpstreamConnection): void {
    const { endpoint } = connection;
    const { connections: limits } = endpoint.pool;
    const entry = this.#endpoints.get(endpoint);
    const keep =
      entry !== undefined &&
      !endpoint.removed &&
      connection.keepAliveHintMs > 0 &&
      entry.idle.length < limits.maxIdlePerTarget &&
      (limits.maxRequestsPerConnection === 0 || connection.served < limits.maxRequestsPerConnection);
    if (!keep) {
      connection.destroy();
      return;
    }
    const idleMs = limits.idleTimeoutMs === 0 ? NEVER : limits.idleTimeoutMs;
    connection.idleDeadlineMs = this.#clock.now() + Math.min(idleMs, connection.keepAliveHintMs);
    entry.idle.push(connection);
  }

  remove(connection: UpstreamConnection): void {
    const entry = this.#endpoints.get(connection.endpoint);
    if (entry === undefined) return;
    entry.all.delete(connection);
    const at = entry.idle.indexOf(connection);
    if (at >= 0) entry.idle.splice(at, 1);
    if (entry.all.size === 0) this.#endpoints.delete(connection.endpoint);
  }

  /** Closes what is idle towards an endpoint; what is in use is closed when its response is complete. */
  retire(endpoint: Endpoint): void {
    const entry = this.#endpoints.get(endpoint);
    for (const connection of [...(entry?.idle ?? [])]) connection.destroy();
  }

  tick(nowMs: number): void {
    for (const { idle } of this.#endpoints.values()) {
      for (let i = idle.length - 1; i >= 0; i--) {
        if (nowMs >= idle[i]!.idleDeadlineMs) idle[i]!.destroy();
      }
    }
  }

  /** Connections open now: idle ones and all. */
  counts(): { readonly idle: number; readonly all: number } {
    let idle = 0;
    let all = 0;
    for (const entry of this.#endpoints.values()) {
      idle += entry.idle.length;
      all += entry.all.size;
    }
    return { idle, all };
  }

  /** Closes everything, at the end of the worker. */
  close(): void {
    for (const entry of [...this.#endpoints.values()]) {
      for (const connection of [...entry.all]) connection.destroy();
    }
  }
}
