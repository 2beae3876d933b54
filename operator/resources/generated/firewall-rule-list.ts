// Generated from crds/sluice.dev_firewallrulelists.yaml by scripts/generate-types.ts. Do not edit.

/**
 * The parts of a FirewallRuleList besides its metadata.
 */
export interface FirewallRuleListSections {
  spec: FirewallRuleListSpec;
  status?: FirewallRuleListStatus;
}
/**
 * Which rules hold for which connections.
 */
export interface FirewallRuleListSpec {
  /**
   * The objects whose connections the rules hold for. From 1 to 16 entries.
   *
   * @minItems 1
   * @maxItems 16
   */
  targetRefs: TargetRef[];
  /**
   * Whether the rules are enforced, or only decided, counted and logged (DryRun). One of Enforce, DryRun. Default: Enforce.
   */
  mode?: 'Enforce' | 'DryRun';
  /**
   * What a new connection gets while the cluster-wide count cannot be known: Closed answers 503, Local admits within a fixed share of maxCount for each pod, Open admits all. One of Closed, Local, Open. Default: Closed.
   */
  failurePolicy?: 'Closed' | 'Local' | 'Open';
  /**
   * Bounds on open connections, checked in this order; the first that is violated rejects the connection with 429. At most 10 entries.
   *
   * @maxItems 10
   */
  clientConnectionCountRules?: ClientConnectionCountRule[];
  /**
   * Bounds on what connections send, checked in this order; a violation closes the connection. At most 10 entries.
   *
   * @maxItems 10
   */
  clientTrafficControlRules?: ClientTrafficControlRule[];
  /**
   * How long a connection may stay open, in seconds; then it is closed so that the client connects again, with a fresh token. 0 switches it off. An integer from 0 to 2147483647. Default: 0.
   */
  maxClientConnectionLifetimeInSeconds?: number;
  /**
   * Whether plain requests count as connections while they are in flight, as long polling needs it. WebSockets, event streams and TCP and TLS connections always count. A boolean. Default: false.
   */
  countRequests?: boolean;
  /**
   * What the header field Retry-After of a rejection says, in seconds. An integer from 1 to 3600. Default: 5.
   */
  retryAfterSeconds?: number;
}
/**
 * An object whose connections the rules hold for.
 */
