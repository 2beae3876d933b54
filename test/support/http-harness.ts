/** The HTTP side of a worker in this process, with real sockets on both sides and simple stand-ins for its peers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import type { TestContext } from 'node:test';
import type { AuthenticationResult } from '../../proxy/authentication/identity.ts';
import type { Filters, Pool, Rule, Settings, Snapshot } from '../../proxy/config/snapshot.ts';
import { ConnectionRegistry } from '../../proxy/connections/registry.ts';
import type { Admission, AdmissionKind } from '../../proxy/firewall/firewall.ts';
import { HttpMetrics } from '../../proxy/http/http-metrics.ts';
import { HttpServerSide } from '../../proxy/http/server-side.ts';
import type { PoolSelector } from '../../proxy/http/services.ts';
import { UpstreamPool } from '../../proxy/http/upstream-pool.ts';
import type { Endpoint, Outcome, Selection, Unavailable } from '../../proxy/pools/endpoint.ts';
import { describeConnectError } from '../../proxy/pools/failures.ts';
import { upstreamTls } from '../../proxy/pools/tls.ts';
import { buildRoutingTable } from '../../proxy/routing/table.ts';
import type { AccessRecord } from '../../proxy/telemetry/access-log.ts';
import { Metrics } from '../../proxy/telemetry/metrics.ts';
import { Splicer } from '../../proxy/websocket/splicer.ts';
import { ManualClock } from './manual-clock.ts';
import { backend, listener, NO_FILTERS, port, route, rule, settings, snapshot } from './snapshots.ts';

export const LISTENER_PORT = 8080;

export function poolOf(id: string, changes: Partial<Pool> = {}): Pool {
  return {
    id,
    protocol: 'HTTP',
    targets: [],
    hostHeader: { from: 'Client' },
    tls: null,
    probe: null,
    ejection: null,
    loadBalancing: { policy: 'RoundRobin' },
    affinity: null,
    connections: {
      connectTimeoutMs: 5000,
      idleTimeoutMs: 60_000,
      responseHeaderTimeoutMs: 0,
      streamIdleTimeoutMs: 0,
      maxPerTarget: 0,
      maxIdlePerTarget: 100,
      maxRequestsPerConnection: 0,
    },
    dns: { minRefreshMs: 1000, maxRefreshMs: 60_000, family: 'Any' },
    drain: { timeoutMs: 0, jitterMs: 0 },
    ...changes,
  };
}

export function endpointOf(pool: Pool, port: number, address = '127.0.0.1'): Endpoint & { removed: boolean } {
  return { id: `${address}:${port}`, pool, hostname: address, address, port, weight: 1, removed: false };
}

/** Endpoints by pool, in turn; checks that every beginning has its end. */
export class FakePools implements PoolSelector {
  readonly endpoints = new Map<string, Endpoint[]>();
  readonly outcomes: [endpointId: string, outcome: Outcome][] = [];
  readonly open = new Map<Endpoint, number>();
  unavailable: Unavailable | null = null;
  setCookie: string | null = null;
  learned: string[] | null = null;
  #turn = 0;

