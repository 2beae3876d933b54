/**
 * The routing table of a worker: built from a snapshot, immutable, swapped as one reference. An exchange keeps the
 * table that it began with.
 */
import assert from 'node:assert/strict';
import type { Listener, Port, RouteEntry, Snapshot, VirtualHost } from '../config/snapshot.ts';
import { type AccessList, compileAccessControl } from '../filters/access-control.ts';
import type { RequestView } from '../http/request.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { HostnameIndex, normaliseHost } from './hostname.ts';
import { PathIndex } from './path-index.ts';
import { compilePattern, type Pattern } from './pattern.ts';
import { queryParameter } from './query.ts';
import { RuleTable } from './rule.ts';
import { ruleSeries } from './series.ts';

/** Where a request goes. One object for each route of the table: matching allocates nothing. */
export interface RouteTarget {
  readonly rule: RuleTable;
  /** The prefix that matched, without trailing slash unless it is `/`; `null` for other kinds of match. */
  readonly matchedPrefix: string | null;
}

export interface ListenerTable {
  readonly listener: Listener;
  readonly port: Port;
  /** What applies where no route matches. */
  readonly accessList: AccessList | null;
  readonly routes: ListenerRoutes;
}

/** The host belongs to another listener than the one that made the TLS connection: 421 (RFC 9110 §15.5.20). */
export const MISDIRECTED = 'misdirected';

export interface RoutingTable {
  readonly snapshot: Snapshot;
  /**
   * The one listener that a request belongs to: the most specific on the port whose hostnames cover the host.
   * `null` when none does: 404.
   * @param host empty when the request has none
   * @param sni what the TLS client asked for, empty when it sent no server name; left out for cleartext
   */
  listenerFor(port: number, host: string, sni?: string): ListenerTable | typeof MISDIRECTED | null;
  readonly rules: readonly RuleTable[];
}

/** Throws only for a snapshot that no compiler should have made. */
export function buildRoutingTable(snapshot: Snapshot, metrics: Metrics | null = null): RoutingTable {
  const rules = snapshot.rules.map(
    (rule) => new RuleTable(rule, metrics === null ? null : ruleSeries(metrics, rule)),
  );
  return new Table(snapshot, rules);
}

/** The first route in order of precedence that matches; `null` when none does: 404. */
export function matchRoute(listener: ListenerTable, request: RequestView): RouteTarget | null {
  return listener.routes.match(request);
}

class Table implements RoutingTable {
  readonly snapshot: Snapshot;
  readonly rules: readonly RuleTable[];
  readonly #ports = new Map<number, HostnameIndex<ListenerTable>>();

  constructor(snapshot: Snapshot, rules: readonly RuleTable[]) {
    this.snapshot = snapshot;
    this.rules = rules;
    for (const port of snapshot.ports) {
      if (port.transport === 'UDP') continue;
      assert(!this.#ports.has(port.port), `port ${port.port} is there twice`);
      this.#ports.set(port.port, indexListeners(port, rules));
    }
  }

  listenerFor(port: number, host: string, sni?: string): ListenerTable | typeof MISDIRECTED | null {
    const listeners = this.#ports.get(port);
    if (listeners === undefined) return null;
    const normal = normaliseHost(host);
    const byHost = listeners.find(normal);
    if (sni === undefined || byHost === null || sni === normal) return byHost;
    const bySni = listeners.find(normaliseHost(sni));
    if (bySni === byHost) return byHost;
    // Without a server name the connection has the port's default certificate and no other listener's demands:
    // fine where the host's listener would have made the same connection.
    if (sni === '' && sameHandshake(bySni?.listener ?? byHost.port.listeners[0]!, byHost.listener))
      return byHost;
    return MISDIRECTED;
  }
}

/** Whether two listeners show the same certificates and ask the same of the client. */
function sameHandshake(a: Listener, b: Listener): boolean {
  if (a === b) return true;
  if (a.tls === null || b.tls === null) return false;
  return (
    a.tls.mode === b.tls.mode &&
    a.tls.minVersion === b.tls.minVersion &&
    a.tls.certificates.join() === b.tls.certificates.join() &&
    a.tls.clientValidation?.mode === b.tls.clientValidation?.mode &&
    a.tls.clientValidation?.caPem === b.tls.clientValidation?.caPem
  );
}

function indexListeners(port: Port, rules: readonly RuleTable[]): HostnameIndex<ListenerTable> {
  const index = new HostnameIndex<ListenerTable>();
  for (const listener of port.listeners) {
    const table: ListenerTable = {
      listener,
      port,
      accessList: compileAccessControl(listener.accessControl),
      routes: new ListenerRoutes(listener.hosts, rules),
    };
    if (listener.hostnames.length === 0) index.add('*', table);
    else for (const hostname of listener.hostnames) index.add(hostname, table);
  }
  return index;
}

/** Which virtual hosts serve a host is the same for every request: kept for this many hosts of a listener. */
const MAX_REMEMBERED_HOSTS = 1000;

/** The routes of one listener by virtual host. */
export class ListenerRoutes {
  readonly #hosts = new HostnameIndex<PathIndex<Route>>();
  readonly #remembered = new Map<string, readonly PathIndex<Route>[]>();

