// Generated from crds/sluice.dev_backendpools.yaml by scripts/generate-types.ts. Do not edit.

/**
 * The parts of a BackendPool besides its metadata.
 */
export interface BackendPoolSections {
  spec: BackendPoolSpec;
  status?: BackendPoolStatus;
}
/**
 * Where the backends are and how to speak with them.
 */
export interface BackendPoolSpec {
  /**
   * What is spoken with the targets: HTTP (HTTP/1.1), HTTPS, H2C (HTTP/2 without TLS), TCP, TLS (a byte stream within TLS), UDP. One of HTTP, HTTPS, H2C, TCP, TLS, UDP. Default: HTTP.
   */
  protocol?: 'HTTP' | 'HTTPS' | 'H2C' | 'TCP' | 'TLS' | 'UDP';
  /**
   * The backends. From 1 to 256 entries.
   *
   * @minItems 1
   * @maxItems 256
   */
  targets: Target[];
  hostHeader?: HostHeader;
  tls?: BackendTls;
  probe?: Probe;
  ejection?: Ejection;
  loadBalancing?: LoadBalancing;
  affinity?: Affinity;
  connections?: Connections;
  dns?: Dns;
  drain?: Drain;
}
/**
 * One backend: a DNS name, an address or a Kubernetes Service.
 */
export interface Target {
  /**
   * A DNS name. It is resolved again when its record expires, and all its addresses are used. A DNS name of 1 to 253 characters.
   */
  fqdn?: string;
  /**
   * An IPv4 or IPv6 address. A string of 1 to 45 characters.
   */
  ip?: string;
  serviceRef?: ServiceRef;
  /**
   * The port of the target; for fqdn and ip only. An integer from 1 to 65535.
   */
  port?: number;
  /**
   * The share of the target, relative to the sum of all weights; all addresses of a name together. 0 sends nothing. An integer from 0 to 1000000. Default: 1.
   */
  weight?: number;
}
/**
 * A Kubernetes Service; its ready endpoints are used directly. Outside a cluster `sluice run --service` says where it is.
 */
export interface ServiceRef {
  /**
   * The name of the Service. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  name: string;
  /**
   * The namespace of the Service. Another namespace than the pool's needs a ReferenceGrant there. When unset, the namespace of the pool. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.
   */
  namespace?: string;
  /**
   * The port of the Service. An integer from 1 to 65535.
   */
  port: number;
}
/**
 * Which host a backend sees in a request.
 */
export interface HostHeader {
  /**
   * Client passes on what the client sent, Target takes the name (or address) of the target, Override takes value. One of Client, Target, Override. Default: Client.
   */
  from?: 'Client' | 'Target' | 'Override';
  /**
   * The host, with a port if one is needed. A DNS name or an address, with or without a port, of 1 to 261 characters.
   */
  value?: string;
}
/**
 * How TLS to the targets is checked. With protocol HTTPS or TLS and without this, the well-known authorities and the host name of the target hold.
 */
export interface BackendTls {
  /**
   * Which certificate authorities are trusted: those that come with the system. When unset, WellKnown unless caCertificateRefs is set. One of WellKnown.
   */
  ca?: 'WellKnown';
  /**
   * The certificate authorities that are trusted, as PEM, instead of the well-known ones. At most 16 entries.
   *
   * @maxItems 16
   */
  caCertificateRefs?: CaCertificateRef[];
  /**
   * The server name that is asked for (SNI), and that the certificate is checked against when subjectAltNames is not set. When unset, the name of the target. A DNS name of 1 to 253 characters.
   */
  sni?: string;
  /**
   * The names of which the certificate must bear one: DNS names, or URIs such as spiffe://cluster.local/ns/chat. When unset or empty, the server name that is asked for. At most 16 entries.
   *
   * @maxItems 16
   *
   * Items: A DNS name, exact or with *. as the first label, or a URI. A DNS name or a URI of 1 to 253 characters.
   */
  subjectAltNames?: string[];
  clientCertificateRef?: ClientCertificateRef;
  /**
   * The oldest TLS version that is accepted. One of 1.2, 1.3. Default: "1.2".
   */
  minVersion?: '1.2' | '1.3';
}
/**
 * A reference to certificates of certificate authorities.
 */
export interface CaCertificateRef {
  /**
   * The kind of the object. One of Secret, ConfigMap. Default: Secret.
   */
  kind?: 'Secret' | 'ConfigMap';
  /**
   * The name of the object, in the same namespace. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  name: string;
  /**
   * The key in its data that holds the certificates as PEM. A data key (letters, digits, -, _ and .) of 1 to 253 characters. Default: ca.crt.
   */
  key?: string;
}
/**
 * The certificate that the gateway shows: a Secret of type kubernetes.io/tls in the namespace of the pool.
 */
