/** For every CEL rule of every CRD, objects that break it and nothing else. */
import { type ownKinds, setField } from './schemas.ts';

type OwnKind = (typeof ownKinds)[number];

/** Valid objects to start from. */
export const valid: Record<OwnKind, object> = {
  EdgeGateway: {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EdgeGateway',
    metadata: { name: 'chat' },
    spec: {
      listeners: [
        { name: 'web', protocol: 'HTTP', port: 80 },
        { name: 'secure', protocol: 'HTTPS', port: 443, tls: { certificateRefs: [{ name: 'tls' }] } },
        { name: 'through', protocol: 'TLS', port: 444, tls: { mode: 'Passthrough' } },
        { name: 'raw', protocol: 'TCP', port: 5000 },
      ],
      routes: [{ name: 'hub', backend: { pool: 'chat' } }],
    },
  },
  BackendPool: {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'BackendPool',
    metadata: { name: 'chat' },
    spec: { targets: [{ fqdn: 'localhost', port: 80 }] },
  },
  FirewallRuleList: {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'FirewallRuleList',
    metadata: { name: 'per-user' },
    spec: { targetRefs: [{ group: 'sluice.dev', kind: 'EdgeGateway', name: 'chat' }] },
  },
};

/** Where a value is set in the valid object, the value, and what is expected: `field: message`. */
export type Case = [at: string, value: unknown, expected: string];

const shared = { targets: [{ fqdn: 'localhost', port: 80 }] };
const keys = { secretRef: { name: 's', key: 'k' } };
const jwt = { providers: [{ name: 'app', keys }] };
const pathRule =
  'value must begin with / and hold no query, fragment or characters that a path cannot hold (RFC 3986)';
const cidrRule = 'must be a block of addresses in CIDR notation, such as 10.0.0.0/8 or 2001:db8::/32';
const prefix = {
  type: 'URLRewrite',
  urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } },
};
const redirect = { type: 'RequestRedirect', requestRedirect: { port: 1 } };
const exact = { paths: [{ type: 'Exact', value: '/a' }] };
const pool = { pool: 'chat' };
const mirror = { backend: pool };

const http = 'protocol is HTTP, HTTPS or H2C';

const filterFields = [
  ['RequestHeaderModifier', 'requestHeaderModifier'],
  ['ResponseHeaderModifier', 'responseHeaderModifier'],
  ['RequestRedirect', 'requestRedirect'],
  ['URLRewrite', 'urlRewrite'],
  ['RequestMirror', 'requestMirror'],
  ['CORS', 'cors'],
] as const;

const backendFilterTypes = ['RequestHeaderModifier', 'ResponseHeaderModifier', 'URLRewrite'];

const settings: Record<string, object> = {
  RequestHeaderModifier: { requestHeaderModifier: { remove: ['A'] } },
  ResponseHeaderModifier: { responseHeaderModifier: { remove: ['A'] } },
  RequestRedirect: { requestRedirect: {} },
  URLRewrite: { urlRewrite: { hostname: 'a' } },
  RequestMirror: { requestMirror: mirror },
  CORS: { cors: {} },
};

const filter = (type: string) => ({ type, ...settings[type] });

/** What holds for the filters of a route and of one of its backends. */
function filterCases(
  kinds: readonly (readonly [string, string])[],
  wrap: (filters: object[]) => [string, unknown],
  at: string,
): Case[] {
  const cases: Case[] = [];
  for (const [type, field] of kinds) {
    cases.push([
      ...wrap([{ type }]),
      `${at}[0].${field}: found nothing: ${field} must be set when type is ${type}, and only then`,
    ]);
    if (type !== 'RequestMirror') {
      cases.push([
        ...wrap([filter(type), filter(type)]),
        `${at}: type ${type} must not occur more than once`,
      ]);
    }
  }
  return cases;
}

function pathCases(wrap: (path: object) => [string, unknown], at: string): Case[] {
  return [
    ['ReplaceFullPath', 'replaceFullPath'],
    ['ReplacePrefixMatch', 'replacePrefixMatch'],
  ].map(([type, field]) => [
    ...wrap({ type }),
    `spec.routes[0].${at}.path.${field}: found nothing: ${field} must be set when type is ${type}, and only then`,
  ]);
}