  select(poolId: string, _request: unknown, avoid?: ReadonlySet<Endpoint>): Selection | Unavailable {
    if (this.unavailable !== null) return this.unavailable;
    const all = this.endpoints.get(poolId) ?? [];
    const fresh = all.filter((endpoint) => avoid?.has(endpoint) !== true);
    const candidates = fresh.length > 0 ? fresh : all;
    const endpoint = candidates[this.#turn++ % Math.max(1, candidates.length)];
    if (endpoint === undefined) return { endpoint: null, reason: 'no_targets', description: 'none' };
    return { endpoint, setCookie: this.setCookie };
  }

  begin(endpoint: Endpoint): void {
    this.open.set(endpoint, (this.open.get(endpoint) ?? 0) + 1);
  }

  end(endpoint: Endpoint): void {
    const count = this.open.get(endpoint) ?? 0;
    assert(count > 0, 'end without begin');
    this.open.set(endpoint, count - 1);
  }

  report(endpoint: Endpoint, outcome: Outcome): void {
    this.outcomes.push([endpoint.id, outcome]);
  }

  learns(): boolean {
    return this.learned !== null;
  }

  learnFromBody(_endpoint: Endpoint, body: string): void {
    this.learned?.push(body);
  }

  get inUse(): number {
    let sum = 0;
    for (const count of this.open.values()) sum += count;
    return sum;
  }
}

export interface GatewayOptions {
  /** Ports of backends of the pool `default/app`. */
  readonly backends?: readonly number[];
  readonly pool?: Partial<Pool>;
  readonly rule?: Partial<Rule>;
  readonly filters?: Partial<Filters>;
  readonly settings?: Partial<Settings>;
  readonly limits?: Partial<Settings['limits']>;
  readonly listener?: Parameters<typeof listener>[1];
  readonly authenticate?: () => AuthenticationResult | Promise<AuthenticationResult>;
  readonly admit?: (kind: AdmissionKind) => Admission | Promise<Admission>;
  /** Further snapshot content, which wins. */
  readonly snapshot?: Partial<Snapshot>;
}

export interface Gateway {
  readonly port: number;
  readonly side: HttpServerSide;
  readonly pools: FakePools;
  readonly clock: ManualClock;
  readonly metrics: Metrics;
  readonly registry: ConnectionRegistry;
  readonly upstreams: UpstreamPool;
  readonly records: AccessRecord[];
  apply(options: GatewayOptions): void;
  /** Opens a client connection. */
  connect(): Promise<Client>;
}

function snapshotFor(options: GatewayOptions): Snapshot {
  return snapshot({
    settings: settings({
      ...options.settings,
      limits: { ...settings().limits, ...options.limits },
    }),
    ports: [
      port(LISTENER_PORT, [
        listener('web', { hosts: [{ hostname: '*', routes: [route('/', 0)] }], ...options.listener }),
      ]),
    ],
    rules: [
      rule('test/rule', {
        backends: [backend('default/app')],
        filters: { ...NO_FILTERS, ...options.filters },
        ...options.rule,
      }),
    ],
    ...options.snapshot,
  });
}

/** Starts the HTTP side; everything is closed after the test. */
export async function startGateway(t: TestContext, options: GatewayOptions = {}): Promise<Gateway> {
  const clock = new ManualClock();
  const metrics = new Metrics();
  const pools = new FakePools();
  const pool = poolOf('default/app', options.pool);
  pools.endpoints.set(
    pool.id,
    (options.backends ?? []).map((number) => endpointOf(pool, number)),
  );
  const records: AccessRecord[] = [];
  const registry = new ConnectionRegistry();
  const upstreams = new UpstreamPool(clock, upstreamTls);
  const side = new HttpServerSide({
    clock,
    pools,
    authenticator: {
      authenticate: () => {
        assert(options.authenticate !== undefined, 'authentication was not expected');
        return options.authenticate();
      },
    },
    firewall: {
      admit: (_ids, kind) => {
        assert(options.admit !== undefined, 'admission was not expected');
        return options.admit(kind);
      },
    },
    upstreams,
    registry,
    splicer: new Splicer(clock),
    describeConnectError,
    accessLog: { wanted: () => true, write: (record) => records.push(record) },
    metrics: new HttpMetrics(metrics),
    random: Math.random,
  });
  const apply = (next: GatewayOptions) => side.apply(buildRoutingTable(snapshotFor(next), metrics));
  apply(options);
  const arrival = { port: LISTENER_PORT, sni: undefined };
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    side.accept(socket, arrival),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: number } = server.address() as net.AddressInfo;
  const clients: Client[] = [];
  t.after(async () => {
    for (const client of clients) client.socket.destroy();
    side.close();
    registry.closeAll('shutdown');
    server.close();
    await once(server, 'close');
  });
  return {
    port: number,
    side,
    pools,
    clock,
    metrics,
    registry,
    upstreams,
    records,
    apply,
    connect: async () => {
      const client = await Client.connect(number);
      clients.push(client);
      return client;
    },
  };
}

