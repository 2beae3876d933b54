// Generated from crds/sluice.dev_edgegateways.yaml by scripts/generate-types.ts. Do not edit.

/**
 * The parts of an EdgeGateway besides its metadata.
 */
export interface EdgeGatewaySections {
  spec: EdgeGatewaySpec;
  status?: EdgeGatewayStatus;
}
/**
 * What the gateway does.
 */
export interface EdgeGatewaySpec {
  /**
   * The number of proxy pods. Outside a cluster it has no effect. An integer from 0 to 1000. Default: 2.
   */
  replicas?: number;
  /**
   * The number of data-path worker threads in each pod. When unset, one per processor core that the pod may use. More than before start at once; fewer take effect when the pod starts anew. An integer from 1 to 64.
   */
  workers?: number;
  /**
   * The ports on which the gateway accepts connections. From 1 to 64 entries.
   *
   * @minItems 1
   * @maxItems 64
   */
  listeners: Listener[];
  authentication?: Authentication;
  accessControl?: AccessControl;
  /**
   * Which requests or connections go where. Of the routes that match, the most specific wins, as in the Gateway API: exact path, longest prefix, method, number of headers, number of query parameters, then the first in this list. At most 256 entries.
   *
   * @maxItems 256
   */
  routes?: Route[];
  paths?: Paths;
  forwardedHeaders?: ForwardedHeaders;
  limits?: Limits;
  webSocket?: WebSocketSettings;
  /**
   * How long a client connection may be silent before TCP keep-alive probes are sent, in seconds; 0 switches them off. An integer from 0 to 7200. Default: 60.
   */
  tcpKeepAliveSeconds?: number;
  drain?: Drain;
  accessLog?: AccessLog;
  infrastructure?: Infrastructure;
}
/**
 * One port on which the gateway accepts connections.
 */
export interface Listener {
  /**
   * The name of the listener, unique within the gateway; routes, rule lists and metrics refer to it. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.
   */
  name: string;
  /**
   * What is spoken on the port: HTTP and HTTPS also carry WebSocket; TLS and TCP are byte streams; UDP is datagrams. One of HTTP, HTTPS, TCP, TLS, UDP.
   */
  protocol: 'HTTP' | 'HTTPS' | 'TCP' | 'TLS' | 'UDP';
  /**
   * The port number. Several HTTP, or several HTTPS and TLS, listeners may share a port when their hostnames differ. An integer from 1 to 65535.
   */
  port: number;
  /**
   * The names that the listener answers to, exact or with *. as the first label for every name below it. When unset, every name. At most 64 entries.
   *
   * @maxItems 64
   *
   * Items: A name that the listener answers to. A DNS name, or *. and a DNS name, of 1 to 253 characters.
   */
  hostnames?: string[];
  tls?: ListenerTls;
}
/**
 * How TLS is spoken on the listener.
 */
export interface ListenerTls {
  /**
   * Who ends TLS: Terminate decrypts here with a certificate of certificateRefs; Passthrough forwards the encrypted stream by its server name (SNI), without looking inside. One of Terminate, Passthrough. Default: Terminate.
   */
  mode?: 'Terminate' | 'Passthrough';
  /**
   * The certificates to serve, each in a Secret of type kubernetes.io/tls with the keys tls.crt and tls.key. The client's server name picks among them; the first serves clients without one. At most 64 entries.
   *
   * @maxItems 64
   */
  certificateRefs?: CertificateRef[];
  /**
   * The oldest TLS version that is accepted. One of 1.2, 1.3. Default: "1.2".
   */
  minVersion?: '1.2' | '1.3';
  clientValidation?: ClientValidation;
}
/**
 * A reference to a certificate.
 */
export interface CertificateRef {
  /**
   * The kind of the object. One of Secret. Default: Secret.
   */
  kind?: 'Secret';
  /**
   * The name of the Secret. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  name: string;
  /**
   * The namespace of the Secret. Another namespace than the gateway's needs a ReferenceGrant there. When unset, the namespace of the gateway. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.
   */
  namespace?: string;
}
/**
 * Asks clients for a certificate and checks it.
 */
