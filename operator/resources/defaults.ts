/**
 * The defaults of every field that has one. They are told in the descriptions of the CRDs, in the form
 * `Default: 20.`, and live here rather than in the schemas, since an API server that filled them in would
 * make every object differ from the file it was applied from.
 */
export const defaults = {
  'EdgeGateway.spec.replicas': 2,
  'EdgeGateway.spec.listeners[].tls.mode': 'Terminate',
  'EdgeGateway.spec.listeners[].tls.certificateRefs[].kind': 'Secret',
  'EdgeGateway.spec.listeners[].tls.minVersion': '1.2',
  'EdgeGateway.spec.listeners[].tls.clientValidation.caCertificateRefs[].kind': 'Secret',
  'EdgeGateway.spec.listeners[].tls.clientValidation.caCertificateRefs[].key': 'ca.crt',
  'EdgeGateway.spec.listeners[].tls.clientValidation.mode': 'Require',
  'EdgeGateway.spec.authentication.mode': 'JWT',
  'EdgeGateway.spec.authentication.jwt.providers[].keys.secretRef.encoding': 'UTF8',
  'EdgeGateway.spec.authentication.jwt.providers[].clockToleranceSeconds': 5,
  'EdgeGateway.spec.authentication.jwt.from': [{ header: 'Authorization' }],
  'EdgeGateway.spec.authentication.jwt.from[].prefix': 'Bearer ',
  'EdgeGateway.spec.authentication.jwt.userIdClaim': 'sub',
  'EdgeGateway.spec.routes[].match.paths[].type': 'PathPrefix',
  'EdgeGateway.spec.routes[].match.headers[].type': 'Exact',
  'EdgeGateway.spec.routes[].match.queryParams[].type': 'Exact',
  'EdgeGateway.spec.routes[].filters[].requestRedirect.statusCode': 302,
  'EdgeGateway.spec.routes[].filters[].requestMirror.fraction.denominator': 100,
  'EdgeGateway.spec.routes[].filters[].cors.allowCredentials': false,
  'EdgeGateway.spec.routes[].filters[].cors.maxAge': 5,
  'EdgeGateway.spec.routes[].backends[].weight': 1,
  'EdgeGateway.spec.routes[].timeouts.requestSeconds': 0,
  'EdgeGateway.spec.routes[].timeouts.backendRequestSeconds': 0,
  'EdgeGateway.spec.routes[].retry.attempts': 1,
  'EdgeGateway.spec.routes[].retry.backoffMilliseconds': 25,
  'EdgeGateway.spec.routes[].authentication.mode': 'JWT',
  'EdgeGateway.spec.routes[].authentication.jwt.providers[].keys.secretRef.encoding': 'UTF8',
  'EdgeGateway.spec.routes[].authentication.jwt.providers[].clockToleranceSeconds': 5,
  'EdgeGateway.spec.routes[].authentication.jwt.from': [{ header: 'Authorization' }],
  'EdgeGateway.spec.routes[].authentication.jwt.from[].prefix': 'Bearer ',
  'EdgeGateway.spec.routes[].authentication.jwt.userIdClaim': 'sub',
  'EdgeGateway.spec.paths.encodedSeparators': 'Reject',
  'EdgeGateway.spec.paths.emptySegments': 'Merge',
  'EdgeGateway.spec.forwardedHeaders.trustedHops': 0,
  'EdgeGateway.spec.forwardedHeaders.emit': 'XForwarded',
  'EdgeGateway.spec.limits.maxRequestHeaderBytes': 32768,
  'EdgeGateway.spec.limits.maxRequestHeaders': 100,
  'EdgeGateway.spec.limits.requestHeaderTimeoutSeconds': 15,
  'EdgeGateway.spec.limits.maxRequestBodyBytes': 0,
  'EdgeGateway.spec.limits.keepAliveTimeoutSeconds': 75,
  'EdgeGateway.spec.limits.requestBodyIdleTimeoutSeconds': 60,
  'EdgeGateway.spec.limits.maxConnections': 0,
  'EdgeGateway.spec.limits.maxPipelinedRequests': 16,
  'EdgeGateway.spec.webSocket.pingIntervalSeconds': 30,
  'EdgeGateway.spec.webSocket.pongTimeoutSeconds': 30,
  'EdgeGateway.spec.webSocket.idleTimeoutSeconds': 0,
  'EdgeGateway.spec.webSocket.halfCloseTimeoutSeconds': 10,
  'EdgeGateway.spec.tcpKeepAliveSeconds': 60,
  'EdgeGateway.spec.drain.timeoutSeconds': 60,
  'EdgeGateway.spec.drain.jitterSeconds': 10,
  'EdgeGateway.spec.accessLog.mode': 'All',
  'EdgeGateway.spec.accessLog.sampleRatio': 0.01,
  'EdgeGateway.spec.infrastructure.service.type': 'LoadBalancer',
  'EdgeGateway.spec.infrastructure.service.externalTrafficPolicy': 'Local',
  'EdgeGateway.spec.infrastructure.autoscaling.minReplicas': 2,
  'EdgeGateway.spec.infrastructure.autoscaling.targetCPUUtilizationPercentage': 70,
  'EdgeGateway.spec.infrastructure.tolerations[].operator': 'Equal',
  'EdgeGateway.spec.infrastructure.topologySpreadConstraints[].maxSkew': 1,
  'EdgeGateway.spec.infrastructure.topologySpreadConstraints[].whenUnsatisfiable': 'ScheduleAnyway',
  'BackendPool.spec.protocol': 'HTTP',
  'BackendPool.spec.targets[].weight': 1,
  'BackendPool.spec.hostHeader.from': 'Client',
  'BackendPool.spec.tls.caCertificateRefs[].kind': 'Secret',
  'BackendPool.spec.tls.caCertificateRefs[].key': 'ca.crt',
  'BackendPool.spec.tls.minVersion': '1.2',
  'BackendPool.spec.probe.path': '/',
  'BackendPool.spec.probe.method': 'GET',
  'BackendPool.spec.probe.intervalSeconds': 5,
  'BackendPool.spec.probe.timeoutSeconds': 2,
  'BackendPool.spec.probe.healthyThreshold': 1,
  'BackendPool.spec.probe.unhealthyThreshold': 3,
  'BackendPool.spec.probe.match.statuses': ['200-399'],
  'BackendPool.spec.ejection.mode': 'Enabled',
  'BackendPool.spec.ejection.consecutiveFailures': 5,
  'BackendPool.spec.ejection.baseSeconds': 30,
  'BackendPool.spec.ejection.maxSeconds': 300,
  'BackendPool.spec.ejection.maxEjectedPercent': 50,
  'BackendPool.spec.loadBalancing.policy': 'RoundRobin',
  'BackendPool.spec.affinity.cookie.name': 'SLUICE',
  'BackendPool.spec.affinity.cookie.path': '/',
  'BackendPool.spec.affinity.cookie.ttlSeconds': 0,
  'BackendPool.spec.affinity.cookie.sameSite': 'Lax',
  'BackendPool.spec.connections.connectTimeoutSeconds': 5,
  'BackendPool.spec.connections.idleTimeoutSeconds': 60,
  'BackendPool.spec.connections.responseHeaderTimeoutSeconds': 60,
  'BackendPool.spec.connections.streamIdleTimeoutSeconds': 300,
  'BackendPool.spec.connections.maxPerTarget': 0,
  'BackendPool.spec.connections.maxIdlePerTarget': 256,
  'BackendPool.spec.connections.maxRequestsPerConnection': 0,
  'BackendPool.spec.dns.minRefreshSeconds': 1,
  'BackendPool.spec.dns.maxRefreshSeconds': 300,
  'BackendPool.spec.dns.family': 'Any',
  'BackendPool.spec.drain.timeoutSeconds': 300,
  'BackendPool.spec.drain.jitterSeconds': 30,
  'FirewallRuleList.spec.mode': 'Enforce',
  'FirewallRuleList.spec.failurePolicy': 'Closed',
  'FirewallRuleList.spec.clientConnectionCountRules[].maxCount': 20,
  'FirewallRuleList.spec.clientTrafficControlRules[].maxInboundMessageBytes': 1000000000,
  'FirewallRuleList.spec.clientTrafficControlRules[].aggregationWindowInSeconds': 60,
  'FirewallRuleList.spec.maxClientConnectionLifetimeInSeconds': 0,
  'FirewallRuleList.spec.countRequests': false,
  'FirewallRuleList.spec.retryAfterSeconds': 5,
} as const;

