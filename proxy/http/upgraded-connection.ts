import type { CloseReason, ConnectionEntry } from '../connections/registry.ts';
import type { Admitted } from '../firewall/firewall.ts';
import type { Endpoint } from '../pools/endpoint.ts';
import type { RuleSeries } from '../routing/series.ts';
import type { AccessRecord } from '../telemetry/access-log.ts';
import { POLICY_VIOLATION, SERVICE_RESTART, type Splice } from '../websocket/splice.ts';
import type { HeaderPlan } from './codec/edit.ts';
import type { ResponseHead } from './codec/head.ts';
import type { Exchange } from './exchange.ts';
import type { HttpServices } from './services.ts';
import type { UpstreamConnection } from './upstream-connection.ts';

/** For a close frame to be sent; behind a frame that is under way for longer, the connection is broken off. */
const REVOKED_GRACE_MS = 200;

interface Requested extends Pick<AccessRecord, 'host' | 'path' | 'protocol'> {}

/** What is known of an open WebSocket: all that is left of the exchange that opened it. */
export class UpgradedConnection implements ConnectionEntry {
  readonly id: number;
  readonly kind = 'websocket';
  readonly port: number;
  readonly listener: string;
  readonly rule: string | null;
  readonly endpoint: Endpoint;
  readonly clientAddress: string;
  readonly userId: string | null;
  readonly openedAtMs: number;
  readonly #services: HttpServices;
  readonly #series: RuleSeries | null;
  readonly #admitted: Admitted | null;
  readonly #cancelLifetime: (() => void) | null;
  /** For the access log; `null` where it does not want the connection. */
  readonly #requested: Requested | null;
  readonly #splice: Splice;

  constructor(exchange: Exchange, endpoint: Endpoint, open: (onClose: (splice: Splice) => void) => Splice) {
    const { services, downstream } = exchange;
    this.id = downstream.id;
    this.port = exchange.port;
    this.listener = exchange.listenerName;
    this.rule = exchange.rule?.rule.id ?? null;
    this.endpoint = endpoint;
    // Copies: slices would keep the whole head alive as long as the connection.
    this.clientAddress = copied(downstream.request.clientAddress);
    this.userId = exchange.identity?.userId ?? null;
    this.openedAtMs = performance.now();
    this.#services = services;
    this.#series = exchange.rule?.series ?? null;
    this.#admitted = exchange.takeAdmission();
    this.#admitted?.onRevoked(() => this.#revoked());
    this.#requested = services.accessLog.wanted(exchange.status) ? requestedBy(exchange) : null;
    const lifetimeMs = this.#admitted?.maxLifetimeMs ?? 0;
    this.#cancelLifetime = lifetimeMs > 0 ? services.clock.after(lifetimeMs, () => this.#expire()) : null;
    this.#series?.webSockets.add(1);
    services.registry.add(this);
    this.#splice = open((splice) => this.#closed(splice));
  }

  get pool(): string {
    return this.endpoint.pool.id;
  }

  get bytesIn(): number {
    return this.#splice.bytesIn;
  }

  get bytesOut(): number {
    return this.#splice.bytesOut;
  }

  close(reason: CloseReason): void {
    if (reason === 'kicked') this.#splice.close(POLICY_VIOLATION, 'closed by the gateway');
    else if (reason === 'lifetime') this.#splice.close(SERVICE_RESTART, 'maximum lifetime reached');
    else this.#splice.close(SERVICE_RESTART, 'please reconnect');
  }

  /** Its slots are given to others soon: it has no time for an orderly end but the close frame. */
  #revoked(): void {
    this.close('shutdown');
    this.#services.clock.after(REVOKED_GRACE_MS, () => this.#splice.destroy());
  }

  #expire(): void {
    this.#admitted?.expired();
    this.close('lifetime');
  }

  /** The client's socket is gone: its slots come back now. It may be gone before the constructor returns. */
  #closed(splice: Splice): void {
    const services = this.#services;
    this.#admitted?.release();
    this.#cancelLifetime?.();
    services.pools.end(this.endpoint);
    services.registry.remove(this);
    if (this.#series !== null) {
      this.#series.webSockets.add(-1);
      this.#series.bytesIn.add(splice.bytesIn);
      this.#series.bytesOut.add(splice.bytesOut);
    }
    if (this.#requested !== null) {
      const durationMs = performance.now() - this.openedAtMs;
      services.accessLog.write(this.#accessRecord(this.#requested, durationMs, splice));
    }
  }

  #accessRecord({ host, path, protocol }: Requested, durationMs: number, splice: Splice): AccessRecord {
    const { bytesIn, bytesOut, end } = splice;
    return {
      listener: this.listener,
      rule: this.rule,
      method: 'GET',
      host,
      path,
      protocol,
      status: 101,
      reason: end,
      client: this.clientAddress,
      userId: this.userId,
      pool: this.pool,
      endpoint: this.endpoint.id,
      durationMs,
      bytesIn,
      bytesOut,
    };
  }
}

/** Joins the two sockets of an accepted WebSocket handshake. From here on nothing of the exchange stays. */
export function spliceUpgraded(
  exchange: Exchange,
  connection: UpstreamConnection,
  endpoint: Endpoint,
  head: ResponseHead,
  plan: HeaderPlan,
  lines: string,
  early: Buffer | null,
): void {
  const { services, downstream, state } = exchange;
  exchange.status = 101;
  const upstream = connection.detach();
  const client = downstream.switchProtocols(head, plan, lines);
  new UpgradedConnection(exchange, endpoint, (onClose) =>
    services.splicer.splice(client.stream, upstream, {
      settings: state.settings.webSocket,
      frames: true,
      ...(client.early === null ? {} : { clientHead: client.early }),
      ...(early === null ? {} : { upstreamHead: early }),
      onClose,
    }),
  );
  exchange.finishUpgraded();
}

function copied(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

function requestedBy({ downstream }: Exchange): Requested {
  const { host, path } = downstream.request;
  return { host: copied(host), path: copied(path), protocol: downstream.protocol };
}
