import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';

/** Answers requests for one path. What it throws becomes a 500. */
export type Page = (url: URL, request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

const MAX_CONNECTIONS = 256;

/**
 * Plain HTTP for looking at things: GET and HEAD of a few paths, with a limit on everything.
 *
 * Bound to loopback it refuses requests whose Host is another name: a page in the operator's browser could
 * otherwise read it by DNS rebinding.
 */
export class ReadOnlyServer {
  readonly #pages: Readonly<Record<string, Page>>;
  readonly #server: Server;
  #loopback = true;

  /** @param pages by path */
  constructor(pages: Readonly<Record<string, Page>>) {
    this.#pages = pages;
    this.#server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16_384 });
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) sendJson(response, 500, { error: { message: String(error) } });
        else response.destroy();
      });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
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
    if (!Object.hasOwn(this.#pages, url.pathname)) {
      const paths = Object.keys(this.#pages);
      const expected = `${paths.slice(0, -1).join(', ')} or ${paths.at(-1)}`;
      return sendJson(response, 404, { error: { message: `expected ${expected}` } });
    }
    await this.#pages[url.pathname]?.(url, request, response);
  }
}

function isLocalName(host: string): boolean {
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json', `${JSON.stringify(value, null, 2)}\n`);
}

export function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