export interface ClientValidation {
  /**
   * The certificate authorities that may have signed a client's certificate, as PEM. From 1 to 16 entries.
   *
   * @minItems 1
   * @maxItems 16
   */
  caCertificateRefs: CaCertificateRef[];
  /**
   * What a client without a certificate gets: Require refuses the handshake, Optional lets it in. A certificate that does not verify is refused in both. One of Require, Optional. Default: Require.
   */
  mode?: 'Require' | 'Optional';
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
 * Who may use the routes of the gateway; a route may replace it. When unset, nobody is asked who they are.
 */
export interface Authentication {
  /**
   * What is asked of clients: JWT asks for a valid token and answers 401 without one, None asks for nothing. One of JWT, None. Default: JWT.
   */
  mode?: 'JWT' | 'None';
  jwt?: Jwt;
}
/**
 * How tokens (JSON Web Tokens, RFC 7519) are found and verified.
 */
export interface Jwt {
  /**
   * Who issues tokens; one that accepts the token is enough. From 1 to 16 entries.
   *
   * @minItems 1
   * @maxItems 16
   */
  providers: JwtProvider[];
  /**
   * Where a request may carry its token; the first place that has one counts. At most 8 entries. Default: [{"header":"Authorization"}].
   *
   * @maxItems 8
   */
  from?: TokenSource[];
  /**
   * The claim that says who the user is, for rules by user id. A string of 1 to 256 characters. Default: sub.
   */
  userIdClaim?: string;
}
/**
 * One issuer of tokens.
 */
export interface JwtProvider {
  /**
   * The name of the provider, for logs and metrics; unique within the list. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.
   */
  name: string;
  /**
   * What the claim iss must be. When unset, it is not checked. A string of 1 to 2048 characters.
   */
  issuer?: string;
  /**
   * What the claim aud must contain one of. When unset or empty, it is not checked. At most 16 entries.
   *
   * @maxItems 16
   *
   * Items: An audience. A string of 1 to 2048 characters.
   */
  audiences?: string[];
  /**
   * The signature algorithms that are accepted. When unset or empty: those that fit the kind of the keys, HS for a shared secret and RS, PS, ES and EdDSA for public keys. At most 13 entries.
   *
   * @maxItems 13
   *
   * Items: A signature algorithm (RFC 7518, RFC 8037). One of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA.
   */
  algorithms?: (
    | 'HS256'
    | 'HS384'
    | 'HS512'
    | 'RS256'
    | 'RS384'
    | 'RS512'
    | 'PS256'
    | 'PS384'
    | 'PS512'
    | 'ES256'
    | 'ES384'
    | 'ES512'
    | 'EdDSA'
  )[];
  keys: JwtKeys;
  /**
   * By how many seconds the clocks of issuer and gateway may differ when exp and nbf are checked. An integer from 0 to 600. Default: 5.
   */
  clockToleranceSeconds?: number;
}
/**
 * The keys that verify the signature.
 */
export interface JwtKeys {
  secretRef?: JwtSecretRef;
  jwks?: Jwks;
}
/**
 * A shared secret, for the HS algorithms, or a public key or certificate as PEM.
 */
export interface JwtSecretRef {
  /**
   * The name of the Secret, in the namespace of the gateway. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  name: string;
  /**
   * The key in its data. A data key (letters, digits, -, _ and .) of 1 to 253 characters.
   */
  key: string;
  /**
   * How the secret is written in the Secret: its bytes as they are (UTF8), or as Base64 or Base64url text of them. One of UTF8, Base64. Default: UTF8.
   */
  encoding?: 'UTF8' | 'Base64';
}
/**
 * A JSON Web Key Set (RFC 7517).
 */
export interface Jwks {
  /**
   * Where the key set is fetched from. It is kept, and fetched again when it is old or lacks a key. An http or https URI of 1 to 2048 characters.
   */
  uri?: string;
  /**
   * The key set itself, as JSON. A string of 1 to 65536 characters.
   */
  inline?: string;
  secretRef?: JwksSecretRef;
}
/**
 * A Secret that holds the key set as JSON.
 */
export interface JwksSecretRef {
  /**
   * The name of the Secret, in the namespace of the gateway. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  name: string;
  /**
   * The key in its data. A data key (letters, digits, -, _ and .) of 1 to 253 characters.
   */
  key: string;
}
/**
 * One place.
 */
export interface TokenSource {
  /**
   * The name of a header field. A token (RFC 9110, section 5.6.2) of 1 to 256 characters.
   */
  header?: string;
  /**
   * What stands before the token in the header field, compared without regard to case. A string of up to 64 characters. Default: "Bearer ".
   */
  prefix?: string;
  /**
   * The name of a query parameter. Browsers cannot set header fields on WebSockets, so their clients send access_token. A string of 1 to 256 characters.
   */
  query?: string;
  /**
   * The name of a cookie. A token (RFC 9110, section 5.6.2) of 1 to 256 characters.
   */
  cookie?: string;
}
/**
 * Which client addresses may use the gateway. It is checked before everything else. Others are answered with 403, or their connection is closed.
 */
export interface AccessControl {
  /**
   * The addresses that are let in. When unset or empty, every address that deny does not name. At most 256 entries.
   *
   * @maxItems 256
   *
   * Items: A block of addresses, such as 10.0.0.0/8 or 2001:db8::/32. A string of 1 to 64 characters.
   */
  allow?: string[];
  /**
   * The addresses that are kept out, even where allow names them. At most 256 entries.
   *
   * @maxItems 256
   *
   * Items: A block of addresses, such as 10.0.0.0/8 or 2001:db8::/32. A string of 1 to 64 characters.
   */
  deny?: string[];
}
/**
 * Which requests or connections go where.
 */
export interface Route {
  /**
   * The name of the route, unique within the gateway; rule lists, logs and metrics refer to it. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.
   */
  name: string;
  /**
   * The names of the listeners that the route is for. When unset or empty: every HTTP and HTTPS listener. At most 16 entries.
   *
   * @maxItems 16
   *
   * Items: The name of a listener of this gateway. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.
   */
  listeners?: string[];
  match?: RouteMatch;
  /**
   * What is done to requests and responses, in this order. At most 16 entries.
   *
   * @maxItems 16
   */
  filters?: RouteFilter[];
  backend?: PoolRef;
  /**
   * Several pools that share the route by weight. From 1 to 16 entries.
   *
   * @minItems 1
   * @maxItems 16
   */
  backends?: WeightedBackend[];
  timeouts?: Timeouts;
  retry?: Retry;
  authentication?: Authentication;
  accessControl?: AccessControl;
}
/**
 * Which requests the route is for: hosts, paths and methods each hold when one entry matches; headers and queryParams when all entries match; all that are set must hold. When unset, every request of its listeners. On TLS listeners only hosts applies, to the server name (SNI); on TCP and UDP listeners nothing does.
 */
export interface RouteMatch {
  /**
   * Host names, exact or with *. as the first label. When unset or empty, every host of the listener. At most 16 entries.
   *
   * @maxItems 16
   *
   * Items: A host name to match. A DNS name, or *. and a DNS name, of 1 to 253 characters.
   */
  hosts?: string[];
  /**
   * Paths. When unset or empty, every path. At most 16 entries.
   *
   * @maxItems 16
   */
  paths?: PathMatch[];
  /**
   * Request methods. When unset or empty, every method. At most 9 entries.
   *
   * @maxItems 9
   *
   * Items: A request method. One of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH.
   */
  methods?: ('GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'CONNECT' | 'OPTIONS' | 'TRACE' | 'PATCH')[];
  /**
   * Conditions on header fields; all must hold. At most 16 entries.
   *
   * @maxItems 16
   */
  headers?: HeaderMatch[];
  /**
   * Conditions on query parameters; all must hold. Of a parameter that occurs several times the first counts. At most 16 entries.
   *
   * @maxItems 16
   */
  queryParams?: QueryParamMatch[];
}
/**
 * A condition on the path of the request.
 */
export interface PathMatch {
  /**
   * How value is compared: Exact with the whole path, PathPrefix with whole path elements from the start (/a matches /a and /a/b, not /ab), RegularExpression with the whole path. One of Exact, PathPrefix, RegularExpression. Default: PathPrefix.
   */
  type?: 'Exact' | 'PathPrefix' | 'RegularExpression';
  /**
   * The path, percent-encoded as in a request, without a query; or a regular expression without look-around and back-references. A text of visible ASCII characters of 1 to 1024 characters.
   */
  value: string;
}
/**
 * A condition on a header field.
 */
export interface HeaderMatch {
  /**
   * How value is compared: Exact, character by character, or RegularExpression. One of Exact, RegularExpression. Default: Exact.
   */
  type?: 'Exact' | 'RegularExpression';
  /**
   * The name of the header field, in any case. A token (RFC 9110, section 5.6.2) of 1 to 256 characters.
   */
  name: string;
  /**
   * The value to compare with, or a regular expression without look-around and back-references. A string of up to 4096 characters.
   */
  value: string;
}
/**
 * A condition on a query parameter.
 */
export interface QueryParamMatch {
  /**
   * How value is compared: Exact, character by character, or RegularExpression. One of Exact, RegularExpression. Default: Exact.
   */
  type?: 'Exact' | 'RegularExpression';
  /**
   * The name of the query parameter, decoded; case matters. A string of 1 to 256 characters.
   */
  name: string;
  /**
   * The value, decoded, to compare with, or a regular expression without look-around and back-references. A string of up to 4096 characters.
   */
  value: string;
}
/**
 * One change or side effect on the way through, in the shape of an HTTPRoute filter of the Gateway API.
 */
export interface RouteFilter {
  /**
   * What the filter does; the field of the same name holds its settings. One of RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite, RequestMirror, CORS.
   */
  type:
    | 'RequestHeaderModifier'
    | 'ResponseHeaderModifier'
    | 'RequestRedirect'
    | 'URLRewrite'
    | 'RequestMirror'
    | 'CORS';
  requestHeaderModifier?: HeaderModifier;
  responseHeaderModifier?: HeaderModifier;
  requestRedirect?: RequestRedirect;
  urlRewrite?: UrlRewrite;
  requestMirror?: RequestMirror;
  cors?: Cors;
}
/**
 * Changes the header fields of the request.
 */
export interface HeaderModifier {
  /**
   * Header fields to set; what was there under the name is replaced. At most 16 entries.
   *
   * @maxItems 16
   */
  set?: Header[];
  /**
   * Header fields to add; what was there under the name stays. At most 16 entries.
   *
   * @maxItems 16
   */
  add?: Header[];
  /**
   * The names of header fields to remove. At most 16 entries.
   *
   * @maxItems 16
   *
   * Items: The name of the header field, in any case. A token (RFC 9110, section 5.6.2) of 1 to 256 characters.
   */
  remove?: string[];
}
/**
 * A header field and its value.
 */
export interface Header {
  /**
   * The name of the header field, in any case. A token (RFC 9110, section 5.6.2) of 1 to 256 characters.
   */
  name: string;
  /**
   * The value of the header field. A text of printable ASCII, spaces and tabs of up to 4096 characters.
   */
  value: string;
}
/**
 * Answers the request with a redirection.
 */
export interface RequestRedirect {
  /**
   * The scheme of the new location. When unset, that of the request. One of http, https.
   */
  scheme?: 'http' | 'https';
  /**
   * The host of the new location. When unset, that of the request. A DNS name of 1 to 253 characters.
   */
  hostname?: string;
  path?: PathModifier;
  /**
   * The port of the new location. When unset: the well-known port of scheme if that is set, or else the port of the listener. An integer from 1 to 65535.
   */
  port?: number;
  /**
   * The status code of the answer: 301, 302, 303, 307 or 308. An integer from 301 to 308. Default: 302.
   */
  statusCode?: 301 | 302 | 303 | 307 | 308;
}
/**
 * How the path is changed.
 */
export interface PathModifier {
  /**
   * What is replaced: the whole path, or the part that the path prefix of the route matched. One of ReplaceFullPath, ReplacePrefixMatch.
   */
  type: 'ReplaceFullPath' | 'ReplacePrefixMatch';
  /**
   * The new path. A path that is empty or begins with /, without query, fragment and spaces, of up to 1024 characters.
   */
  replaceFullPath?: string;
  /**
   * What takes the place of the prefix; / at the end does not matter. A path that is empty or begins with /, without query, fragment and spaces, of up to 1024 characters.
   */
  replacePrefixMatch?: string;
}
/**
 * Changes host or path of the request before it goes to the pool.
 */
export interface UrlRewrite {
  /**
   * The host that the backend sees. When unset, as the pool says. A DNS name of 1 to 253 characters.
   */
  hostname?: string;
  path?: PathModifier;
}
/**
 * Sends a copy of the request to another pool and drops what it answers.
 */
export interface RequestMirror {
  backend: PoolRef;
  /**
   * The share of requests that is copied, in percent. When neither percent nor fraction is set, every request is. An integer from 0 to 100.
   */
  percent?: number;
  fraction?: Fraction;
}
/**
 * Where the copy goes.
 */
export interface PoolRef {
  /**
   * The name of a BackendPool in the namespace of the gateway. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  pool: string;
}
/**
 * The share of requests that is copied, as a fraction.
 */
export interface Fraction {
  /**
   * The upper number of the fraction. An integer from 0 to 2147483647.
   */
  numerator: number;
  /**
   * The lower number of the fraction. An integer from 1 to 2147483647. Default: 100.
   */
  denominator?: number;
}
/**
 * Cross-origin resource sharing: answers preflight requests and adds the response header fields (Fetch Standard).
 */
export interface Cors {
  /**
   * The origins that may read responses. An entry "*" alone allows every origin. At most 64 entries.
   *
   * @maxItems 64
   *
   * Items: An origin, such as https://chat.example.com: scheme://host or scheme://host:port, where the host may begin with *. or be *; or * for all. An origin or * of 1 to 253 characters.
   */
  allowOrigins?: string[];
  /**
   * Whether browsers may send cookies and other credentials. A boolean. Default: false.
   */
  allowCredentials?: boolean;
  /**
   * The methods that the browser may use. An entry "*" alone allows every method. At most 9 entries.
   *
   * @maxItems 9
   *
   * Items: A request method, or * for all. One of GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH, *.
   */
  allowMethods?: (
    'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'CONNECT' | 'OPTIONS' | 'TRACE' | 'PATCH' | '*'
  )[];
  /**
   * The request header fields that the browser may send. An entry "*" alone allows every field. At most 64 entries.
   *
   * @maxItems 64
   *
   * Items: The name of a header field, or * for all. A token (RFC 9110, section 5.6.2) of 1 to 256 characters.
   */
  allowHeaders?: string[];
  /**
   * The response header fields that scripts may read. An entry "*" exposes all. At most 64 entries.
   *
   * @maxItems 64
   *
   * Items: The name of a header field, or * for all. A token (RFC 9110, section 5.6.2) of 1 to 256 characters.
   */
  exposeHeaders?: string[];
  /**
   * How many seconds the browser may keep the answer to a preflight request. An integer from 1 to 86400. Default: 5.
   */
  maxAge?: number;
}
/**
 * One pool and its share.
 */
export interface WeightedBackend {
  /**
   * The name of a BackendPool in the namespace of the gateway. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  pool: string;
  /**
   * The share of this pool, relative to the sum of all weights. 0 sends nothing. An integer from 0 to 1000000. Default: 1.
   */
  weight?: number;
  /**
   * What is done to requests that go to this pool, after the filters of the route. At most 8 entries.
   *
   * @maxItems 8
   */
  filters?: BackendFilter[];
}
/**
 * One change to requests for this pool and their responses, in the shape of an HTTPRoute filter of the Gateway API.
 */
export interface BackendFilter {
  /**
   * What the filter does; the field of the same name holds its settings. One of RequestHeaderModifier, ResponseHeaderModifier, URLRewrite.
   */
  type: 'RequestHeaderModifier' | 'ResponseHeaderModifier' | 'URLRewrite';
  requestHeaderModifier?: HeaderModifier;
  responseHeaderModifier?: HeaderModifier;
  urlRewrite?: UrlRewrite;
}
/**
 * How long a request may take. An upgraded connection and an event stream are no longer bound by it once the response has begun.
 */
export interface Timeouts {
  /**
   * From the first byte of the request to the last of the response, in seconds, retries included; 0 switches it off. A number from 0 to 86400. Default: 0.
   */
  requestSeconds?: number;
  /**
   * For one attempt at one target, in seconds; 0 switches it off. A number from 0 to 86400. Default: 0.
   */
  backendRequestSeconds?: number;
}
/**
 * Whether a failed request is tried again on another target. Only requests whose body is not yet used up are; a connection that could not be made is always safe to retry.
 */
export interface Retry {
  /**
   * How often a request is tried again, at most, after the first time; 0 switches it off. An integer from 0 to 10. Default: 1.
   */
  attempts?: number;
  /**
   * The response status codes that count as a failure. When unset or empty, only a failed connection does. At most 32 entries.
   *
   * @maxItems 32
   *
   * Items: A response status code. An integer from 400 to 599.
   */
  codes?: number[];
  /**
   * The wait before the first repetition, in milliseconds; it doubles each time. An integer from 0 to 60000. Default: 25.
   */
  backoffMilliseconds?: number;
}
/**
 * How request paths are made unambiguous before they are matched. Backends get the path that was matched.
 */
export interface Paths {
  /**
   * What becomes of %2F and %5C. Reject answers 400, since many servers decode them to separators and would find another path than the gateway matched. Keep takes them as part of a segment, for backends whose names hold slashes. One of Reject, Keep. Default: Reject.
   */
  encodedSeparators?: 'Reject' | 'Keep';
  /**
   * What becomes of several slashes in a row. Merge makes them one, as most servers do; Keep leaves them. One of Merge, Keep. Default: Merge.
   */
  emptySegments?: 'Merge' | 'Keep';
}
/**
 * What the gateway believes and tells about the path of a request.
 */
export interface ForwardedHeaders {
  /**
   * How many proxies in front of the gateway are trusted: so many entries at the end of X-Forwarded-For or Forwarded are believed. 0 believes nothing that a client sends. An integer from 0 to 16. Default: 0.
   */
  trustedHops?: number;
  /**
   * Which header fields backends get. One of XForwarded, Forwarded, Both. Default: XForwarded.
   */
  emit?: 'XForwarded' | 'Forwarded' | 'Both';
}
/**
 * Bounds on what a client may send and hold.
 */
export interface Limits {
  /**
   * The size of the request line and header fields of one request, in bytes; more is answered with 431. An integer from 1024 to 1048576. Default: 32768.
   */
  maxRequestHeaderBytes?: number;
  /**
   * The number of header fields of one request; more is answered with 431. An integer from 1 to 1000. Default: 100.
   */
  maxRequestHeaders?: number;
  /**
   * How long a client may take to send the header fields of a request, in seconds. An integer from 1 to 3600. Default: 15.
   */
  requestHeaderTimeoutSeconds?: number;
  /**
   * The size of a request body, in bytes; more is answered with 413. 0 means no limit. An integer from 0 to 1099511627776. Default: 0.
   */
  maxRequestBodyBytes?: number;
  /**
   * How long a connection without a request stays open, in seconds. Keep it above the idle time of a load balancer in front. An integer from 1 to 3600. Default: 75.
   */
  keepAliveTimeoutSeconds?: number;
  /**
   * How long a client may pause within a request body, or take nothing of an answer that waits for it, in seconds. An integer from 1 to 3600. Default: 60.
   */
  requestBodyIdleTimeoutSeconds?: number;
  /**
   * The number of open client connections of one pod; more are closed at once. 0 means no limit. An integer from 0 to 1000000. Default: 0.
   */
  maxConnections?: number;
  /**
   * The number of requests that a client may send ahead on one connection; reading pauses beyond it. An integer from 1 to 1000. Default: 16.
   */
  maxPipelinedRequests?: number;
}
/**
 * How WebSocket connections are kept and given up.
 */
export interface WebSocketSettings {
  /**
   * How long a connection may be silent before the gateway sends a ping, in seconds; 0 switches pings off, and with them the finding of half-open connections. An integer from 0 to 3600. Default: 30.
   */
  pingIntervalSeconds?: number;
  /**
   * How long the answer to a ping may take before the connection counts as dead and is closed, in seconds. An integer from 1 to 3600. Default: 30.
   */
  pongTimeoutSeconds?: number;
  /**
   * How long a connection may go without a message before it is closed, in seconds; pings and pongs do not count as messages. 0 switches it off. An integer from 0 to 604800. Default: 0.
   */
  idleTimeoutSeconds?: number;
  /**
   * How long one direction may stay open after the other has ended, in seconds. An integer from 0 to 3600. Default: 10.
   */
  halfCloseTimeoutSeconds?: number;
}
/**
 * How connections end when a pod stops or a listener goes away.
 */
export interface Drain {
  /**
   * How long connections may go on, in seconds, before the rest is closed. An integer from 0 to 86400. Default: 60.
   */
  timeoutSeconds?: number;
  /**
   * Over how many seconds the rest is closed, spread evenly, so that not all clients reconnect at once. An integer from 0 to 3600. Default: 10.
   */
  jitterSeconds?: number;
}
/**
 * Which requests are logged, one JSON line each.
 */
export interface AccessLog {
  /**
   * All requests, a Sampled share of them, or None. One of None, All, Sampled. Default: All.
   */
  mode?: 'None' | 'All' | 'Sampled';
  /**
   * The share of requests that is logged when mode is Sampled; server errors are always logged. A number from 0 to 1. Default: 0.01.
   */
  sampleRatio?: number;
}
/**
 * The Kubernetes objects that the operator makes for the gateway. Outside a cluster it has no effect.
 */
export interface Infrastructure {
  /**
   * Labels to add to every object, pods included. At most 32 entries.
   */
  labels?: {
    /**
     * The value of the label. A label value (letters, digits, -, _ and .) of up to 63 characters.
     */
    [k: string]: string;
  };
  /**
   * Annotations to add to every object, pods included. At most 32 entries.
   */
  annotations?: {
    /**
     * The value of the annotation. A string of up to 16384 characters.
     */
    [k: string]: string;
  };
  service?: Service;
  resources?: Resources;
  autoscaling?: Autoscaling;
  /**
   * The labels that a node must have to run the pods. At most 32 entries.
   */
  nodeSelector?: {
    /**
     * The value of the label. A label value (letters, digits, -, _ and .) of up to 63 characters.
     */
    [k: string]: string;
  };
  /**
   * The PriorityClass of the pods. When unset, the cluster's default. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  priorityClassName?: string;
  /**
   * The taints of nodes that the pods put up with, as in a pod. At most 16 entries.
   *
   * @maxItems 16
   */
  tolerations?: Toleration[];
  /**
   * Which nodes, or neighbours, the pods need or prefer: the affinity field of a pod, which is checked when the pods are made. An object.
   */
  affinity?: {
    [k: string]: unknown;
  };
  /**
   * Over what the pods are spread evenly. When unset, over nodes and zones as far as there are some with room. At most 8 entries.
   *
   * @maxItems 8
   */
  topologySpreadConstraints?: TopologySpreadConstraint[];
}
/**
 * The Service through which clients reach the pods.
 */
export interface Service {
  /**
   * The type of the Service; ClusterIP is for clients within the cluster. One of LoadBalancer, ClusterIP, NodePort. Default: LoadBalancer.
   */
  type?: 'LoadBalancer' | 'ClusterIP' | 'NodePort';
  /**
   * Annotations of the Service only, as cloud load balancers need them, for instance to have an internal address. At most 32 entries.
   */
  annotations?: {
    /**
     * The value of the annotation. A string of up to 16384 characters.
     */
    [k: string]: string;
  };
  /**
   * Which load balancer implementation serves the Service. When unset, the cluster's own. A string of 1 to 253 characters.
   */
  loadBalancerClass?: string;
  /**
   * Whether a node passes traffic from outside only to its own pods (Local, keeps the client's address) or to all pods (Cluster, may hide it). One of Local, Cluster. Default: Local.
   */
  externalTrafficPolicy?: 'Local' | 'Cluster';
  /**
   * The addresses that the load balancer lets through. When unset or empty, every one. At most 64 entries.
   *
   * @maxItems 64
   *
   * Items: A block of addresses, such as 10.0.0.0/8 or 2001:db8::/32. A string of 1 to 64 characters.
   */
  loadBalancerSourceRanges?: string[];
}
/**
 * Compute resources of each pod.
 */
export interface Resources {
  /**
   * What is set aside for the pod, by resource name such as cpu and memory. When one of these two is named neither here nor in limits, it is 250m or 256Mi. At most 16 entries.
   */
  requests?: {
    /**
     * The amount that is set aside. A quantity, such as 500m or 256Mi.
     */
    [k: string]: number | string;
  };
  /**
   * What the pod may use at most, by resource name such as cpu and memory. At most 16 entries.
   */
  limits?: {
    /**
     * The amount that may be used. A quantity, such as 500m or 256Mi.
     */
    [k: string]: number | string;
  };
}
/**
 * Changes the number of pods with the load; takes the place of replicas.
 */
export interface Autoscaling {
  /**
   * The smallest number of pods. An integer from 1 to 1000. Default: 2.
   */
  minReplicas?: number;
  /**
   * The largest number of pods. An integer from 1 to 1000.
   */
  maxReplicas: number;
  /**
   * How many open client connections per pod are aimed at; needs the metrics of the pods in the cluster's custom metrics API. When unset, connections do not matter. An integer from 1 to 1000000.
   */
  targetConnectionsPerPod?: number;
  /**
   * Which use of the requested CPU is aimed at, in percent, averaged over the pods. An integer from 1 to 100. Default: 70.
   */
  targetCPUUtilizationPercentage?: number;
}
/**
 * A taint, or several, that the pods put up with.
 */
export interface Toleration {
  /**
   * The key of the taint. When unset, every one. A label name, with a prefix or without, of 1 to 317 characters.
   */
  key?: string;
  /**
   * Whether the value of the taint must be the same, or is of no concern. One of Equal, Exists. Default: Equal.
   */
  operator?: 'Equal' | 'Exists';
  /**
   * The value of the taint. A label value (letters, digits, -, _ and .) of up to 63 characters.
   */
  value?: string;
  /**
   * The effect of the taint. When unset, every one. One of NoSchedule, PreferNoSchedule, NoExecute.
   */
  effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  /**
   * How long a pod stays on a node that gets the taint, in seconds. When unset, for ever. An integer from 0 to 31536000.
   */
  tolerationSeconds?: number;
}
/**
 * Something to spread the pods over.
 */
export interface TopologySpreadConstraint {
  /**
   * The node label by whose values the pods are spread, such as kubernetes.io/hostname. A label name, with a prefix or without, of 1 to 317 characters.
   */
  topologyKey: string;
  /**
   * By how many pods two places may differ. An integer from 1 to 1000. Default: 1.
   */
  maxSkew?: number;
  /**
   * Whether a pod that cannot be placed so is placed otherwise (ScheduleAnyway) or waits (DoNotSchedule). One of ScheduleAnyway, DoNotSchedule. Default: ScheduleAnyway.
   */
  whenUnsatisfiable?: 'ScheduleAnyway' | 'DoNotSchedule';
}
/**
 * What the operator found and did.
 */
export interface EdgeGatewayStatus {
  /**
   * The state of the gateway: Accepted, ResolvedRefs, Programmed, and PartiallyInvalid while a part of it is left out. At most 16 entries.
   *
   * @maxItems 16
   */
  conditions?: Condition[];
  /**
   * The metadata.generation that this status was written for. An integer from 0.
   */
  observedGeneration?: number;
  /**
   * The addresses at which clients reach the gateway. At most 16 entries.
   *
   * @maxItems 16
   */
  addresses?: Address[];
  /**
   * The state of each listener. At most 64 entries.
   *
   * @maxItems 64
   */
  listeners?: ListenerStatus[];
  snapshot?: Snapshot;
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
 * One address.
 */
export interface Address {
  /**
   * What value is. One of IPAddress, Hostname.
   */
  type: 'IPAddress' | 'Hostname';
  /**
   * The address. A string of 1 to 253 characters.
   */
  value: string;
}
/**
 * The state of one listener.
 */
export interface ListenerStatus {
  /**
   * The name of the listener. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.
   */
  name: string;
  /**
   * The number of routes that the listener serves. An integer from 0 to 2147483647.
   */
  attachedRoutes: number;
  /**
   * The state of the listener: Accepted, ResolvedRefs, Conflicted, Programmed. At most 16 entries.
   *
   * @maxItems 16
   */
  conditions?: Condition[];
}
/**
 * The compiled configuration that the pods run.
 */
export interface Snapshot {
  /**
   * The hash of the configuration. A string of 1 to 128 characters.
   */
  hash?: string;
  /**
   * The number of pods that serve this configuration. An integer from 0 to 2147483647.
   */
  podsReady?: number;
  /**
   * The number of pods of the gateway. An integer from 0 to 2147483647.
   */
  podsTotal?: number;
}