export interface ClientCertificateRef {
  /**
   * The name of the Secret. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  name: string;
}
/**
 * An active check of each target. When unset, none is made, and a target counts as healthy until it is ejected.
 */
export interface Probe {
  /**
   * What is asked: an HTTP request (over TLS and in the HTTP version of the pool's protocol), or a TCP connection (with a TLS handshake when the protocol is TLS). When unset, HTTP for the pool protocols HTTP, HTTPS and H2C, and TCP for the others. One of HTTP, TCP.
   */
  protocol?: 'HTTP' | 'TCP';
  /**
   * The path of the request, with a query if one is needed. A path that begins with /, without fragment and spaces, of 1 to 1024 characters. Default: "/".
   */
  path?: string;
  /**
   * The method of the request. One of GET, HEAD. Default: GET.
   */
  method?: 'GET' | 'HEAD';
  /**
   * The Host header field of the request. When unset, as hostHeader says, with the target's name for Client. A DNS name or an address, with or without a port, of 1 to 261 characters.
   */
  host?: string;
  /**
   * The port to probe. When unset, the port of the target. An integer from 1 to 65535.
   */
  port?: number;
  /**
   * More header fields of the request. At most 16 entries.
   *
   * @maxItems 16
   */
  headers?: Header[];
  /**
   * The time between two probes of a target, in seconds. An integer from 1 to 3600. Default: 5.
   */
  intervalSeconds?: number;
  /**
   * How long an answer may take, in seconds. An integer from 1 to 600. Default: 2.
   */
  timeoutSeconds?: number;
  /**
   * How many successes in a row make a target healthy again. An integer from 1 to 100. Default: 1.
   */
  healthyThreshold?: number;
  /**
   * How many failures in a row make a target unhealthy. An integer from 1 to 100. Default: 3.
   */
  unhealthyThreshold?: number;
  match?: ProbeMatch;
}
/**
 * A header field.
 */
export interface Header {
  /**
   * The name of the header field. A token (RFC 9110, section 5.6.2) of 1 to 256 characters.
   */
  name: string;
  /**
   * The value of the header field. A text of printable ASCII, spaces and tabs of up to 4096 characters.
   */
  value: string;
}
/**
 * Which answers count as a success.
 */
export interface ProbeMatch {
  /**
   * Status codes, or ranges of them. From 1 to 16 entries. Default: ["200-399"].
   *
   * @minItems 1
   * @maxItems 16
   *
   * Items: A status code or a range, such as 200 or 200-399. A status code, or two joined by -, of 1 to 7 characters.
   */
  statuses?: string[];
  /**
   * A text that the first 64 KiB of the body must contain. When unset, the body does not matter. A string of 1 to 1024 characters.
   */
  body?: string;
}
/**
 * A passive check: a target that fails the requests of clients is left alone for a while.
 */
export interface Ejection {
  /**
   * Whether targets are ejected. One of Enabled, Disabled. Default: Enabled.
   */
  mode?: 'Enabled' | 'Disabled';
  /**
   * How many failures in a row eject a target: a connection that could not be made or broke, a timeout, or an answer of 502, 503 or 504. An integer from 1 to 1000. Default: 5.
   */
  consecutiveFailures?: number;
  /**
   * How long the first ejection lasts, in seconds; each further one in a row lasts that much longer. An integer from 1 to 3600. Default: 30.
   */
  baseSeconds?: number;
  /**
   * How long an ejection lasts at most, in seconds. An integer from 1 to 86400. Default: 300.
   */
  maxSeconds?: number;
  /**
   * The share of the targets that may be ejected at the same time, in percent; one target may always be, unless it is the only one or this is 0. An integer from 0 to 100. Default: 50.
   */
  maxEjectedPercent?: number;
}
/**
 * How a target is picked for a request or connection.
 */
export interface LoadBalancing {
  /**
   * RoundRobin takes turns; LeastConnections takes the target with the fewest open connections and requests; Random2 takes the better of two picked at random; ConsistentHash takes the same target for the same key. One of RoundRobin, LeastConnections, Random2, ConsistentHash. Default: RoundRobin.
   */
  policy?: 'RoundRobin' | 'LeastConnections' | 'Random2' | 'ConsistentHash';
  consistentHash?: ConsistentHash;
}
/**
 * The key of the policy ConsistentHash. A request without one gets a random target.
 */
export interface ConsistentHash {
  /**
   * The name of a header field whose value is the key. A token (RFC 9110, section 5.6.2) of 1 to 256 characters.
   */
  header?: string;
  /**
   * The name of a cookie whose value is the key. A token (RFC 9110, section 5.6.2) of 1 to 256 characters.
   */
  cookie?: string;
  /**
   * The name of a query parameter whose value is the key. A string of 1 to 256 characters.
   */
  query?: string;
  /**
   * Whether the address of the client is the key; only true makes sense. A boolean.
   */
  sourceIP?: boolean;
}
/**
 * Keeps a client at the target that served it first, for as long as that is healthy.
 */
export interface Affinity {
  cookie?: AffinityCookie;
  /**
   * By the value of the query parameter of this name, such as id for SignalR, for clients without cookies. A string of 1 to 256 characters.
   */
  query?: string;
}
/**
 * By a cookie that the gateway sets.
 */
export interface AffinityCookie {
  /**
   * The name of the cookie. A token (RFC 9110, section 5.6.2) of 1 to 256 characters. Default: SLUICE.
   */
  name?: string;
  /**
   * The Path attribute of the cookie. A path that begins with /, of visible ASCII characters without ;, of 1 to 1024 characters. Default: "/".
   */
  path?: string;
  /**
   * How long browsers keep the cookie, in seconds; 0 means until the end of the browser session. An integer from 0 to 31536000. Default: 0.
   */
  ttlSeconds?: number;
  /**
   * The SameSite attribute of the cookie. One of Strict, Lax, None. Default: Lax.
   */
  sameSite?: 'Strict' | 'Lax' | 'None';
  /**
   * Whether the cookie has the Secure attribute. When unset, it has on requests that came over TLS. A boolean.
   */
  secure?: boolean;
}
/**
 * How connections to the targets are made and kept.
 */
export interface Connections {
  /**
   * How long a connection may take to be made, TLS included, in seconds. An integer from 1 to 300. Default: 5.
   */
  connectTimeoutSeconds?: number;
  /**
   * How long an unused connection is kept for the next request, in seconds. An integer from 1 to 3600. Default: 60.
   */
  idleTimeoutSeconds?: number;
  /**
   * How long a target may take to begin its response once it has the request, in seconds; then the client gets 504. 0 switches it off. An integer from 0 to 86400. Default: 60.
   */
  responseHeaderTimeoutSeconds?: number;
  /**
   * How long a response body, or a byte stream of TCP or TLS, may be silent before it is cut, in seconds. Upgraded connections are not bound by it. 0 switches it off. An integer from 0 to 604800. Default: 300.
   */
  streamIdleTimeoutSeconds?: number;
  /**
   * The number of open connections from one pod to one target; a request beyond it goes elsewhere, or gets 503. 0 means no limit. An integer from 0 to 1000000. Default: 0.
   */
  maxPerTarget?: number;
  /**
   * The number of unused connections from one worker to one target that are kept. An integer from 0 to 100000. Default: 256.
   */
  maxIdlePerTarget?: number;
  /**
   * How many requests one connection carries before it is closed; 0 means no limit. An integer from 0 to 1000000000. Default: 0.
   */
  maxRequestsPerConnection?: number;
}
/**
 * How the names of targets are resolved.
 */
export interface Dns {
  /**
   * The shortest time between two look-ups of a name, in seconds, however short the life of its record. An integer from 1 to 3600. Default: 1.
   */
  minRefreshSeconds?: number;
  /**
   * The longest time between two look-ups of a name, in seconds, however long the life of its record. An integer from 1 to 86400. Default: 300.
   */
  maxRefreshSeconds?: number;
  /**
   * Which addresses are used. One of IPv4, IPv6, Any. Default: Any.
   */
  family?: 'IPv4' | 'IPv6' | 'Any';
}
/**
 * How connections to a target that was taken out end.
 */
export interface Drain {
  /**
   * How long they may go on, in seconds, before the rest is closed. An integer from 0 to 86400. Default: 300.
   */
  timeoutSeconds?: number;
  /**
   * Over how many seconds the rest is closed, spread evenly, so that not all clients reconnect at once. An integer from 0 to 3600. Default: 30.
   */
  jitterSeconds?: number;
}
/**
 * What the operator and the pods found.
 */
export interface BackendPoolStatus {
  /**
   * The state of the pool: Accepted, ResolvedRefs, Healthy (whether every pod finds at least one target healthy), and PartiallyInvalid while a part of it is left out. At most 16 entries.
   *
   * @maxItems 16
   */
  conditions?: Condition[];
  /**
   * The metadata.generation that this status was written for. An integer from 0.
   */
  observedGeneration?: number;
  targets?: TargetCounts;
}
/**
 * One aspect of the state of the object, in the form of a Kubernetes condition.
 */
export interface Condition {
  /**
   * The aspect, such as Accepted or Programmed. A CamelCase word, with or without a domain and / before it, of 1 to 316 characters.
   */
  type: string;
  /**
   * Whether the aspect holds. One of True, False, Unknown.
   */
  status: 'True' | 'False' | 'Unknown';
  /**
   * The metadata.generation that this condition was found for. An integer from 0.
   */
  observedGeneration?: number;
  /**
   * When status last changed. A date and time (RFC 3339).
   */
  lastTransitionTime: string;
  /**
   * Why, for programs. A CamelCase word of 1 to 1024 characters.
   */
  reason: string;
  /**
   * Why, in a sentence for people. A string of up to 32768 characters.
   */
  message: string;
}
/**
 * The targets, each address counted once, as the pods see them that serve the pool; absent while none has said anything.
 */
export interface TargetCounts {
  /**
   * The number of targets, as the pod says that knows the most. An integer from 0 to 2147483647.
   */
  total?: number;
  /**
   * The number of targets that are healthy, as the pod says that finds the fewest: so many can be relied on from everywhere. An integer from 0 to 2147483647.
   */
  healthy?: number;
}
