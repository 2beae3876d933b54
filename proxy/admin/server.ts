import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { type HealthSource, healthPages } from './health-pages.ts';
import { ReadOnlyServer, send, sendJson } from './read-only-server.ts';

/** What the admin endpoints show; nothing in it is secret. */
export interface AdminSource extends HealthSource {
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

/** The admin server: it names users, so it is meant for loopback or a network of its own. */
export class AdminServer extends ReadOnlyServer {
  constructor(source: AdminSource) {
    super({
      '/': (_url, _request, response) => sendPage(response),
      ...healthPages(source),
      '/config': (_url, _request, response) => sendJson(response, 200, source.config()),
      '/connections': async (url, _request, response) => {
        const limit = Number(url.searchParams.get('limit') ?? DEFAULT_CONNECTIONS);
        if (!Number.isInteger(limit) || limit < 1 || limit > MAX_CONNECTIONS) {
          const message = `limit: expected an integer between 1 and ${MAX_CONNECTIONS}`;
          return sendJson(response, 400, { error: { message } });
        }
        sendJson(response, 200, await source.connections(limit));
      },
      '/pools': (_url, _request, response) => sendJson(response, 200, source.pools()),
    });
  }
}

function sendPage(response: ServerResponse): void {
  response.setHeader(
    'Content-Security-Policy',
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
  );
  send(response, 200, 'text/html; charset=utf-8', PAGE);
}
