/**
 * The snapshot: everything a proxy needs to serve one gateway, as a table to execute.
 *
 * The proxy owns this definition and the compiler produces it. Every default is already resolved, every
 * reference is an id that is present (or an explicit `null` where the user's reference dangles), every list
 * is in the order in which it is to be evaluated, durations are milliseconds, sizes are bytes.
 * Plain data only, but for {@link Private}: see `encodeSnapshot` for how it is stored and sent.
 */
import type { Private } from './private.ts';

/** Raised when an older proxy could misread a newer snapshot. */
export const SNAPSHOT_FORMAT = 1;

export interface Snapshot {
  readonly format: typeof SNAPSHOT_FORMAT;
  readonly gateway: { readonly namespace: string; readonly name: string };
  /** SHA-256 (hex) over the canonical encoding of everything else: equal hash, equal behaviour. */
  readonly hash: string;
  readonly settings: Settings;
  /** Sorted by port, then transport. */
  readonly ports: readonly Port[];
  /** Indexed by {@link RouteEntry.rule}. */
  readonly rules: readonly Rule[];
  /** Sorted by id, as are the lists below. */
  readonly pools: readonly Pool[];
  readonly certificates: readonly Certificate[];
  readonly authentications: readonly Authentication[];
  readonly ruleLists: readonly RuleList[];
}

export interface Settings {
  /** Data-path worker threads; `null` is one per available core. */
  readonly workers: number | null;
  /** How request paths are made unambiguous before they are matched and forwarded. */
  readonly paths: {
    readonly encodedSeparators: 'Reject' | 'Keep';
    readonly emptySegments: 'Merge' | 'Keep';
  };
  readonly forwardedHeaders: {
    /** Proxies in front of the gateway whose `X-Forwarded-For` / `Forwarded` entries are believed. */
    readonly trustedHops: number;
    readonly emit: 'XForwarded' | 'Forwarded' | 'Both';
  };
  readonly limits: {
    readonly maxRequestHeaderBytes: number;
    readonly maxRequestHeaders: number;
    readonly requestHeaderTimeoutMs: number;
    /** 0 is unlimited. */
    readonly maxRequestBodyBytes: number;
    readonly requestBodyIdleTimeoutMs: number;
    readonly keepAliveTimeoutMs: number;
    /** Client connections per pod; 0 is unlimited. */
    readonly maxConnections: number;
    readonly maxPipelinedRequests: number;
  };
  readonly webSocket: {
    /** An idle connection gets a ping after this long; 0 is never. */
    readonly pingIntervalMs: number;
    readonly pongTimeoutMs: number;
    /** 0 is off. */
    readonly idleTimeoutMs: number;
    readonly halfCloseTimeoutMs: number;
  };
  readonly tcpKeepAliveMs: number;
  /** How the whole pod stops. */
  readonly drain: Drain;
  readonly accessLog: { readonly mode: 'Off' | 'All' | 'Sampled'; readonly sampleRatio: number };
}

export interface Drain {
  readonly timeoutMs: number;
  readonly jitterMs: number;
}

export interface Port {
  readonly port: number;
  /** What the first bytes of a connection are: decides which server listens. */
  readonly transport: 'Cleartext' | 'TLS' | 'UDP';
  /**
   * The gateway's own, then those that certificates of Ingresses make; each most specific hostname first. A request
   * belongs to exactly one listener (listener isolation). The first serves TLS clients that ask for no host.
   */
  readonly listeners: readonly Listener[];
}

export interface Listener {
  readonly name: string;
  readonly protocol: 'HTTP' | 'HTTPS' | 'TCP' | 'TLS' | 'UDP';
  /** Lower case: exact, `*.suffix` or `?.suffix` (see {@link VirtualHost}); empty is any. */
  readonly hostnames: readonly string[];
  readonly tls: ListenerTls | null;
  /** What applies where no route matches: access control and authentication answer before the 404. */
  readonly accessControl: AccessControl | null;
  readonly authentication: string | null;
  /** Most specific hostname first; `*` is any host. A host's entries are tried, then the next matching host's. */
  readonly hosts: readonly VirtualHost[];
  /** The rule of a TCP, TLS or UDP listener without a virtual host; an index into {@link Snapshot.rules}. */
  readonly streamRule: number | null;
}