export interface TargetRef {
  /**
   * The API group of the object. One of sluice.dev, gateway.networking.k8s.io, networking.k8s.io.
   */
  group: 'sluice.dev' | 'gateway.networking.k8s.io' | 'networking.k8s.io';
  /**
   * The kind of the object: EdgeGateway in sluice.dev; Gateway, HTTPRoute, GRPCRoute, TLSRoute or TCPRoute in gateway.networking.k8s.io; Ingress in networking.k8s.io. One of EdgeGateway, Gateway, HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, Ingress.
   */
  kind: 'EdgeGateway' | 'Gateway' | 'HTTPRoute' | 'GRPCRoute' | 'TLSRoute' | 'TCPRoute' | 'Ingress';
  /**
   * The name of the object, in the namespace of the rule list. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  name: string;
  /**
   * The part of the object that the rules hold for: a listener or a route of an EdgeGateway, a listener of a Gateway, a rule of a route. When unset, all of it. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  sectionName?: string;
}
/**
 * A bound on the number of connections that are open at the same time with the same key.
 */
export interface ClientConnectionCountRule {
  /**
   * A name for logs and metrics. When unset, the rule goes by its type and claim. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.
   */
  name?: string;
  /**
   * What the key is: the user id, the signature of the token, a claim of the token, or the address of the client. One of ThrottleByUserIdRule, ThrottleByJwtSignatureRule, ThrottleByJwtCustomClaimRule, ThrottleByClientIpRule.
   */
  type:
    | 'ThrottleByUserIdRule'
    | 'ThrottleByJwtSignatureRule'
    | 'ThrottleByJwtCustomClaimRule'
    | 'ThrottleByClientIpRule';
  /**
   * The number of connections that may be open at the same time for one key, over all pods. An integer from 0 to 2147483647. Default: 20.
   */
  maxCount?: number;
  /**
   * The claim of the token whose value is the key; for ThrottleByJwtCustomClaimRule. A token without the claim is not bound by the rule. A string of 1 to 256 characters.
   */
  claimName?: string;
}
/**
 * A bound on what the connections with the same key may send.
 */
export interface ClientTrafficControlRule {
  /**
   * A name for logs and metrics. When unset, the rule goes by its type and claim. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.
   */
  name?: string;
  /**
   * What the key is: the user id, the signature of the token, or a claim of the token. One of TrafficThrottleByUserIdRule, TrafficThrottleByJwtSignatureRule, TrafficThrottleByJwtCustomClaimRule.
   */
  type:
    | 'TrafficThrottleByUserIdRule'
    | 'TrafficThrottleByJwtSignatureRule'
    | 'TrafficThrottleByJwtCustomClaimRule';
  /**
   * The bytes of messages that clients may send within one window, for one key. An integer from 1 to 1000000000000. Default: 1000000000.
   */
  maxInboundMessageBytes?: number;
  /**
   * The length of the window, in seconds. An integer from 1 to 86400. Default: 60.
   */
  aggregationWindowInSeconds?: number;
  /**
   * The claim of the token whose value is the key; for TrafficThrottleByJwtCustomClaimRule. A token without the claim is not bound by the rule. A string of 1 to 256 characters.
   */
  claimName?: string;
}
/**
 * What the operator and the pods found.
 */
export interface FirewallRuleListStatus {
  /**
   * The metadata.generation that this status was written for. An integer from 0.
   */
  observedGeneration?: number;
  /**
   * The state of the rule list at each object that it is attached to, in the form of the Gateway API's policy status. At most 16 entries.
   *
   * @maxItems 16
   */
  ancestors?: AncestorStatus[];
  enforcement?: Enforcement;
  totals?: Totals;
}
/**
 * The state at one object.
 */
export interface AncestorStatus {
  ancestorRef: AncestorRef;
  /**
   * The name of the controller that wrote this entry, as domain/path. A string of 1 to 253 characters.
   */
  controllerName: string;
  /**
   * The state: Accepted, and Enforced. At most 16 entries.
   *
   * @maxItems 16
   */
  conditions?: Condition[];
}
/**
 * The object.
 */
export interface AncestorRef {
  /**
   * The API group of the object. A string of 1 to 253 characters.
   */
  group?: string;
  /**
   * The kind of the object. A string of 1 to 63 characters.
   */
  kind?: string;
  /**
   * The namespace of the object. A DNS label (lower-case letters, digits and -) of 1 to 63 characters.
   */
  namespace?: string;
  /**
   * The name of the object. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  name: string;
  /**
   * The part of the object. A DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters.
   */
  sectionName?: string;
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
 * How the limits are kept at present.
 */
export interface Enforcement {
  /**
   * Exact over all pods; Degraded while pods count each for itself, one of them lacks the rules, or the failure policy decides for one; DryRun; or Inactive, without a pod that has the rules. One of Exact, Degraded, DryRun, Inactive.
   */
  state: 'Exact' | 'Degraded' | 'DryRun' | 'Inactive';
  /**
   * Why, in a sentence for people. A string of up to 1024 characters.
   */
  message?: string;
}
/**
 * Numbers over all pods that there are, written now and then.
 */
export interface Totals {
  /**
   * The number of connections that are counted. An integer from 0 to 2147483647.
   */
  connections?: number;
  /**
   * The number of connections rejected since each of the pods started. An integer from 0 to 9007199254740991.
   */
  rejected?: number;
  /**
   * The number of connections closed by a rule since each of the pods started. An integer from 0 to 9007199254740991.
   */
  disconnected?: number;
}
