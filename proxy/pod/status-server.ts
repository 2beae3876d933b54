import { type HealthSource, healthPages } from '../admin/health-pages.ts';
import { ReadOnlyServer, sendJson } from '../admin/read-only-server.ts';
import { MAX_READERS, type ReportFeed } from './report-feed.ts';

/** What a pod shows to its cluster: nothing in it is about users. */
export class StatusServer extends ReadOnlyServer {
  constructor(source: HealthSource, feed: ReportFeed) {
    super({
      ...healthPages(source),
      '/report': (_url, { method }, response) => {
        if (method === 'HEAD') response.end();
        else if (!feed.add(response)) {
          response.setHeader('Retry-After', '10');
          sendJson(response, 503, {
            error: { message: `${MAX_READERS} readers have the report open already` },
          });
        }
      },
    });
  }
}