/** A client that speaks bytes. */
export class Client {
  readonly socket: net.Socket;
  /** All that was received and not yet taken, as latin1. */
  received = '';
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | null = null;
  #changed = Promise.withResolvers<void>();

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.received += chunk.toString('latin1');
      this.#change();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#change();
    });
    socket.on('error', (error) => {
      this.error = error;
    });
    socket.on('close', () => {
      this.closed = true;
      this.#change();
    });
  }

  static async connect(port: number): Promise<Client> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return new Client(socket);
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Waits until what was received contains a text. */
  async until(text: string): Promise<string> {
    while (!this.received.includes(text)) {
      if (this.ended || this.closed) {
        assert.fail(
          `connection ended before ${JSON.stringify(text)} came; found ${JSON.stringify(this.received)}`,
        );
      }
      await this.#changed.promise;
    }
    return this.received;
  }

  async untilBytes(count: number): Promise<void> {
    while (this.received.length < count && !this.closed) await this.#changed.promise;
  }

  /** Waits for the other side's FIN or reset. */
  async untilEnd(): Promise<string> {
    while (!this.ended && !this.closed) await this.#changed.promise;
    return this.received;
  }

  async untilClosed(): Promise<void> {
    while (!this.closed) await this.#changed.promise;
  }

  /** Takes one whole response: by Content-Length, chunked coding, or without a body. */
  async response(options: { readonly toHead?: boolean } = {}): Promise<Response> {
    await this.until('\r\n\r\n');
    const headEnd = this.received.indexOf('\r\n\r\n') + 4;
    const [statusLine, ...lines] = this.received.slice(0, headEnd - 4).split('\r\n');
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
    }
    const status = Number(statusLine!.split(' ')[1]);
    this.received = this.received.slice(headEnd);
    let body = '';
    let trailers = '';
    if (options.toHead === true || status < 200 || status === 204 || status === 304) {
      // No body.
    } else if (headers.get('transfer-encoding') === 'chunked') {
      for (;;) {
        await this.until('\r\n');
        const line = this.received.slice(0, this.received.indexOf('\r\n'));
        const size = Number.parseInt(line, 16);
        this.received = this.received.slice(line.length + 2);
        if (size === 0) {
          let end = this.received.startsWith('\r\n') ? 0 : -1;
          if (end < 0) {
            await this.until('\r\n\r\n');
            end = this.received.indexOf('\r\n\r\n') + 2;
          }
          trailers = this.received.slice(0, end);
          this.received = this.received.slice(end + 2);
          break;
        }
        await this.#untilLength(size + 2);
        body += this.received.slice(0, size);
        this.received = this.received.slice(size + 2);
      }
    } else if (headers.has('content-length')) {
      const length = Number(headers.get('content-length'));
      await this.#untilLength(length);
      body = this.received.slice(0, length);
      this.received = this.received.slice(length);
    } else {
      body = await this.untilEnd();
      this.received = '';
    }
    return { statusLine: statusLine!, status, headers, body, trailers };
  }

  async #untilLength(length: number): Promise<void> {
    while (this.received.length < length) {
      assert(
        !this.ended && !this.closed,
        `connection ended after ${this.received.length} of ${length} bytes`,
      );
      await this.#changed.promise;
    }
  }

  #change(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}

export interface Response {
  readonly statusLine: string;
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly trailers: string;
}

/** A backend that speaks bytes: hands out its connections one by one. */
export interface Backend {
  readonly port: number;
  /** The next connection that comes in. */
  accept(): Promise<Client>;
  readonly accepted: number;
  close(): void;
}

export async function startBackend(t: TestContext): Promise<Backend> {
  const waiting: Client[] = [];
  const wanted: ((client: Client) => void)[] = [];
  const all: Client[] = [];
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const client = new Client(socket);
    all.push(client);
    const next = wanted.shift();
    if (next !== undefined) next(client);
    else waiting.push(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    server.close();
    for (const client of all) client.socket.destroy();
  };
  t.after(close);
  return {
    port: (server.address() as net.AddressInfo).port,
    accept: () => {
      const client = waiting.shift();
      return client === undefined ? new Promise((resolve) => wanted.push(resolve)) : Promise.resolve(client);
    },
    get accepted() {
      return all.length;
    },
    close,
  };
}

/** A backend that answers every request in one piece. @param respond the whole response for a request head */
export async function startScripted(t: TestContext, respond: (head: string) => string): Promise<number> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    let received = '';
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      for (let end = received.indexOf('\r\n\r\n'); end >= 0; end = received.indexOf('\r\n\r\n')) {
        const head = received.slice(0, end + 4);
        received = received.slice(end + 4);
        socket.write(respond(head), 'latin1');
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as net.AddressInfo).port;
}