/** A route that redirects must not have a backend. */
const routeWith = (filters: object[]): [string, unknown] => {
  const redirects = filters.some((one) => (one as { type: string }).type === 'RequestRedirect');
  return ['spec.routes.0', { name: 'hub', filters, ...(redirects ? {} : { backend: pool }) }];
};
const backendWith = (filters: object[]): [string, unknown] => [
  'spec.routes.0',
  { name: 'hub', backends: [{ ...pool, filters }] },
];

const authenticationCases = (at: string, field: string): Case[] => [
  [at, {}, `${field}.jwt: found nothing: jwt must be set unless mode is None`],
  [at, { mode: 'None', jwt }, `${field}.jwt: jwt must not be set when mode is None`],
  [
    at,
    { jwt: { providers: [{ name: 'app', keys: {} }] } },
    `${field}.jwt.providers[0].keys: exactly one of secretRef and jwks must be set`,
  ],
  [
    at,
    { jwt: { providers: [{ name: 'app', keys: { jwks: { uri: 'https://a/', inline: '{}' } } }] } },
    `${field}.jwt.providers[0].keys.jwks: exactly one of uri, inline and secretRef must be set`,
  ],
  [
    at,
    { jwt: { ...jwt, from: [{}] } },
    `${field}.jwt.from[0]: exactly one of header, query and cookie must be set`,
  ],
  [
    at,
    { jwt: { ...jwt, from: [{ query: 'a', prefix: 'b' }] } },
    `${field}.jwt.from[0].prefix: found "b": prefix must be set only together with header`,
  ],
];

const accessControlCases = (at: string, field: string): Case[] => [
  [at, { allow: ['10.0.0.0/33'] }, `${field}.allow[0]: found "10.0.0.0/33": ${cidrRule}`],
  [at, { deny: ['10.0.0.1'] }, `${field}.deny[0]: found "10.0.0.1": ${cidrRule}`],
];

/** The valid object of a kind with one field changed. */
export function broken(kind: OwnKind, at: string, value: unknown): object {
  const body = structuredClone(valid[kind]);
  const path = at.split('.').map((key) => (/^\d+$/.test(key) ? Number(key) : key));
  setField(body, path, value);
  return body;
}

