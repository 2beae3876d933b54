import { type Dispatcher, EnvHttpProxyAgent, ProxyAgent, request as undiciRequest } from 'undici';
import type { Clock } from './clock.ts';
import type { Access, Credentials } from './credentials/access.ts';
import { TooLargeError, TransportError } from './errors.ts';
import { splitLines } from './lines.ts';
import type { ApiAnswer, ApiRequest, Transport } from './transport.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Above the interval of renewing a Lease, so that each renewal finds the connection of the last. */
const KEEP_ALIVE_MS = 30_000;
const TCP_KEEP_ALIVE_DELAY_MS = 30_000;

type Connections = Dispatcher.ComposedDispatcher | Dispatcher;

/**
 * Talks to the API server over undici: HTTP/1.1 with a connection for each request that is under way, so that no
 * watch stands behind another. Follows the credentials: connections of replaced TLS material are closed once idle.
 */
export class UndiciTransport implements Transport {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  #current: { readonly access: Access; readonly connections: Connections } | null = null;
  readonly #retired = new Set<Connections>();

  constructor(credentials: Credentials, clock: Clock) {
    this.#credentials = credentials;
    this.#clock = clock;
  }

  async send(request: ApiRequest): Promise<ApiAnswer> {
    const access = await this.#credentials.access();
    const answer = await this.#sendAs(access, request);
    if (answer.status !== 401) return answer;
    this.#credentials.invalidate();
    const renewed = await this.#credentials.access();
    if (sameIdentity(access, renewed)) return answer;
    answer.discard();
    return this.#sendAs(renewed, request);
  }

  /** Ends all requests. */
  async close(): Promise<void> {
    const all = [...this.#retired, ...(this.#current === null ? [] : [this.#current.connections])];
    this.#current = null;
    this.#retired.clear();
    await Promise.all(all.map((connections) => connections.destroy()));
  }

  async #sendAs(access: Access, request: ApiRequest): Promise<ApiAnswer> {
    const { what, method, path, contentType, body, signal, headTimeoutMs } = request;
    const exchange = new Exchange(what, this.#clock, signal);
    const headers: Record<string, string> = {
      accept: 'application/json',
      'user-agent': 'sluice',
      ...access.headers,
    };
    if (contentType !== undefined) headers['content-type'] = contentType;
    const endWait = exchange.limit(headTimeoutMs, 'no answer');
    try {
      const answer = await undiciRequest(access.server + path, {
        dispatcher: this.#connectionsFor(access),
        method,
        headers,
        body: body ?? null,
        signal: exchange.signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      return new UndiciAnswer(exchange, answer);
    } catch (error) {
      exchange.end();
      throw exchange.explain(error);
    } finally {
      endWait();
    }
  }

  #connectionsFor(access: Access): Connections {
    const current = this.#current;
    if (current?.access.tls === access.tls && current.access.proxyUrl === access.proxyUrl)
      return current.connections;
    if (current !== null) this.#retire(current.connections);
    const connections = openConnections(access);
    this.#current = { access, connections };
    return connections;
  }

  #retire(connections: Connections): void {
    this.#retired.add(connections);
    const forget = () => this.#retired.delete(connections);
    connections.close().then(forget, forget);
  }
}

function openConnections({ tls, proxyUrl }: Access): Connections {
  const connect = {
    ...tls,
    timeout: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_DELAY_MS,
  };
  const options = { connect, requestTls: connect, allowH2: false, keepAliveTimeout: KEEP_ALIVE_MS };
  return proxyUrl === null ? new EnvHttpProxyAgent(options) : new ProxyAgent({ ...options, uri: proxyUrl });
}

function sameIdentity(a: Access, b: Access): boolean {
  return a.tls === b.tls && JSON.stringify(a.headers) === JSON.stringify(b.headers);
}

/** One request's abort signal: it ends by the caller's signal or by a time limit, and lets go of both. */
class Exchange {
  readonly what: string;
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  readonly #callerSignal: AbortSignal | undefined;
  readonly #onAbort = () => this.#controller.abort();
  #timedOut: string | null = null;

  constructor(what: string, clock: Clock, callerSignal: AbortSignal | undefined) {
    this.what = what;
    this.#clock = clock;
    this.#callerSignal = callerSignal;
    if (callerSignal?.aborted) this.#controller.abort();
    else callerSignal?.addEventListener('abort', this.#onAbort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** @returns lifts the limit */
  limit(timeoutMs: number, words: string): () => void {
    return this.#clock.after(timeoutMs, () => {
      this.#timedOut = `${words} within ${timeoutMs} ms`;
      this.#controller.abort();
    });
  }

  explain(error: unknown): unknown {
    if (error instanceof TooLargeError || isMisuse(error)) return error;
    const words = this.#timedOut ?? (this.#callerSignal?.aborted ? 'given up' : wordsOf(error));
    return new TransportError(`${this.what}: ${words}`, { cause: error });
  }

  end(): void {
    this.#callerSignal?.removeEventListener('abort', this.#onAbort);
  }
}

/** undici says that we called it wrongly. */
function isMisuse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'UND_ERR_INVALID_ARG';
}

function wordsOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(wordsOf).join('; ');
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? ` (${error.code})` : '';
  return error.message.includes(code.slice(2, -1)) ? error.message : `${error.message}${code}`;
}

class UndiciAnswer implements ApiAnswer {
  readonly status: number;
  readonly retryAfterSeconds: string | null;
  readonly #exchange: Exchange;
  readonly #body: Dispatcher.ResponseData['body'];

  constructor(exchange: Exchange, answer: Dispatcher.ResponseData) {
    this.#exchange = exchange;
    this.#body = answer.body;
    // A body that nobody reads any more may still report how it ended.
    this.#body.on('error', () => {});
    this.status = answer.statusCode;
    const retryAfter = answer.headers['retry-after'];
    this.retryAfterSeconds = typeof retryAfter === 'string' ? retryAfter : null;
  }

  async text({ timeoutMs, maxBytes }: { timeoutMs: number; maxBytes: number }): Promise<string> {
    const endWait = this.#exchange.limit(timeoutMs, 'the answer was not complete');
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of this.#body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > maxBytes) {
          throw new TooLargeError(`${this.#exchange.what}: the answer is larger than ${maxBytes} bytes`);
        }
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.#exchange.explain(error);
    } finally {
      endWait();
      this.discard();
    }
    return Buffer.concat(chunks, bytes).toString('utf8');
  }

  async *lines(
    { maxLineBytes }: { maxLineBytes: number },
    onBytes?: () => void,
  ): AsyncGenerator<string, void> {
    try {
      yield* splitLines(noticed(this.#body, onBytes), maxLineBytes, this.#exchange.what);
    } catch (error) {
      throw this.#exchange.explain(error);
    } finally {
      this.discard();
    }
  }

  discard(): void {
    this.#exchange.end();
    this.#body.destroy();
  }
}

async function* noticed(chunks: AsyncIterable<Uint8Array>, onBytes: (() => void) | undefined) {
  for await (const chunk of chunks) {
    onBytes?.();
    yield chunk;
  }
}