type Defaults = typeof defaults;

type Widen<T> = T extends string
  ? string
  : T extends number
    ? number
    : T extends boolean
      ? boolean
      : T extends readonly (infer E)[]
        ? (E extends object ? { -readonly [K in keyof E]: Widen<E[K]> } : Widen<E>)[]
        : T;

type IsField<Rest extends string> = Rest extends `${string}.${string}` | `${string}[]${string}`
  ? false
  : true;

/** The fields right below a path that have a default. */
type FieldsOf<Path extends string> = {
  [K in keyof Defaults as K extends `${Path}.${infer Field}`
    ? IsField<Field> extends true
      ? Field
      : never
    : never]: Widen<Defaults[K]>;
};

/** Every path that has fields with a default right below it. */
type ParentOf<K> = K extends `${infer Head}.${infer Rest}`
  ? Rest extends `${string}.${string}`
    ? `${Head}.${ParentOf<Rest>}`
    : Head
  : never;

/** The place of an object with defaults, such as `EdgeGateway.spec.routes[].retry`. */
export type DefaultsPath = ParentOf<keyof Defaults>;

const fieldsByPath = new Map<string, Record<string, unknown>>();
for (const [path, value] of Object.entries(defaults)) {
  const dot = path.lastIndexOf('.');
  const parent = path.slice(0, dot);
  const fields = fieldsByPath.get(parent) ?? {};
  fields[path.slice(dot + 1)] = value;
  fieldsByPath.set(parent, fields);
}

/**
 * A copy of the object at the path in which every field right below it that has a default is set. Objects
 * further down are left alone.
 *
 * @example
 * ```ts
 * const limits = withDefaults('EdgeGateway.spec.limits', gateway.spec.limits);
 * limits.maxRequestHeaders; // 100, unless the gateway says otherwise
 * ```
 */
export function withDefaults<Path extends DefaultsPath, T extends object>(
  path: Path,
  value: T | undefined,
): T & FieldsOf<Path> {
  return { ...structuredClone(fieldsByPath.get(path)), ...value } as T & FieldsOf<Path>;
}