export interface ListenerTls {
  readonly mode: 'Terminate' | 'Passthrough';
  /** Ids of {@link Snapshot.certificates}; the first is used for a client without SNI. */
  readonly certificates: readonly string[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly clientValidation: { readonly caPem: string; readonly mode: 'Require' | 'Optional' } | null;
}

export interface VirtualHost {
  /**
   * Lower case: `a.example.com`, `*.example.com` (one label or more in the place of the `*`), `?.example.com`
   * (exactly one, as in an Ingress) or `*`.
   */
  readonly hostname: string;
  /** In order of precedence (Gateway API HTTPRoute rules): the first that matches serves. */
  readonly routes: readonly RouteEntry[];
}

export interface RouteEntry {
  readonly match: RouteMatch;
  /** Index into {@link Snapshot.rules}. */
  readonly rule: number;
}

export interface RouteMatch {
  readonly path: { readonly type: 'Exact' | 'PathPrefix' | 'RegularExpression'; readonly value: string };
  readonly method: string | null;
  /** All must match. Header names are lower case. */
  readonly headers: readonly ValueMatch[];
  readonly queryParams: readonly ValueMatch[];
}

export interface ValueMatch {
  readonly name: string;
  readonly type: 'Exact' | 'RegularExpression';
  readonly value: string;
}

/** What happens to a request once it is matched. */
export interface Rule {
  /** Stable name for logs and metrics, e.g. `EdgeGateway/default/chat/hub`. */
  readonly id: string;
  readonly accessControl: AccessControl | null;
  /** Id of {@link Snapshot.authentications}; `null` is no authentication. */
  readonly authentication: string | null;
  /** Ids of {@link Snapshot.ruleLists} that apply, in order. */
  readonly ruleLists: readonly string[];
  readonly filters: Filters;
  /** Empty: the answer is `filters.redirect`, or 500 where there is none (as the Gateway API asks). */
  readonly backends: readonly Backend[];
  readonly timeouts: {
    /** Whole exchange, 0 is off. */
    readonly requestMs: number;
    /** One attempt at a backend, 0 is off. */
    readonly backendRequestMs: number;
  };
  readonly retry: {
    readonly attempts: number;
    readonly codes: readonly number[];
    readonly backoffMs: number;
  } | null;
}

export interface AccessControl {
  /** CIDRs; empty is everyone. */
  readonly allow: readonly string[];
  /** CIDRs; wins over `allow`. */
  readonly deny: readonly string[];
}

export interface Filters {
  readonly requestHeaders: HeaderModifier | null;
  readonly responseHeaders: HeaderModifier | null;
  readonly redirect: Redirect | null;
  readonly rewrite: Rewrite | null;
  readonly mirrors: readonly Mirror[];
  readonly cors: Cors | null;
}

export interface HeaderModifier {
  readonly set: readonly Header[];
  readonly add: readonly Header[];
  /** Lower case. */
  readonly remove: readonly string[];
}

export interface Header {
  /** As written by the user: field names are case-insensitive but some old backends disagree. */
  readonly name: string;
  readonly value: string;
}

export interface Redirect {
  readonly scheme: 'http' | 'https' | null;
  readonly hostname: string | null;
  readonly path: PathModifier | null;
  readonly port: number | null;
  readonly statusCode: 301 | 302 | 303 | 307 | 308;
}

export interface Rewrite {
  readonly hostname: string | null;
  readonly path: PathModifier | null;
}

export interface PathModifier {
  readonly type: 'ReplaceFullPath' | 'ReplacePrefixMatch';
  readonly value: string;
}

export interface Mirror {
  readonly pool: string | null;
  /** Share of requests that are mirrored. */
  readonly numerator: number;
  readonly denominator: number;
}

export interface Cors {
  readonly allowOrigins: readonly string[];
  readonly allowCredentials: boolean;
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds: number;
}

export interface Backend {
  /** Id of {@link Snapshot.pools}; `null` is a reference that dangles: its share of requests gets 500. */
  readonly pool: string | null;
  readonly weight: number;
  readonly requestHeaders: HeaderModifier | null;
  readonly responseHeaders: HeaderModifier | null;
  readonly rewrite: Rewrite | null;
}

export interface Pool {
  /** `namespace/name`. */
  readonly id: string;
  readonly protocol: 'HTTP' | 'HTTPS' | 'H2C' | 'TCP' | 'TLS' | 'UDP';
  readonly targets: readonly Target[];
  readonly hostHeader:
    | { readonly from: 'Client' | 'Target' }
    | { readonly from: 'Override'; readonly value: string };
  readonly tls: PoolTls | null;
  readonly probe: Probe | null;
  readonly ejection: Ejection | null;
  readonly loadBalancing:
    | { readonly policy: 'RoundRobin' | 'LeastConnections' | 'Random2' }
    | { readonly policy: 'ConsistentHash'; readonly key: HashKey };
  readonly affinity: Affinity | null;
  readonly connections: {
    readonly connectTimeoutMs: number;
    /** How long an unused connection to a target is kept. */
    readonly idleTimeoutMs: number;
    /** From the end of the request to the response head; 0 is off. */
    readonly responseHeaderTimeoutMs: number;
    /** Silence in the middle of a response body; 0 is off. */
    readonly streamIdleTimeoutMs: number;
    /** Per pod; 0 is unlimited. */
    readonly maxPerTarget: number;
    readonly maxIdlePerTarget: number;
    /** 0 is unlimited. */
    readonly maxRequestsPerConnection: number;
  };
  readonly dns: {
    readonly minRefreshMs: number;
    readonly maxRefreshMs: number;
    readonly family: 'IPv4' | 'IPv6' | 'Any';
  };
  readonly drain: Drain;
}

export type Target =
  | { readonly kind: 'fqdn'; readonly name: string; readonly port: number; readonly weight: number }
  | { readonly kind: 'ip'; readonly address: string; readonly port: number; readonly weight: number }
  | {
      readonly kind: 'service';
      readonly namespace: string;
      readonly name: string;
      /** Of the Service, for people. */
      readonly port: number;
      /** The name of that port, by which EndpointSlices list the pods' own ports; empty for one without a name. */
      readonly portName: string;
      readonly weight: number;
    };

export interface PoolTls {
  /** `WellKnown` is the set of CAs that Node ships; otherwise PEM certificates. */
  readonly ca: 'WellKnown' | { readonly pem: string };
  /** `null`: the target's host name (no SNI for an IP address). */
  readonly sni: string | null;
  /** Names one of which the certificate must carry; empty: the SNI, or the target's name or address. */
  readonly subjectAltNames: readonly string[];
  readonly clientCertificate: { readonly certificatePem: string; readonly key: Private } | null;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

export interface Probe {
  readonly protocol: 'HTTP' | 'TCP';
  readonly path: string;
  readonly method: 'GET' | 'HEAD';
  /** `null`: the same Host as requests get (the target's where that is the client's). */
  readonly host: string | null;
  /** `null`: the target's own port. */
  readonly port: number | null;
  readonly headers: readonly Header[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
  readonly statuses: readonly { readonly from: number; readonly to: number }[];
  /** Text that the body must contain; `null` is any body. */
  readonly body: string | null;
}

export interface Ejection {
  readonly consecutiveFailures: number;
  readonly baseMs: number;
  readonly maxMs: number;
  readonly maxEjectedPercent: number;
}

export type HashKey =
  | { readonly from: 'header' | 'cookie' | 'query'; readonly name: string }
  | { readonly from: 'sourceIP' };

export type Affinity =
  | {
      readonly by: 'cookie';
      readonly name: string;
      readonly path: string;
      /** 0 is a session cookie. */
      readonly ttlSeconds: number;
      readonly sameSite: 'Strict' | 'Lax' | 'None';
      /** `null`: on requests that came over TLS. */
      readonly secure: boolean | null;
    }
  | { readonly by: 'query'; readonly name: string };

export interface Certificate {
  /** `namespace/name` of its Secret. */
  readonly id: string;
  /** Leaf first, then intermediates. */
  readonly chainPem: string;
  readonly key: Private;
  /** DNS names of the leaf, lower case; wildcards as `*.suffix`. */
  readonly dnsNames: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notAfterMs: number;
}

export interface Authentication {
  readonly id: string;
  readonly providers: readonly JwtProvider[];
  /** Where a token may be, in order: the first place that has one decides. */
  readonly from: readonly TokenSource[];
  readonly userIdClaim: string;
}

export interface JwtProvider {
  readonly name: string;
  readonly issuer: string | null;
  /** Empty is any audience. */
  readonly audiences: readonly string[];
  /** JWA names that are accepted; never `none`, never a mix of symmetric and asymmetric for one key. */
  readonly algorithms: readonly string[];
  readonly keys:
    | { readonly type: 'Secret'; readonly secretBase64: Private }
    | { readonly type: 'Jwks'; readonly json: Private }
    | { readonly type: 'JwksUri'; readonly uri: string };
  readonly clockToleranceSeconds: number;
}

export type TokenSource =
  | { readonly in: 'header'; readonly name: string; readonly prefix: string }
  | { readonly in: 'query' | 'cookie'; readonly name: string };

export interface RuleList {
  /** `namespace/name`. */
  readonly id: string;
  readonly mode: 'Enforce' | 'DryRun';
  readonly failurePolicy: 'Closed' | 'Local' | 'Open';
  /** Also count plain requests in flight, not only long-lived connections. */
  readonly countRequests: boolean;
  readonly retryAfterSeconds: number;
  readonly countRules: readonly CountRule[];
  readonly trafficRules: readonly TrafficRule[];
  /** 0 is off. */
  readonly maxLifetimeMs: number;
}

export interface CountRule {
  readonly type:
    | 'ThrottleByUserIdRule'
    | 'ThrottleByJwtSignatureRule'
    | 'ThrottleByJwtCustomClaimRule'
    | 'ThrottleByClientIpRule';
  /** For metrics and messages; unique within its list. */
  readonly name: string;
  /** The claim that is counted; `null` for the signature and client-address rules. */
  readonly claimName: string | null;
  readonly maxCount: number;
}

export interface TrafficRule {
  readonly type:
    | 'TrafficThrottleByUserIdRule'
    | 'TrafficThrottleByJwtSignatureRule'
    | 'TrafficThrottleByJwtCustomClaimRule';
  readonly name: string;
  readonly claimName: string | null;
  readonly maxInboundMessageBytes: number;
  readonly windowMs: number;
}
