/**
 * The Grafana dashboard of the chart, from a table of what each panel shows. It is answered from top to bottom: is all
 * well, who is connected, who is refused and why, which backends are down and why, is the newest configuration served.
 */

interface Query {
  readonly expression: string;
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  readonly description: string;
  readonly kind: 'stat' | 'graph' | 'table';
  readonly unit?: 'short' | 's' | 'reqps' | 'Bps' | 'bytes' | 'ops';
  readonly queries: readonly Query[];
  /** Of a number: from here on it is red, while nothing is green. */
  readonly badFrom?: number;
  /** Of 24 columns. */
  readonly width: number;
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

const GRID_WIDTH = 24;
const HEIGHT = { stat: 4, graph: 8, table: 8 } as const;
const SCHEMA_VERSION = 39;

/** The proxies that are looked at. */
const proxies = 'namespace=~"$namespace", gateway=~"$gateway"';
/** Replicas that stand by tell what they knew when they led. */
const ofLeader = 'and on (namespace, pod) (sluice_operator_leader == 1)';

const gauge = (metric: string, by: string, matchers = ''): string =>
  `sum${by === '' ? '' : ` by (${by})`} (${metric}{${proxies}${matchers === '' ? '' : `, ${matchers}`}})`;
const rate = (metric: string, by: string, matchers = ''): string =>
  `sum${by === '' ? '' : ` by (${by})`} (rate(${metric}{${proxies}${matchers === '' ? '' : `, ${matchers}`}}[$__rate_interval]))`;
const quantile = (share: number, metric: string, by: string): string =>
  `histogram_quantile(${share}, ${rate(`${metric}_bucket`, by === '' ? 'le' : `le, ${by}`)})`;

function graph(
  title: string,
  description: string,
  expression: string,
  legend: string,
  options: Partial<Panel> = {},
): Panel {
  return lines(title, description, [{ expression, legend }], options);
}

function lines(
  title: string,
  description: string,
  queries: readonly Query[],
  options: Partial<Panel> = {},
): Panel {
  return { title, description, kind: 'graph', width: 8, queries, ...options };
}

function stat(title: string, description: string, expression: string, options: Partial<Panel> = {}): Panel {
  return {
    title,
    description,
    kind: 'stat',
    width: 4,
    queries: [{ expression, legend: title }],
    ...options,
  };
}

export const ROWS: readonly Row[] = [
  {
    title: 'Is all well?',
    panels: [
      stat('Open connections', 'Of clients, to all pods.', gauge('sluice_connections', '')),
      stat('WebSockets', 'Open ones.', gauge('sluice_websockets', '')),
      stat(
        'Rejections',
        'Requests that gateways answered themselves, instead of a backend.',
        rate('sluice_rejections_total', ''),
        { unit: 'reqps' },
      ),
      stat(
        'Pools that are down',
        'At some pod they have no healthy endpoint.',
        `count(min by (pool) (sum by (pool, pod, namespace) (sluice_pool_endpoints{${proxies}, state="healthy"})) == 0) or vector(0)`,
        { badFrom: 1 },
      ),
      stat(
        'Gateways not programmed',
        'Some pod does not serve the newest configuration, or there is none: kubectl describe edgegateway says why.',
        `sum(sluice_operator_gateways{programmed!="True"} ${ofLeader}) or vector(0)`,
        { badFrom: 1 },
      ),
      stat(
        'Limits not enforced',
        'Connections that were admitted uncounted, since the count was unavailable and failurePolicy is Open.',
        rate('sluice_firewall_unenforced_total', ''),
        { unit: 'ops', badFrom: 0.001 },
      ),
    ],
  },
  {
    title: 'Who is connected?',
    panels: [
      graph(
        'Connections by gateway',
        'Open connections of clients.',
        gauge('sluice_connections', 'namespace, gateway'),
        '{{namespace}}/{{gateway}}',
      ),
      graph(
        'Connections by pod',
        'Whether pods have about as many each.',
        gauge('sluice_connections', 'pod'),
        '{{pod}}',
      ),
      graph('WebSockets by route', 'Open ones.', gauge('sluice_websockets', 'rule'), '{{rule}}'),
      lines(
        'Counted',
        'Connections and requests that a firewall rule counts, and how many different users, tokens or addresses hold them.',
        [
          { expression: gauge('sluice_counter_connections', ''), legend: 'connections' },
          { expression: gauge('sluice_counter_keys', ''), legend: 'keys' },
        ],
      ),
      graph(
        'Requests by status',
        'Finished requests; a WebSocket is one of class 1xx, when it ends.',
        rate('sluice_requests_total', 'status_class'),
        '{{status_class}}',
        { unit: 'reqps' },
      ),
      graph(
        'Requests in flight by route',
        'Event streams among them.',
        gauge('sluice_requests_in_flight', 'rule'),
        '{{rule}}',
      ),
      lines(
        'Duration of requests',
        'From the request to the end of the response.',
        [0.5, 0.9, 0.99].map((share) => ({
          expression: quantile(share, 'sluice_request_duration_seconds', ''),
          legend: `p${share * 100}`,
        })),
        { unit: 's', width: 12 },
      ),
      graph(
        'Bytes',
        'From clients (in) and to them (out); of a connection when it ends.',
        rate('sluice_bytes_total', 'direction'),
        '{{direction}}',
        { unit: 'Bps', width: 12 },
      ),
    ],
  },
  {
    title: 'Who is refused, and why?',
    panels: [
      graph(
        'Rejections by reason',
        'docs/troubleshooting.md explains each.',
        rate('sluice_rejections_total', 'reason'),
        '{{reason}}',
        { unit: 'reqps' },
      ),
      graph(
        'Rejections by route',
        'A request that no route matches has none.',
        rate('sluice_rejections_total', 'rule'),
        '{{rule}}',
        { unit: 'reqps' },
      ),
      graph(
        'Limits on connections',
        'What rules decided, other than to admit: dry_run_exceeded would have been a rejection, unavailable means that the count was not known.',
        rate('sluice_firewall_decisions_total', 'rule_list, rule, decision', 'decision!="admitted"'),
        '{{rule_list}} {{rule}}: {{decision}}',
        { unit: 'ops' },
      ),
      graph(
        'Tokens refused',
        'By authentication and reason; docs/troubleshooting.md explains each.',
        rate('sluice_authentication_results_total', 'authentication, result', 'result!="accepted"'),
        '{{authentication}}: {{result}}',
        { unit: 'ops' },
      ),
      graph(
        'TLS handshakes that failed',
        'With clients.',
        rate('sluice_tls_handshake_failures_total', 'port, reason'),
        '{{port}}: {{reason}}',
        { unit: 'ops' },
      ),
      graph(
        'Connections closed at once',
        'Above limits.maxConnections of the gateway.',
        rate('sluice_connections_refused_total', 'port'),
        '{{port}}',
        { unit: 'ops' },
      ),
      graph(
        'Usable keys of key sets',
        'By URI; with none, tokens get 503.',
        `min by (uri) (sluice_jwks_keys{${proxies}})`,
        '{{uri}}',
        { width: 12 },
      ),
      graph(
        'Key sets that could not be fetched',
        'By URI.',
        rate('sluice_jwks_fetches_total', 'uri', 'result="failed"'),
        '{{uri}}',
        { unit: 'ops', width: 12 },
      ),
    ],
  },
  {
    title: 'Which backends are down, and why?',
    panels: [
      {
        title: 'Endpoints',
        description: 'Of each pool, by state, at the pod that sees most of them in that state.',
        kind: 'table',
        width: 8,
        queries: [
          {
            expression: `max by (pool, state) (sluice_pool_endpoints{${proxies}})`,
            legend: '{{pool}}',
          },
        ],
      },
      graph(
        'Healthy endpoints',
        'Of each pool, at the pod that sees the fewest.',
        `min by (pool) (sluice_pool_endpoints{${proxies}, state="healthy"})`,
        '{{pool}}',
      ),
      graph(
        'Probes that failed',
        'By pool and kind of failure.',
        rate('sluice_pool_probes_total', 'pool, result', 'result!="success"'),
        '{{pool}}: {{result}}',
        { unit: 'ops' },
      ),
      graph(
        'Attempts at backends that failed',
        'By pool and reason.',
        rate('sluice_upstream_failures_total', 'pool, reason'),
        '{{pool}}: {{reason}}',
        { unit: 'ops' },
      ),
      graph(
        'No endpoint left',
        'Requests that got 503 for it, by pool and reason.',
        rate('sluice_pool_unavailable_total', 'pool, reason'),
        '{{pool}}: {{reason}}',
        { unit: 'ops' },
      ),
      lines(
        'Ejections and repetitions',
        'Endpoints left out for a while since requests to them failed; attempts that repeat an earlier one.',
        [
          { expression: rate('sluice_pool_ejections_total', 'pool'), legend: '{{pool}}: ejections' },
          { expression: rate('sluice_upstream_retries_total', 'pool'), legend: '{{pool}}: repetitions' },
        ],
        { unit: 'ops' },
      ),
      graph(
        'Duration of probes',
        'The slowest tenth begins here.',
        quantile(0.9, 'sluice_pool_probe_duration_seconds', 'pool'),
        '{{pool}}',
        { unit: 's', width: 12 },
      ),
      graph(
        'Look-ups of names',
        'By pool and result.',
        rate('sluice_pool_resolutions_total', 'pool, result'),
        '{{pool}}: {{result}}',
        { unit: 'ops', width: 12 },
      ),
    ],
  },
  {
    title: 'Is the newest configuration served?',
    panels: [
      graph(
        'Gateways by Programmed',
        'True: all of their pods serve the newest configuration.',
        `sum by (programmed) (sluice_operator_gateways ${ofLeader})`,
        '{{programmed}}',
      ),
      graph(
        'Problems in resources',
        'What is wrong with what users wrote; the conditions of each resource say what.',
        `sum by (severity) (sluice_operator_diagnostics ${ofLeader})`,
        '{{severity}}',
      ),
      graph(
        'Different configurations in force',
        'More than one for a moment is ordinary: pods follow one after the other.',
        `count by (namespace, gateway) (count_values by (namespace, gateway) ("value", sluice_snapshot_fingerprint{${proxies}}))`,
        '{{namespace}}/{{gateway}}',
      ),
      graph(
        'Staleness of the operator',
        'How long the API server has not been heard of, by resource. Up to 60 s is ordinary.',
        `max by (resource) (sluice_operator_watch_staleness_seconds ${ofLeader})`,
        '{{resource}}',
        { unit: 's' },
      ),
      graph(
        'Staleness of the proxies',
        'How long the API server has not been heard of, by what is watched, at the pod that is furthest behind. Proxies go on with what they have.',
        `max by (watch) (sluice_watch_staleness_seconds{${proxies}})`,
        '{{watch}}',
        { unit: 's' },
      ),
      graph(
        'Requests to the API server that failed',
        'Of the proxies, by what is watched.',
        rate('sluice_watch_failures_total', 'watch'),
        '{{watch}}',
        { unit: 'ops' },
      ),
    ],
  },
  {
    title: 'How is the operator?',
    panels: [
      graph('Leader', 'The replica that writes.', 'max by (pod) (sluice_operator_leader)', '{{pod}}'),
      lines(
        'Objects that wait, or could not be brought in line',
        'By what they are; the log of the operator says why.',
        [
          {
            expression: `sum by (what) (sluice_operator_queue_depth ${ofLeader})`,
            legend: '{{what}}: waiting',
          },
          {
            expression: `sum by (what) (sluice_operator_queue_failing ${ofLeader})`,
            legend: '{{what}}: failing',
          },
        ],
      ),
      graph(
        'Objects brought in line',
        'By what they are and result.',
        'sum by (what, result) (rate(sluice_operator_reconciles_total[$__rate_interval]))',
        '{{what}}: {{result}}',
        { unit: 'ops' },
      ),
      graph(
        'Writes to the API server',
        'None while nothing changes.',
        'sum by (resource, verb) (rate(sluice_operator_api_writes_total[$__rate_interval]))',
        '{{verb}} {{resource}}',
        { unit: 'ops', width: 12 },
      ),
      lines(
        'Duration of compiling',
        'All of the resources at once.',
        [0.5, 0.99].map((share) => ({
          expression: `histogram_quantile(${share}, sum by (le) (rate(sluice_operator_compile_duration_seconds_bucket[$__rate_interval])))`,
          legend: `p${share * 100}`,
        })),
        { unit: 's', width: 12 },
      ),
    ],
  },
  {
    title: 'How are the proxies?',
    panels: [
      graph(
        'Memory',
        'Of each pod, buffers of connections included.',
        gauge('process_resident_memory_bytes', 'pod'),
        '{{pod}}',
        { unit: 'bytes' },
      ),
      graph('Processor cores in use', 'Of each pod.', rate('process_cpu_seconds_total', 'pod'), '{{pod}}'),
      graph(
        'Longest pause of a thread',
        'Every connection of the thread waits for so long.',
        `max by (pod, thread) (sluice_event_loop_delay_seconds{${proxies}})`,
        '{{pod}} {{thread}}',
        { unit: 's' },
      ),
      graph('Workers', 'Threads that carry traffic.', gauge('sluice_workers', 'pod'), '{{pod}}', {
        width: 12,
      }),
      graph(
        'Workers that crashed',
        'A bug: please report the log of the pod.',
        rate('sluice_worker_restarts_total', 'pod'),
        '{{pod}}',
        { unit: 'ops', width: 12 },
      ),
    ],
  },
];

// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana.
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' } as const;

/** As Grafana reads it. */
export function dashboard(): object {
  return {
    title: 'Sluice',
    uid: 'sluice',
    tags: ['sluice'],
    description: 'Who is connected, who was refused and why, and why a backend is down.',
    schemaVersion: SCHEMA_VERSION,
    editable: true,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    templating: { list: variables() },
    panels: panels(),
  };
}

function variables(): object[] {
  const ofLabel = (name: string, label: string, expression: string): object => ({
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    query: { query: `label_values(${expression}, ${name})`, refId: name },
    definition: `label_values(${expression}, ${name})`,
    includeAll: true,
    allValue: '.*',
    multi: true,
    refresh: 2,
    sort: 1,
    current: { text: 'All', value: '$__all' },
  });
  return [
    { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' },
    ofLabel('namespace', 'Namespace', 'sluice_connections'),
    ofLabel('gateway', 'Gateway', 'sluice_connections{namespace=~"$namespace"}'),
  ];
}

function panels(): object[] {
  const laid: object[] = [];
  let y = 0;
  let id = 0;
  for (const row of ROWS) {
    laid.push({
      id: ++id,
      type: 'row',
      title: row.title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y: y++, w: GRID_WIDTH, h: 1 },
    });
    let x = 0;
    let height = 0;
    for (const panel of row.panels) {
      if (x + panel.width > GRID_WIDTH) {
        y += height;
        [x, height] = [0, 0];
      }
      const h = HEIGHT[panel.kind];
      laid.push({ id: ++id, ...panelOf(panel), gridPos: { x, y, w: panel.width, h } });
      x += panel.width;
      height = Math.max(height, h);
    }
    y += height;
  }
  return laid;
}

function panelOf({ title, description, kind, unit = 'short', queries, badFrom }: Panel): object {
  const targets = queries.map(({ expression, legend }, index) => ({
    refId: String.fromCharCode('A'.charCodeAt(0) + index),
    datasource: DATASOURCE,
    expr: expression,
    legendFormat: legend,
    ...(kind === 'graph' ? { range: true } : { instant: true, range: false }),
    ...(kind === 'table' && { format: 'table' }),
  }));
  const steps = [
    { color: badFrom === undefined ? 'text' : 'green', value: null },
    ...(badFrom === undefined ? [] : [{ color: 'red', value: badFrom }]),
  ];
  const defaults = { unit, min: 0, thresholds: { mode: 'absolute', steps } };
  const common = { title, description, datasource: DATASOURCE, targets };
  switch (kind) {
    case 'stat':
      return {
        type: 'stat',
        ...common,
        fieldConfig: { defaults, overrides: [] },
        options: {
          colorMode: badFrom === undefined ? 'none' : 'background',
          reduceOptions: { calcs: ['last'] },
        },
      };
    case 'graph':
      return {
        type: 'timeseries',
        ...common,
        fieldConfig: { defaults: { ...defaults, custom: { fillOpacity: 10 } }, overrides: [] },
        options: {
          legend: { displayMode: 'list', placement: 'bottom' },
          tooltip: { mode: 'multi', sort: 'desc' },
        },
      };
    case 'table':
      return {
        type: 'table',
        ...common,
        fieldConfig: { defaults, overrides: [] },
        options: { cellHeight: 'sm' },
        // A table of what there is now, without the time and the name of the metric.
        transformations: [
          {
            id: 'organize',
            options: { excludeByName: { Time: true }, renameByName: { Value: 'endpoints' } },
          },
        ],
      };
  }
}
