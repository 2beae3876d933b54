import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { EXPOSITION_CONTENT_TYPE } from '../telemetry/exposition.ts';

/** What the admin endpoints show; nothing in it is secret. */
export interface AdminSource {
  /** Whether traffic should be sent here; the reason is for a person. */
  readiness(): { readonly ready: boolean; readonly reason: string };
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** The configuration that is served, private values hidden, and what is wrong with its sources. */
  config(): unknown;
  /** Open connections, at most so many listed. */
  connections(limit: number): Promise<unknown>;
  /** Targets with the last probe's result. */
  pools(): unknown;
}

const PAGE = readFileSync(new URL('./page.html', import.meta.url));
const MAX_CONNECTIONS = 10_000;
const DEFAULT_CONNECTIONS = 100;

/**
 * The admin server: read-only, plain HTTP, meant for loopback or the cluster's own network.
 *
 * Bound to loopback it refuses requests whose Host is another name: a page in the operator's browser could
 * otherwise read it by DNS rebinding.
 */
export class AdminServer {
  readonly #source: AdminSource;
  readonly #server: Server;
  #loopback = true;

  constructor(source: AdminSource) {
    this.#source = source;
    this.#server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16_384 });
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) sendJson(response, 500, { error: { message: String(error) } });
        else response.destroy();
      });
    });
    this.#server.maxConnections = 256;
  }

  /** @throws Error with a code such as `EADDRINUSE` when the address cannot be had. */
  async listen(host: string, port: number): Promise<AddressInfo> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(port, host, resolve);
    await promise;
    this.#server.off('error', reject);
    const address = this.#server.address() as AddressInfo;
    this.#loopback = address.address.startsWith('127.') || address.address === '::1';
    return address;
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return sendJson(response, 405, { error: { message: `found ${request.method}, expected GET or HEAD` } });
    }
    if (this.#loopback && !isLocalName(request.headers.host ?? '')) {
      return sendJson(response, 403, { error: { message: 'the Host is not a loopback name' } });
    }
    const url = URL.parse(request.url ?? '/', 'http://admin');
    if (url === null)
      return sendJson(response, 400, { error: { message: 'the request target is not a URL' } });
    switch (url.pathname) {
      case '/':
        response.setHeader(
          'Content-Security-Policy',
          "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
        );
        return send(response, 200, 'text/html; charset=utf-8', PAGE);
      case '/healthz':
        return send(response, 200, 'text/plain', 'ok\n');
      case '/readyz': {
        const { ready, reason } = this.#source.readiness();
        return send(response, ready ? 200 : 503, 'text/plain; charset=utf-8', `${reason}\n`);
      }
      case '/metrics':
        return send(response, 200, EXPOSITION_CONTENT_TYPE, await this.#source.metrics());
      case '/config':
        return sendJson(response, 200, this.#source.config());
      case '/connections': {
        const limit = Number(url.searchParams.get('limit') ?? DEFAULT_CONNECTIONS);
        if (!Number.isInteger(limit) || limit < 1 || limit > MAX_CONNECTIONS) {
          return sendJson(response, 400, {
            error: { message: `limit: expected an integer between 1 and ${MAX_CONNECTIONS}` },
          });
        }
        return sendJson(response, 200, await this.#source.connections(limit));
      }
      case '/pools':
        return sendJson(response, 200, this.#source.pools());
      default:
        return sendJson(response, 404, {
          error: { message: 'expected /, /healthz, /readyz, /metrics, /config, /connections or /pools' },
        });
    }
  }
}

function isLocalName(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json', `${JSON.stringify(value, null, 2)}\n`);
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
