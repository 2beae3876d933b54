import { EXPOSITION_CONTENT_TYPE } from '../telemetry/exposition.ts';
import { type Page, send } from './read-only-server.ts';

/** What every port for looking at a process shows. */
export interface HealthSource {
  /** Whether traffic should be sent here; the reason is for a person. */
  readiness(): { readonly ready: boolean; readonly reason: string };
  /** Prometheus text. */
  metrics(): Promise<string>;
}

export function healthPages(source: HealthSource): Readonly<Record<string, Page>> {
  return {
    '/healthz': (_url, _request, response) => send(response, 200, 'text/plain', 'ok\n'),
    '/readyz': (_url, _request, response) => {
      const { ready, reason } = source.readiness();
      send(response, ready ? 200 : 503, 'text/plain; charset=utf-8', `${reason}\n`);
    },
    '/metrics': async (_url, _request, response) =>
      send(response, 200, EXPOSITION_CONTENT_TYPE, await source.metrics()),
  };
}
