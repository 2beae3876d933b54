import {
  type Diagnostic,
  diagnose,
  type FieldPath,
  type Resource,
  sortDiagnostics,
} from '../resources/index.ts';
import { resourceKey } from './objects.ts';

/**
 * Why something is reported. Where the Gateway API has a word for it, that word is used, so that it can
 * become the reason of a condition.
 */
export const compileCodes = {
  BackendNotFound: 'a BackendPool that is not there or is left out, or a Service or port that is not there',
  CertificateExpired: 'a certificate is no longer valid',
  CertificateExpiresSoon: 'a certificate is about to expire',
  CertificateNameMismatch: 'no certificate of a listener bears one of its host names',
  CertificateNotYetValid: 'a certificate is not valid yet',
  DuplicateObject: 'an object is there twice',
  DuplicateRoute: 'a match can never be reached, since an earlier route has the same one',
  DuplicateRule: 'two rules of a rule list count the same, or bear the same name',
  DuplicateTarget: 'a target is listed twice',
  HostnameConflict: 'two listeners, or certificates of Ingresses, are for the same host name on one port',
  IngressNotServed: 'an Ingress has no class that leads to a gateway',
  InvalidCACertificateRef: 'a reference to CA certificates cannot be used',
  InvalidCertificate: 'a Secret of type kubernetes.io/tls cannot be used',
  InvalidCertificateRef: 'a reference to a certificate cannot be used',
  InvalidClientCertificateRef: 'a reference to a client certificate cannot be used',
  InvalidKeys: 'keys of a token provider cannot be used',
  InvalidParameters: 'the parameters of an IngressClass lead to no gateway',
  KeptLastGood: 'an object is invalid now, and its last valid version is kept',
  NoMatchingListenerHostname: 'a route has no host name in common with its listeners',
  NoValidProvider: 'an authentication is left without usable keys and refuses every token',
  NotServedFailurePolicy: 'a failure policy is not served yet',
  NotServedProtocol: 'a protocol is not served yet',
  NotServedTargetRef: 'a rule list is attached to a kind that is not served yet',
  NotServedTrafficRules: 'traffic rules are not served yet',
  PortUnavailable: 'another gateway, or the pod itself, has the port already',
  ProtocolConflict: 'listeners on one port speak protocols that cannot share it',
  RefNotPermitted: 'a reference into another namespace, without a ReferenceGrant',
  RuleListNotFound: 'an Ingress names a rule list that is not there',
  SecretNotFound: 'a Secret, or a key in it, is not there',
  TargetNotFound: 'a rule list is attached to something that is not there',
  UnknownAnnotation: 'an annotation of ours that does not exist',
  UnsupportedProtocol: 'a route refers to a pool or Service of another protocol',
  UnsupportedValue: 'a value that is valid but cannot be used',
  WeakKey: 'a shared secret is shorter than its algorithm asks for',
} as const;

export type CompileCode = keyof typeof compileCodes;

/** What is wrong, in three parts: what becomes of it, what is there, and what should be. */
export interface Finding {
  readonly message: string;
  readonly found: string;
  readonly expected: string;
}

/** Collects what is found wrong on the way, and which objects are of no use at all. */
export class Report {
  readonly #diagnostics: Diagnostic[] = [];
  readonly #rejected = new Set<string>();

  error(resource: Resource, path: FieldPath, code: CompileCode, finding: Finding): void {
    this.#add('error', resource, path, code, finding);
  }

  warning(resource: Resource, path: FieldPath, code: CompileCode, finding: Finding): void {
    this.#add('warning', resource, path, code, finding);
  }

  add(diagnostics: readonly Diagnostic[]): void {
    this.#diagnostics.push(...diagnostics);
  }

  /** The whole object is left out, so that an earlier version of it that was valid is worth keeping. */
  rejected(resource: Resource): void {
    this.#rejected.add(resourceKey(resource));
  }

  /** By file and place. */
  diagnostics(): Diagnostic[] {
    return sortDiagnostics([...this.#diagnostics]);
  }

  rejectedKeys(): Set<string> {
    return new Set([...this.#rejected].sort());
  }

  #add(
    severity: Diagnostic['severity'],
    resource: Resource,
    path: FieldPath,
    code: CompileCode,
    { message, found, expected }: Finding,
  ): void {
    const text = `${message}: found ${found}, expected ${expected}`;
    this.#diagnostics.push(diagnose(resource, path, { severity, code, found, expected, message: text }));
  }
}
