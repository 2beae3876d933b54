import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { Client } from 'undici';
import type { Probe } from '../config/snapshot.ts';
import { formatAddress, isTls, targetAuthority } from './address.ts';
import type { Endpoint } from './endpoint.ts';
import { describeFailure, type Failure } from './failures.ts';
import { namesOf, upstreamTls } from './tls.ts';

/** How much of a body is searched for the expected text. */
const MAX_BODY_BYTES = 65_536;
const MAX_HEADER_BYTES = 65_536;

export type ProbeFailureCode = Failure['code'] | 'unexpected_status' | 'unexpected_body';

export type ProbeResult =
  | { readonly success: true }
  | {
      readonly success: false;
      readonly code: ProbeFailureCode;
      /** What was asked of whom, and why it failed. */
      readonly words: string;
    };

/**
 * Probes an endpoint once, over a connection of its own and with the TLS that requests get. Redirects are not
 * followed. Never rejects.
 * @param signal ends the probe early; the result then means nothing
 */
export async function probeEndpoint(
  endpoint: Endpoint,
  probe: Probe,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const attempt = new Attempt(endpoint, probe);
  const timer = setTimeout(() => attempt.timeOut(), probe.timeoutMs);
  const abort = () => attempt.destroy(new Error('aborted'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await attempt.run();
    return { success: true };
  } catch (error) {
    const { code, words } = attempt.describe(error);
    return { success: false, code, words: `${attempt.asked} failed: ${words}` };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    attempt.destroy();
  }
}

/** An answer that came, but is not what the probe expects. */
class Unexpected extends Error {
  readonly code: 'unexpected_status' | 'unexpected_body';

  constructor(code: Unexpected['code'], message: string) {
    super(message);
    this.code = code;
  }
}

class Attempt {
  readonly asked: string;
  readonly #endpoint: Endpoint;
  readonly #probe: Probe;
  readonly #port: number;
  readonly #host: string;
  #socket: net.Socket | null = null;
  #session: http2.ClientHttp2Session | null = null;
  #client: Client | null = null;
  #certificate: tls.PeerCertificate | undefined;
  /** The connection's own error says more than what the request above it makes of that. */
  #socketError: Error | null = null;
  #waitingFor = 'for a connection';
  #timedOut = false;

  constructor(endpoint: Endpoint, probe: Probe) {
    this.#endpoint = endpoint;
    this.#probe = probe;
    this.#port = probe.port ?? endpoint.port;
    this.#host = probeHost(endpoint, probe);
    const at = formatAddress(endpoint.address, this.#port);
    if (probe.protocol === 'HTTP') {
      const scheme = isTls(endpoint.pool) ? 'https' : 'http';
      const host = this.#host === at ? '' : ` (Host ${this.#host})`;
      this.asked = `${probe.method} ${scheme}://${at}${probe.path}${host}`;
    } else {
      const named = endpoint.hostname === endpoint.address ? '' : ` (${endpoint.hostname})`;
      this.asked = `${isTls(endpoint.pool) ? 'TLS' : 'TCP'} connection to ${at}${named}`;
    }
  }

  async run(): Promise<void> {
    const socket = await this.#connect();
    if (this.#probe.protocol === 'TCP') return;
    this.#waitingFor = 'for the response';
    const { pool } = this.#endpoint;
    await (pool.protocol === 'H2C' ? this.#askHttp2(socket) : this.#askHttp1(socket));
  }

  timeOut(): void {
    this.#timedOut = true;
    this.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' }));
  }

  /** Whoever waits for the socket, the response or the body gets the error. */
  destroy(error?: Error): void {
    this.#session?.destroy(error);
    this.#socket?.destroy(error);
    this.#client?.destroy(error ?? null).catch(() => {});
  }

  describe(error: unknown): { code: ProbeFailureCode; words: string } {
    if (this.#timedOut) {
      const words = `timed out after ${this.#probe.timeoutMs / 1000} s waiting ${this.#waitingFor}`;
      return { code: 'timed_out', words };
    }
    if (error instanceof Unexpected) return { code: error.code, words: error.message };
    const { names } = namesOf(this.#endpoint);
    return describeFailure(this.#socketError ?? error, { certificate: this.#certificate, names });
  }

  #connect(): Promise<net.Socket> {
    const { promise, resolve, reject } = Promise.withResolvers<net.Socket>();
    const { address: host, pool } = this.#endpoint;
    const socket = net.connect({ host, port: this.#port });
    this.#watch(socket, reject);
    socket.once('connect', () => {
      if (!isTls(pool)) return resolve(socket);
      this.#waitingFor = 'for the TLS handshake';
      Promise.try(() => this.#secure(socket)).then(resolve, reject);
    });
    return promise;
  }

  /**
   * The same checks as for requests. Node drops the certificate together with a connection that it refuses, but an
   * operator wants to know which names it had and when it expired: so the handshake is let through here, and the
   * connection closed before a byte is sent on it.
   */
  #secure(raw: net.Socket): Promise<net.Socket> {
    const { promise, resolve, reject } = Promise.withResolvers<net.Socket>();
    // A probe makes a full handshake, or it would not see a certificate that has changed.
    const { session: _, ...options } = upstreamTls(this.#endpoint);
    const { checkServerIdentity, ...rest } = options;
    const socket = tls.connect({
      ...rest,
      socket: raw,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    this.#watch(socket, reject);
    socket.once('secureConnect', () => {
      this.#certificate = socket.getPeerCertificate();
      const untrusted: unknown = socket.authorizationError;
      if (!socket.authorized) {
        // Typed as an Error, but a code.
        const code =
          untrusted instanceof Error ? (untrusted as NodeJS.ErrnoException).code : String(untrusted);
        return reject(Object.assign(new Error('certificate is not trusted'), { code }));
      }
      const mismatch = checkServerIdentity?.('', this.#certificate);
      if (mismatch !== undefined) return reject(mismatch);
      resolve(socket);
    });
    return promise;
  }

  #watch(socket: net.Socket, reject: (error: Error) => void): void {
    this.#socket = socket;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.syscall !== undefined || error.code?.startsWith('ERR_SSL_')) this.#socketError ??= error;
      reject(error);
    });
  }

  async #askHttp1(socket: net.Socket): Promise<void> {
    const { method, path, headers, timeoutMs } = this.#probe;
    const scheme = isTls(this.#endpoint.pool) ? 'https' : 'http';
    const client = new Client(`${scheme}://${formatAddress(this.#endpoint.address, this.#port)}`, {
      // Later: a connector that calls back at once leaves the request waiting.
      connect: (_options, callback) => queueMicrotask(() => callback(null, socket)),
      allowH2: false,
      pipelining: 1,
      maxHeaderSize: MAX_HEADER_BYTES,
      // The attempt has one timer for everything.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: timeoutMs,
    });
    this.#client = client;
    const { statusCode, body } = await client.request({
      method,
      path,
      reset: true,
      headers: [
        ...headers.flatMap(({ name, value }) => [name, value]),
        'host',
        this.#host,
        'user-agent',
        USER_AGENT,
      ],
    });
    // Destroying the client ends the body with an error that nobody waits for.
    body.on('error', () => {});
    this.#checkStatus(statusCode);
    await this.#checkBody(body);
  }

  async #askHttp2(socket: net.Socket): Promise<void> {
    const { method, path, headers } = this.#probe;
    const session = http2.connect(`http://${this.#host}`, { createConnection: () => socket });
    this.#session = session;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    session.once('error', reject);
    const stream = session.request({
      ...Object.fromEntries(headers.map(({ name, value }) => [name.toLowerCase(), value])),
      ':method': method,
      ':path': path,
      ':authority': this.#host,
      'user-agent': USER_AGENT,
    });
    stream.on('error', reject);
    stream.once('response', (response) => resolve(response[':status'] ?? 0));
    this.#checkStatus(await promise);
    await this.#checkBody(stream);
  }

  #checkStatus(status: number): void {
    const { statuses } = this.#probe;
    if (statuses.some(({ from, to }) => status >= from && status <= to)) return;
    const expected = statuses.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
    throw new Unexpected('unexpected_status', `status ${status} where ${expected} was expected`);
  }

  /** A text may lie across two chunks, so what is searched is all that came. */
  async #checkBody(body: AsyncIterable<Buffer>): Promise<void> {
    const { body: expected } = this.#probe;
    if (expected === null) return;
    const wanted = Buffer.from(expected);
    this.#waitingFor = 'for the body';
    let seen = Buffer.alloc(0);
    for await (const chunk of body) {
      seen = Buffer.concat([seen, chunk.subarray(0, MAX_BODY_BYTES - seen.length)]);
      if (seen.includes(wanted)) return;
      if (seen.length >= MAX_BODY_BYTES) break;
    }
    const read = seen.length >= MAX_BODY_BYTES ? 'the first 64 KiB of the body lack' : 'the body lacks';
    throw new Unexpected('unexpected_body', `${read} "${expected}"`);
  }
}

const USER_AGENT = 'sluice-probe';

/** The host that requests get, with the target's for the client's. */
function probeHost(endpoint: Endpoint, probe: Probe): string {
  const { hostHeader } = endpoint.pool;
  if (probe.host !== null) return probe.host;
  return hostHeader.from === 'Override' ? hostHeader.value : targetAuthority(endpoint);
}
