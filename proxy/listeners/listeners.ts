/** The server sockets of a worker. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Listener, Port, Snapshot } from '../config/snapshot.ts';
import type { Counter, Family, Metrics } from '../telemetry/metrics.ts';
import { ConnectionLimit } from './connection-limit.ts';
import { HANDSHAKE_TIMEOUT_MS, type TlsHandlers, TlsPort } from './tls-port.ts';
import { type ListenFailure, listenErrorInWords } from './words.ts';

/** Where a connection came in. */
export interface Arrival {
  readonly port: number;
  /** Server name that the TLS client asked for, empty when it sent none; undefined in clear text. */
  readonly sni: string | undefined;
}

export interface ListenersOptions {
  /** Address that ports are opened on. */
  readonly address: string;
  /** Whether several workers open the same ports. */
  readonly reusePort: boolean;
  /** TLS session ticket keys (48 bytes), the same in all workers of the process. */
  readonly ticketKeys: Uint8Array;
  readonly metrics: Metrics;
  /** Counts over all workers; without it, this worker alone is counted. */
  readonly connectionLimit?: ConnectionLimit;
  readonly handshakeTimeoutMs?: number;
  /** Takes over a connection whose TLS handshake, if there is one, is done. The socket allows half-open. */
  readonly accept: (socket: Socket, arrival: Arrival) => void;
}

const BACKLOG = 4096;

/**
 * Opens, keeps and closes ports so that they are those of the snapshot. A port that stays is never touched, whatever
 * changes behind it: new connections get what was applied last, open ones keep what they began with.
 */
export class Listeners {
  readonly #options: ListenersOptions;
  readonly #limit: ConnectionLimit;
  readonly #ports = new Map<number, OpenPort>();
  readonly #tlsPorts = new Map<number, TlsPort>();
  readonly #refused: Family<Counter>;
  readonly #handshakeFailures: Family<Counter>;
  /** Applications come one after the other: opening a port takes a moment. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ListenersOptions) {
    this.#options = options;
    this.#limit = options.connectionLimit ?? new ConnectionLimit(new Int32Array(1), 0);
    this.#refused = options.metrics.counter(
      'sluice_connections_refused_total',
      'Client connections that were closed at once, above the limit of connections.',
      ['port'],
    );
    this.#handshakeFailures = options.metrics.counter(
      'sluice_tls_handshake_failures_total',
      'TLS handshakes with clients that failed.',
      ['port', 'reason'],
    );
  }

  /**
   * Makes the ports those of the snapshot. Resolves with what could not be opened or is not supported; that is tried
   * again at the next application, not before. Never rejects.
   */
  apply(snapshot: Snapshot): Promise<readonly ListenFailure[]> {
    const applied = this.#last.then(() => this.#apply(snapshot));
    this.#last = applied;
    return applied;
  }

