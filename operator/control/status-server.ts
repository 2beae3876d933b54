import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EXPOSITION_CONTENT_TYPE } from '../../proxy/telemetry/exposition.ts';

export interface StatusSource {
  readiness(): { readonly ready: boolean; readonly reason: string };
  /** Prometheus text. */
  metrics(): string;
}

/** `/healthz`, `/readyz` and `/metrics` of the operator; nothing in them is secret. */
export class StatusServer {
  readonly #server: Server;

  constructor(source: StatusSource) {
    this.#server = createServer(
      { requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16_384 },
      (request, response) => answer(source, request, response),
    );
    this.#server.maxConnections = 64;
  }

  async listen(host: string, port: number): Promise<AddressInfo> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once('error', reject);
    this.#server.listen(port, host, resolve);
    await promise;
    this.#server.off('error', reject);
    return this.#server.address() as AddressInfo;
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }
}

function answer(
  source: StatusSource,
  { method, url = '/' }: IncomingMessage,
  response: ServerResponse,
): void {
  if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    send(response, 405, 'text/plain', `found ${method}, expected GET or HEAD\n`);
    return;
  }
  const path = url.replace(/\?.*$/, '');
  if (path === '/healthz') send(response, 200, 'text/plain', 'ok\n');
  else if (path === '/metrics') send(response, 200, EXPOSITION_CONTENT_TYPE, source.metrics());
  else if (path === '/readyz') {
    const { ready, reason } = source.readiness();
    send(response, ready ? 200 : 503, 'text/plain; charset=utf-8', `${reason}\n`);
  } else send(response, 404, 'text/plain', 'expected /healthz, /readyz or /metrics\n');
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