export const brokenRules: Record<OwnKind, Case[]> = {
  EdgeGateway: [
    [
      'metadata.name',
      'chat.room',
      ': metadata.name must be a DNS label that begins with a letter, of at most 50 characters: Services are named after it',
    ],
    [
      'spec.routes.0.listeners',
      ['web', 'wbe'],
      'spec.routes: routes[].listeners must name only listeners of this gateway',
    ],
    [
      'spec',
      {
        ...(valid.EdgeGateway as { spec: object }).spec,
        replicas: 2,
        infrastructure: { autoscaling: { maxReplicas: 3 } },
      },
      'spec.replicas: found 2: replicas must not be set together with infrastructure.autoscaling',
    ],
    [
      'spec.listeners.1.tls',
      undefined,
      'spec.listeners[1].tls: found nothing: tls must be set when protocol is HTTPS or TLS',
    ],
    [
      'spec.listeners.0.tls',
      { certificateRefs: [{ name: 'a' }] },
      'spec.listeners[0].tls: tls must not be set when protocol is HTTP, TCP or UDP',
    ],
    [
      'spec.listeners.1.tls',
      { mode: 'Passthrough' },
      'spec.listeners[1].tls.mode: found "Passthrough": tls.mode must be Passthrough only when protocol is TLS',
    ],
    [
      'spec.listeners.3.hostnames',
      ['a'],
      'spec.listeners[3].hostnames: hostnames must be set only when protocol is HTTP, HTTPS or TLS',
    ],
    [
      'spec.listeners.1.tls',
      {},
      'spec.listeners[1].tls.certificateRefs: found nothing: certificateRefs must name at least one certificate when mode is Terminate',
    ],
    [
      'spec.listeners.2.tls.certificateRefs',
      [{ name: 'a' }],
      'spec.listeners[2].tls.certificateRefs: certificateRefs must not be set when mode is Passthrough',
    ],
    [
      'spec.listeners.2.tls.clientValidation',
      { caCertificateRefs: [{ name: 'a' }] },
      'spec.listeners[2].tls.clientValidation: clientValidation must not be set when mode is Passthrough',
    ],
    [
      'spec.listeners.2.tls.minVersion',
      '1.3',
      'spec.listeners[2].tls.minVersion: found "1.3": minVersion must not be set when mode is Passthrough',
    ],
    ...authenticationCases('spec.authentication', 'spec.authentication'),
    ...authenticationCases('spec.routes.0.authentication', 'spec.routes[0].authentication'),
    ...accessControlCases('spec.accessControl', 'spec.accessControl'),
    ...accessControlCases('spec.routes.0.accessControl', 'spec.routes[0].accessControl'),
    [
      'spec.routes.0.match',
      { paths: [{ value: 'a' }] },
      `spec.routes[0].match.paths[0].value: found "a": ${pathRule}`,
    ],
    [
      'spec.routes.0.match',
      { paths: [{ type: 'Exact', value: '/a?b' }] },
      `spec.routes[0].match.paths[0].value: found "/a?b": ${pathRule}`,
    ],
    [
      'spec.routes.0.match',
      { paths: [{ value: '/a/../b' }] },
      'spec.routes[0].match.paths[0].value: found "/a/../b": value must not hold //, /./, /../, or a closing /. or /..',
    ],
    [
      'spec.routes.0.match',
      { paths: [{ value: '/a//b' }] },
      'spec.routes[0].match.paths[0].value: found "/a//b": value must not hold //, /./, /../, or a closing /. or /..',
    ],
    [
      'spec.routes.0.match',
      { paths: [{ value: '/a/.' }] },
      'spec.routes[0].match.paths[0].value: found "/a/.": value must not hold //, /./, /../, or a closing /. or /..',
    ],
    [
      'spec.routes.0.match',
      { paths: [{ value: '/a%2fb' }] },
      'spec.routes[0].match.paths[0].value: found "/a%2fb": value must not hold an encoded slash, %2f',
    ],
    ['spec.routes.0.backends', [pool], 'spec.routes[0].backends: backend and backends must not both be set'],
    [
      'spec.routes.0',
      { name: 'hub' },
      'spec.routes[0].backend: found nothing: backend or backends must be set, unless a filter has type RequestRedirect',
    ],
    [
      'spec.routes.0.filters',
      [redirect],
      'spec.routes[0].filters: backend and backends must not be set when a filter has type RequestRedirect',
    ],
    [
      'spec.routes.0',
      { name: 'hub', match: exact, filters: [prefix], backend: pool },
      'spec.routes[0].filters: a path of type ReplacePrefixMatch in filters must go with match.paths that are all of type PathPrefix',
    ],
    [
      'spec.routes.0',
      { name: 'hub', match: exact, backends: [{ ...pool, filters: [prefix] }] },
      'spec.routes[0].backends: a path of type ReplacePrefixMatch in backends[].filters must go with match.paths that are all of type PathPrefix',
    ],
    [
      'spec.routes.0.timeouts',
      { requestSeconds: 1, backendRequestSeconds: 2 },
      'spec.routes[0].timeouts.backendRequestSeconds: found 2: backendRequestSeconds must be at most requestSeconds',
    ],
    ...filterCases(filterFields, routeWith, 'spec.routes[0].filters'),
    ...filterCases(
      filterFields.filter(([type]) => backendFilterTypes.includes(type)),
      backendWith,
      'spec.routes[0].backends[0].filters',
    ),
    [
      ...routeWith([filter('RequestRedirect'), filter('URLRewrite')]),
      'spec.routes[0].filters: type RequestRedirect and type URLRewrite must not both occur',
    ],
    ...pathCases(
      (path) => routeWith([{ type: 'URLRewrite', urlRewrite: { path } }]),
      'filters[0].urlRewrite',
    ),
    ...pathCases(
      (path) => routeWith([{ type: 'RequestRedirect', requestRedirect: { path } }]),
      'filters[0].requestRedirect',
    ),
    ...pathCases(
      (path) => backendWith([{ type: 'URLRewrite', urlRewrite: { path } }]),
      'backends[0].filters[0].urlRewrite',
    ),
    [
      'spec.routes.0.filters',
      [{ type: 'RequestMirror', requestMirror: { ...mirror, percent: 1, fraction: { numerator: 1 } } }],
      'spec.routes[0].filters[0].requestMirror.fraction: percent and fraction must not both be set',
    ],
    [
      'spec.routes.0.filters',
      [{ type: 'RequestMirror', requestMirror: { ...mirror, fraction: { numerator: 101 } } }],
      'spec.routes[0].filters[0].requestMirror.fraction.numerator: found 101: numerator must be at most denominator',
    ],
    [
      'spec.routes.0.filters',
      [{ type: 'CORS', cors: { allowOrigins: ['*', 'https://a'] } }],
      'spec.routes[0].filters[0].cors.allowOrigins: allowOrigins must hold nothing else when it holds *',
    ],
    [
      'spec.routes.0.filters',
      [{ type: 'CORS', cors: { allowMethods: ['*', 'GET'] } }],
      'spec.routes[0].filters[0].cors.allowMethods: allowMethods must hold nothing else when it holds *',
    ],
    [
      'spec.routes.0.filters',
      [{ type: 'CORS', cors: { allowHeaders: ['*', 'A'] } }],
      'spec.routes[0].filters[0].cors.allowHeaders: allowHeaders must hold nothing else when it holds *',
    ],
    [
      'spec.accessLog',
      { sampleRatio: 0.5 },
      'spec.accessLog.sampleRatio: found 0.5: sampleRatio must be set only when mode is Sampled',
    ],
    [
      'spec.infrastructure',
      { service: { type: 'NodePort', loadBalancerClass: 'a' } },
      'spec.infrastructure.service.loadBalancerClass: found "a": loadBalancerClass must be set only when type is LoadBalancer',
    ],
    [
      'spec.infrastructure',
      { service: { type: 'ClusterIP', externalTrafficPolicy: 'Local' } },
      'spec.infrastructure.service.externalTrafficPolicy: found "Local": externalTrafficPolicy must not be set when type is ClusterIP',
    ],
    [
      'spec.infrastructure',
      { service: { type: 'NodePort', loadBalancerSourceRanges: ['10.0.0.0/8'] } },
      'spec.infrastructure.service.loadBalancerSourceRanges: loadBalancerSourceRanges must be set only when type is LoadBalancer',
    ],
    [
      'spec.infrastructure',
      { service: { loadBalancerSourceRanges: ['10.0.0.0'] } },
      `spec.infrastructure.service.loadBalancerSourceRanges[0]: found "10.0.0.0": ${cidrRule}`,
    ],
    [
      'spec.infrastructure',
      { tolerations: [{ effect: 'NoSchedule' }] },
      'spec.infrastructure.tolerations[0].operator: found nothing: operator must be Exists when key is not set',
    ],
    [
      'spec.infrastructure',
      { tolerations: [{ key: 'a', operator: 'Exists', value: 'b' }] },
      'spec.infrastructure.tolerations[0].value: found "b": value must not be set when operator is Exists',
    ],
    [
      'spec.infrastructure',
      { tolerations: [{ key: 'a', tolerationSeconds: 5 }] },
      'spec.infrastructure.tolerations[0].tolerationSeconds: found 5: tolerationSeconds must be set only when effect is NoExecute',
    ],
    [
      'spec.infrastructure',
      { autoscaling: { maxReplicas: 1 } },
      'spec.infrastructure.autoscaling.maxReplicas: found 1: maxReplicas must be at least minReplicas',
    ],
  ],
  BackendPool: [
    ['spec.tls', {}, 'spec.tls: tls must be set only when protocol is HTTPS or TLS'],
    [
      'spec',
      { ...shared, protocol: 'TCP', hostHeader: { from: 'Target' } },
      `spec.hostHeader: hostHeader must be set only when ${http}`,
    ],
    [
      'spec',
      { ...shared, protocol: 'UDP', affinity: { query: 'id' } },
      `spec.affinity: affinity must be set only when ${http}`,
    ],
    [
      'spec',
      {
        ...shared,
        protocol: 'TCP',
        loadBalancing: { policy: 'ConsistentHash', consistentHash: { cookie: 'a' } },
      },
      'spec.loadBalancing: loadBalancing.consistentHash must be sourceIP when protocol is TCP, TLS or UDP',
    ],
    [
      'spec',
      { ...shared, protocol: 'UDP', probe: { protocol: 'HTTP' } },
      'spec.probe: probe.protocol must not be HTTP when protocol is UDP',
    ],
    [
      'spec.targets.0',
      { fqdn: 'a', ip: '1.2.3.4', port: 80 },
      'spec.targets[0]: exactly one of fqdn, ip and serviceRef must be set',
    ],
    [
      'spec.targets.0',
      { fqdn: 'a' },
      'spec.targets[0].port: found nothing: port must be set with fqdn and ip',
    ],
    [
      'spec.targets.0',
      { serviceRef: { name: 'a', port: 1 }, port: 1 },
      'spec.targets[0].port: found 1: port must not be set with serviceRef, which has its own',
    ],
    [
      'spec.targets.0',
      { fqdn: '10.0.0.1', port: 1 },
      'spec.targets[0].fqdn: found "10.0.0.1": must be a DNS name; an address belongs into ip',
    ],
    [
      'spec.targets.0',
      { ip: '10.0.0.256', port: 1 },
      'spec.targets[0].ip: found "10.0.0.256": must be an IPv4 or IPv6 address',
    ],
    [
      'spec.hostHeader',
      { from: 'Override' },
      'spec.hostHeader.value: found nothing: value must be set when from is Override, and only then',
    ],
    [
      'spec.hostHeader',
      { value: 'a' },
      'spec.hostHeader.value: found "a": value must be set when from is Override, and only then',
    ],
    [
      'spec',
      { ...shared, protocol: 'HTTPS', tls: { ca: 'WellKnown', caCertificateRefs: [{ name: 'a' }] } },
      'spec.tls.caCertificateRefs: ca and caCertificateRefs must not both be set',
    ],
    [
      'spec.probe',
      { protocol: 'TCP', path: '/' },
      'spec.probe.protocol: found "TCP": path, method, host, headers and match must not be set when protocol is TCP',
    ],
    [
      'spec.probe',
      { method: 'HEAD', match: { body: 'ok' } },
      'spec.probe.match: match.body must not be set when method is HEAD',
    ],
    [
      'spec.ejection',
      { maxSeconds: 10 },
      'spec.ejection.maxSeconds: found 10: maxSeconds must be at least baseSeconds',
    ],
    [
      'spec.loadBalancing',
      { policy: 'ConsistentHash' },
      'spec.loadBalancing.consistentHash: found nothing: consistentHash must be set when policy is ConsistentHash, and only then',
    ],
    [
      'spec.loadBalancing',
      { consistentHash: { cookie: 'a' } },
      'spec.loadBalancing.consistentHash: consistentHash must be set when policy is ConsistentHash, and only then',
    ],
    [
      'spec.loadBalancing',
      { policy: 'ConsistentHash', consistentHash: {} },
      'spec.loadBalancing.consistentHash: exactly one of header, cookie, query and sourceIP must be set',
    ],
    [
      'spec.loadBalancing',
      { policy: 'ConsistentHash', consistentHash: { sourceIP: false } },
      'spec.loadBalancing.consistentHash.sourceIP: found false: must be true when set',
    ],
    ['spec.affinity', {}, 'spec.affinity: exactly one of cookie and query must be set'],
    [
      'spec.affinity',
      { cookie: { sameSite: 'None', secure: false } },
      'spec.affinity.cookie.secure: found false: secure must not be false when sameSite is None: browsers would refuse the cookie',
    ],
    [
      'spec.dns',
      { minRefreshSeconds: 301 },
      'spec.dns.maxRefreshSeconds: found nothing: maxRefreshSeconds must be at least minRefreshSeconds',
    ],
  ],
  FirewallRuleList: [
    [
      'spec.targetRefs.0.kind',
      'Gateway',
      'spec.targetRefs[0].kind: found "Gateway": kind must be EdgeGateway when group is sluice.dev, Ingress when it is networking.k8s.io, and one of the others when it is gateway.networking.k8s.io',
    ],
    [
      'spec.targetRefs.0',
      { group: 'networking.k8s.io', kind: 'Ingress', name: 'a', sectionName: 'b' },
      'spec.targetRefs[0].sectionName: found "b": sectionName must not be set when kind is Ingress',
    ],
    [
      'spec.clientConnectionCountRules',
      [{ type: 'ThrottleByJwtCustomClaimRule' }],
      'spec.clientConnectionCountRules[0].claimName: found nothing: claimName must be set when type is ThrottleByJwtCustomClaimRule',
    ],
    [
      'spec.clientConnectionCountRules',
      [{ type: 'ThrottleByUserIdRule', claimName: 'a' }],
      'spec.clientConnectionCountRules[0].claimName: found "a": claimName must be set only when type is ThrottleByJwtCustomClaimRule',
    ],
    [
      'spec.clientTrafficControlRules',
      [{ type: 'TrafficThrottleByJwtCustomClaimRule' }],
      'spec.clientTrafficControlRules[0].claimName: found nothing: claimName must be set when type is TrafficThrottleByJwtCustomClaimRule',
    ],
    [
      'spec.clientTrafficControlRules',
      [{ type: 'TrafficThrottleByUserIdRule', claimName: 'a' }],
      'spec.clientTrafficControlRules[0].claimName: found "a": claimName must be set only when type is TrafficThrottleByJwtCustomClaimRule',
    ],
  ],
};
