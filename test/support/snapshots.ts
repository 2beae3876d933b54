/** Parts of a snapshot with everything filled in, for tests that care about one field. */
import type {
  Backend,
  Filters,
  Listener,
  Port,
  RouteEntry,
  RouteMatch,
  Rule,
  Settings,
  Snapshot,
} from '../../proxy/config/snapshot.ts';

export const NO_FILTERS: Filters = {
  requestHeaders: null,
  responseHeaders: null,
  redirect: null,
  rewrite: null,
  mirrors: [],
  cors: null,
};

export function settings(changes: Partial<Settings> = {}): Settings {
  return {
    workers: 1,
    paths: { encodedSeparators: 'Reject', emptySegments: 'Merge' },
    forwardedHeaders: { trustedHops: 0, emit: 'XForwarded' },
    limits: {
      maxRequestHeaderBytes: 65536,
      maxRequestHeaders: 100,
      requestHeaderTimeoutMs: 10_000,
      maxRequestBodyBytes: 0,
      requestBodyIdleTimeoutMs: 60_000,
      keepAliveTimeoutMs: 60_000,
      maxConnections: 0,
      maxPipelinedRequests: 16,
    },
    webSocket: { pingIntervalMs: 0, pongTimeoutMs: 20_000, idleTimeoutMs: 0, halfCloseTimeoutMs: 10_000 },
    tcpKeepAliveMs: 60_000,
    drain: { timeoutMs: 0, jitterMs: 0 },
    accessLog: { mode: 'Off', sampleRatio: 0 },
    ...changes,
  };
}

export function rule(id: string, changes: Partial<Rule> = {}): Rule {
  return {
    id,
    accessControl: null,
    authentication: null,
    ruleLists: [],
    filters: NO_FILTERS,
    backends: [],
    timeouts: { requestMs: 0, backendRequestMs: 0 },
    retry: null,
    ...changes,
  };
}

export function backend(pool: string | null, weight = 1, changes: Partial<Backend> = {}): Backend {
  return { pool, weight, requestHeaders: null, responseHeaders: null, rewrite: null, ...changes };
}

/** A route; the path is `Exact:/a`, `RegularExpression:/a.*`, or a prefix. */
export function route(path: string, rule: number, changes: Partial<RouteMatch> = {}): RouteEntry {
  const colon = path.indexOf(':');
  const type = colon === -1 ? 'PathPrefix' : (path.slice(0, colon) as 'Exact' | 'RegularExpression');
  return {
    match: {
      path: { type, value: path.slice(colon + 1) },
      method: null,
      headers: [],
      queryParams: [],
      ...changes,
    },
    rule,
  };
}

export function listener(name: string, changes: Partial<Listener> = {}): Listener {
  return {
    name,
    protocol: 'HTTP',
    hostnames: [],
    tls: null,
    accessControl: null,
    authentication: null,
    hosts: [],
    streamRule: null,
    ...changes,
  };
}

export function port(number: number, listeners: readonly Listener[], changes: Partial<Port> = {}): Port {
  return { port: number, transport: 'Cleartext', listeners, ...changes };
}

export function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    format: 1,
    gateway: { namespace: 'default', name: 'test' },
    hash: '',
    settings: settings(),
    ports: [],
    rules: [],
    pools: [],
    certificates: [],
    authentications: [],
    ruleLists: [],
    ...changes,
  };
}
