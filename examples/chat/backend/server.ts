/**
 * The chat behind the gateway. It is an ordinary server: it knows nothing of the gateway, of limits, or of who else
 * may serve the same room. That somebody has only two connections is not its business.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { Room } from './room.ts';
import { TOKEN_LIFETIME_SECONDS, Tokens } from './tokens.ts';

const MAX_NAME_CHARACTERS = 32;
const MAX_BODY_BYTES = 4_096;
const MAX_MESSAGE_BYTES = 16 * 1024;
const PING_INTERVAL_MS = 30_000;

const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
};

interface Asset {
  readonly type: string;
  readonly content: Buffer;
}

const asset = (name: string, type: string): Asset => ({
  type,
  content: readFileSync(new URL(`public/${name}`, import.meta.url)),
});

const ASSETS: ReadonlyMap<string, Asset> = new Map([
  ['/', asset('index.html', 'text/html; charset=utf-8')],
  ['/assets/style.css', asset('style.css', 'text/css; charset=utf-8')],
  ['/assets/chat.js', asset('chat.js', 'text/javascript; charset=utf-8')],
  ['/assets/connection.js', asset('connection.js', 'text/javascript; charset=utf-8')],
  ['/assets/icon.svg', asset('icon.svg', 'image/svg+xml')],
]);

export interface ChatBackendOptions {
  readonly port: number;
  readonly host: string;
  readonly signingKey: string;
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
}

export interface ChatBackend {
  readonly port: number;
  /** Tells everyone that the service restarts (close code 1012), then stops. */
  close(): Promise<void>;
}

export async function startChatBackend(options: ChatBackendOptions): Promise<ChatBackend> {
  const tokens = new Tokens(options.signingKey);
  const room = new Room();
  const server = createServer({ cert: options.certificate, key: options.key });
  const webSockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  const alive = new WeakSet<object>();

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response, tokens, room).catch((error: unknown) => {
      console.error(error);
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: { code: 'internal', message: 'Something went wrong.' } });
    });
  });

  server.on('upgrade', async (request: IncomingMessage, socket, head) => {
    socket.on('error', () => socket.destroy());
    const name = pathOf(request) === '/hub' ? await whoIs(request, tokens) : null;
    if (name === null) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => webSocket.terminate());
      webSocket.on('pong', () => alive.add(webSocket));
      alive.add(webSocket);
      room.join(name, webSocket);
    });
  });

  const pings = setInterval(() => {
    for (const webSocket of webSockets.clients) {
      if (alive.delete(webSocket)) webSocket.ping();
      else webSocket.terminate();
    }
  }, PING_INTERVAL_MS);

  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      clearInterval(pings);
      const closed = once(server, 'close');
      server.close();
      for (const webSocket of webSockets.clients) webSocket.close(1012, 'Service restart');
      // Those who do not answer the close frame have had their time.
      setTimeout(() => {
        for (const webSocket of webSockets.clients) webSocket.terminate();
        server.closeAllConnections();
      }, 1_000).unref();
      server.closeIdleConnections();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  tokens: Tokens,
  room: Room,
): Promise<void> {
  const path = pathOf(request);
  const page = request.method === 'GET' || request.method === 'HEAD' ? ASSETS.get(path) : undefined;
  if (page !== undefined) {
    response.writeHead(200, {
      ...PAGE_HEADERS,
      'Content-Type': page.type,
      'Content-Length': page.content.length,
    });
    response.end(request.method === 'HEAD' ? undefined : page.content);
    return;
  }
  switch (`${request.method} ${path}`) {
    case 'GET /api/v1/health':
      return sendJson(response, 200, { status: 'ok' });
    case 'POST /api/sign-in': {
      const name = nameIn(await bodyOf(request));
      if (name === null) {
        const message = `A name has 1 to ${MAX_NAME_CHARACTERS} characters.`;
        return sendJson(response, 400, { error: { code: 'bad_name', message } });
      }
      const token = await tokens.mint(name);
      return sendJson(response, 200, { name, token, expiresInSeconds: TOKEN_LIFETIME_SECONDS });
    }
    case 'GET /api/me': {
      const name = await whoIs(request, tokens);
      if (name === null) return unauthorized(response);
      return sendJson(response, 200, { name, connections: room.connections(name) });
    }
    case 'GET /hub': {
      // A WebSocket tells a page nothing about why it failed. So the page asks here for an event stream: a gateway
      // that refuses the one refuses the other, and this answer can be read. Nothing is ever sent on it.
      if ((await whoIs(request, tokens)) === null) return unauthorized(response);
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
      response.write(': you would be let in\n\n');
      return;
    }
    default:
      return sendJson(response, 404, { error: { code: 'not_found', message: 'There is nothing here.' } });
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0]!;
}

function whoIs(request: IncomingMessage, tokens: Tokens): Promise<string | null> {
  const header = /^bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const query = new URLSearchParams((request.url ?? '').split('?')[1]).get('access_token');
  return tokens.verify(header ?? query ?? '');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function nameIn(body: string): string | null {
  try {
    const name: unknown = JSON.parse(body).name;
    if (typeof name !== 'string') return null;
    const tidy = name
      .normalize('NFC')
      .replace(/[\p{C}\s]+/gu, ' ')
      .trim();
    return tidy !== '' && tidy.length <= MAX_NAME_CHARACTERS ? tidy : null;
  } catch {
    return null;
  }
}

function unauthorized(response: ServerResponse): void {
  response.setHeader('WWW-Authenticate', 'Bearer');
  sendJson(response, 401, { error: { code: 'unauthorized', message: 'Sign in first.' } });
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}
