import { rewritePath } from '../filters/path.ts';
import type { Endpoint } from '../pools/endpoint.ts';
import type { BackendTable } from '../routing/rule.ts';
import type { HeaderPlan } from './codec/edit.ts';
import type { Exchange } from './exchange.ts';
import { hostFor } from './host-header.ts';

/** The head of an exchange's request as a backend gets it: rewritten, with the Host it wants and what it is told of us. */
export function backendRequestHead(
  exchange: Exchange,
  { rewrite }: BackendTable,
  endpoint: Endpoint,
  plan: HeaderPlan,
): string {
  const { downstream } = exchange;
  const path = rewritePath(rewrite, downstream.request.path, exchange.matchedPrefix);
  const host = rewrite?.hostname ?? hostFor(endpoint, downstream.authority);
  const upgrade = exchange.webSocket ? 'websocket' : '';
  return downstream.requestHead(path, host, plan, downstream.forwardedLines(), upgrade);
}