  constructor(hosts: readonly VirtualHost[], rules: readonly RuleTable[]) {
    for (const { hostname, routes } of hosts) {
      this.#hosts.add(hostname, new PathIndex(routes.map((entry) => compileRoute(entry, rules))));
    }
  }

  match(request: RequestView): RouteTarget | null {
    const hosts = this.#remembered.get(request.host) ?? this.#findHosts(request.host);
    const { path } = request;
    for (let i = 0; i < hosts.length; i++) {
      const route = hosts[i]!.find(path, request, accepts);
      if (route !== null) return route.target;
    }
    return null;
  }

  #findHosts(host: string): readonly PathIndex<Route>[] {
    const hosts = this.#hosts.findAll(normaliseHost(host));
    // Hosts come from requests: the memory for them is bounded by starting over.
    if (this.#remembered.size >= MAX_REMEMBERED_HOSTS) this.#remembered.clear();
    // A copy, since the name may be a slice that keeps its whole head alive.
    this.#remembered.set(Buffer.from(host, 'latin1').toString('latin1'), hosts);
    return hosts;
  }
}

interface ValueTest {
  readonly name: string;
  /** `null` where `pattern` decides. */
  readonly exact: string | null;
  readonly pattern: Pattern | null;
}

interface Route {
  readonly path:
    | { readonly type: 'Exact'; readonly value: string }
    | { readonly type: 'PathPrefix'; readonly value: string }
    | { readonly type: 'RegularExpression'; readonly pattern: Pattern };
  readonly method: string | null;
  readonly headers: readonly ValueTest[];
  readonly queryParams: readonly ValueTest[];
  readonly target: RouteTarget;
}

function compileRoute({ match, rule: index }: RouteEntry, rules: readonly RuleTable[]): Route {
  const rule = rules[index];
  assert(rule !== undefined, `a route refers to rule ${index}, which is not there`);
  const { path } = match;
  const target = { rule, matchedPrefix: path.type === 'PathPrefix' ? normalPrefix(path.value) : null };
  return {
    path:
      path.type === 'RegularExpression'
        ? { type: path.type, pattern: patternOf(path.value) }
        : { type: path.type, value: path.value },
    method: match.method,
    headers: match.headers.map((header) => valueTest(header, header.name.toLowerCase())),
    queryParams: match.queryParams.map((param) => valueTest(param, param.name)),
    target,
  };
}

function normalPrefix(prefix: string): string {
  let end = prefix.length;
  while (end > 1 && prefix.endsWith('/', end)) end--;
  return prefix.slice(0, end);
}

function valueTest({ type, value }: { type: string; value: string }, name: string): ValueTest {
  return type === 'Exact'
    ? { name, exact: value, pattern: null }
    : { name, exact: null, pattern: patternOf(value) };
}

function patternOf(text: string): Pattern {
  const compiled = compilePattern(text);
  assert(compiled.ok, `a pattern that should have been refused: ${compiled.ok ? '' : compiled.reason}`);
  return compiled.pattern;
}

/** Everything of a route's match but the path. */
function accepts(route: Route, request: RequestView): boolean {
  if (route.method !== null && route.method !== request.method) return false;
  const { headers, queryParams } = route;
  for (let i = 0; i < headers.length; i++) {
    const test = headers[i]!;
    if (!passes(test, request.headers.get(test.name))) return false;
  }
  for (let i = 0; i < queryParams.length; i++) {
    const test = queryParams[i]!;
    if (!passes(test, queryParameter(request.query, test.name))) return false;
  }
  return true;
}

function passes(test: ValueTest, value: string | undefined): boolean {
  if (value === undefined) return false;
  return test.pattern === null ? test.exact === value : test.pattern.matches(value);
}