  /** Stops accepting on all ports; open connections stay. */
  close(): Promise<void> {
    const closed = this.#last.then(() => {
      for (const port of this.#ports.keys()) this.#close(port);
    });
    this.#last = closed;
    return closed;
  }

  async #apply(snapshot: Snapshot): Promise<readonly ListenFailure[]> {
    const failures: ListenFailure[] = [];
    const certificates = new Map(snapshot.certificates.map((certificate) => [certificate.id, certificate]));
    const wanted = new Map<number, PortHandler>();
    for (const port of snapshot.ports) {
      const handler = this.#handler(port, snapshot, certificates, failures);
      if (handler !== null) wanted.set(port.port, handler);
    }
    for (const port of this.#ports.keys()) if (!wanted.has(port)) this.#close(port);
    for (const port of this.#tlsPorts.keys()) if (!wanted.has(port)) this.#tlsPorts.delete(port);
    const opened = [...wanted].map(([port, handler]) => this.#open(port, handler, snapshot));
    for (const failure of await Promise.all(opened)) if (failure !== null) failures.push(failure);
    return failures;
  }

  /** What to do with the connections of a port; `null` when none of its listeners can be served. */
  #handler(
    port: Port,
    snapshot: Snapshot,
    certificates: ReadonlyMap<string, Snapshot['certificates'][number]>,
    failures: ListenFailure[],
  ): PortHandler | null {
    const number = port.port;
    for (const listener of port.listeners) {
      const problem = unsupported(port, listener);
      if (problem !== null) failures.push({ port: number, listeners: [listener.name], message: problem });
    }
    const { tcpKeepAliveMs, limits } = snapshot.settings;
    const { accept } = this.#options;
    if (port.transport === 'TLS') {
      const previous = this.#tlsPorts.get(number) ?? null;
      const tlsPort = new TlsPort(port, certificates, this.#tlsHandlers(number), previous);
      this.#tlsPorts.set(number, tlsPort);
      for (const [name, problem] of tlsPort.failures) {
        failures.push({ port: number, listeners: [name], message: `listener ${name}: ${problem}` });
      }
      if (tlsPort.isEmpty) return null;
      return {
        tcpKeepAliveMs,
        maxConnections: limits.maxConnections,
        handle: (socket) => tlsPort.accept(socket),
      };
    }
    if (!port.listeners.some((listener) => unsupported(port, listener) === null)) return null;
    const arrival: Arrival = { port: number, sni: undefined };
    return {
      tcpKeepAliveMs,
      maxConnections: limits.maxConnections,
      handle: (socket) => accept(socket, arrival),
    };
  }

  #tlsHandlers(port: number): TlsHandlers {
    const { accept, ticketKeys, handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS } = this.#options;
    return {
      ticketKeys,
      handshakeTimeoutMs,
      secure: (socket, sni) => accept(socket, { port, sni }),
      failed: (reason) => this.#handshakeFailures.labels(String(port), reason).add(),
    };
  }

  async #open(port: number, handler: PortHandler, snapshot: Snapshot): Promise<ListenFailure | null> {
    const existing = this.#ports.get(port);
    if (existing !== undefined) {
      existing.handler = handler;
      return null;
    }
    const refused = this.#refused.labels(String(port));
    const open = new OpenPort(handler, this.#limit, () => refused.add());
    const { address, reusePort } = this.#options;
    const error = await open.listen({ port, host: address, reusePort, backlog: BACKLOG });
    if (error === null) {
      this.#ports.set(port, open);
      return null;
    }
    const listeners = snapshot.ports.find((one) => one.port === port)?.listeners ?? [];
    return {
      port,
      listeners: listeners.map(({ name }) => name),
      message: listenErrorInWords(error, port, address),
    };
  }

  #close(port: number): void {
    this.#ports.get(port)?.close();
    this.#ports.delete(port);
  }
}

/** Why a listener cannot be served; `null` when it can. */
function unsupported(port: Port, { name, protocol, tls }: Listener): string | null {
  const supported =
    port.transport === 'Cleartext'
      ? protocol === 'HTTP'
      : port.transport === 'TLS' && protocol === 'HTTPS' && tls?.mode === 'Terminate';
  if (supported) return null;
  const mode = tls?.mode === 'Passthrough' ? ' in mode Passthrough' : '';
  return `listener ${name}: protocol ${protocol}${mode} is not supported by this version`;
}

interface PortHandler {
  readonly tcpKeepAliveMs: number;
  readonly maxConnections: number;
  readonly handle: (socket: Socket) => void;
}

/** A port that is listened on. What happens to its connections can be exchanged while it is open. */
class OpenPort {
  handler: PortHandler;
  readonly #server: Server;
  readonly #limit: ConnectionLimit;
  readonly #refused: () => void;
  /** One function for all sockets. */
  readonly #onSocketClose = (): void => this.#limit.leave();

  constructor(handler: PortHandler, limit: ConnectionLimit, refused: () => void) {
    this.handler = handler;
    this.#limit = limit;
    this.#refused = refused;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true });
    this.#server.on('connection', (socket) => this.#accept(socket));
  }

  /** Resolves with the error that kept the port from opening. */
  listen(options: {
    port: number;
    host: string;
    reusePort: boolean;
    backlog: number;
  }): Promise<Error | null> {
    const { promise, resolve } = Promise.withResolvers<Error | null>();
    this.#server.on('error', resolve);
    this.#server.listen({ ...options, exclusive: true }, () => resolve(null));
    return promise;
  }

  close(): void {
    this.#server.close();
  }

  #accept(socket: Socket): void {
    const { tcpKeepAliveMs, maxConnections, handle } = this.handler;
    if (!this.#limit.enter(maxConnections)) {
      this.#refused();
      socket.on('error', ignore);
      socket.destroy();
      return;
    }
    socket.on('close', this.#onSocketClose);
    if (tcpKeepAliveMs > 0) socket.setKeepAlive(true, tcpKeepAliveMs);
    handle(socket);
  }
}

function ignore(): void {}
