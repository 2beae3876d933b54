import type { CompileCode } from '../compile/index.ts';
import { type Diagnostic, diagnosticCodes } from '../resources/index.ts';
import type { Reason } from './reasons.ts';

/** The aspects of an object that something can be wrong with. */
export type Aspect = 'Accepted' | 'Conflicted' | 'ResolvedRefs' | 'PartiallyInvalid' | 'Enforced';

/** What a diagnostic means for the status of its object. */
export interface Verdict {
  /** The type of the condition. */
  readonly condition: Aspect;
  /** The reason of the condition, when the diagnostic is what decides it. */
  readonly reason: Reason;
  /** Decides even as a warning: what the user wrote does not hold. Other warnings are only mentioned. */
  readonly evenAsWarning?: true;
}

/** Of several reasons for one condition, that is given which stands first here. */
export const verdicts: Readonly<Record<CompileCode, Verdict>> = {
  KeptLastGood: { condition: 'Accepted', reason: 'Invalid', evenAsWarning: true },
  DuplicateObject: { condition: 'Accepted', reason: 'Invalid' },
  NotServedProtocol: { condition: 'Accepted', reason: 'UnsupportedProtocol', evenAsWarning: true },
  PortUnavailable: { condition: 'Accepted', reason: 'PortUnavailable' },
  TargetNotFound: { condition: 'Accepted', reason: 'TargetNotFound' },
  NotServedTargetRef: { condition: 'Accepted', reason: 'TargetNotFound', evenAsWarning: true },

  ProtocolConflict: { condition: 'Conflicted', reason: 'ProtocolConflict' },
  HostnameConflict: { condition: 'Conflicted', reason: 'HostnameConflict' },

  RefNotPermitted: { condition: 'ResolvedRefs', reason: 'RefNotPermitted' },
  InvalidCertificateRef: { condition: 'ResolvedRefs', reason: 'InvalidCertificateRef' },
  InvalidCACertificateRef: { condition: 'ResolvedRefs', reason: 'InvalidCACertificateRef' },
  InvalidClientCertificateRef: { condition: 'ResolvedRefs', reason: 'InvalidClientCertificateRef' },
  InvalidCertificate: { condition: 'ResolvedRefs', reason: 'InvalidCertificateRef' },
  CertificateExpired: { condition: 'ResolvedRefs', reason: 'InvalidCertificateRef' },
  CertificateNotYetValid: { condition: 'ResolvedRefs', reason: 'InvalidCertificateRef' },
  CertificateExpiresSoon: { condition: 'ResolvedRefs', reason: 'InvalidCertificateRef' },
  CertificateNameMismatch: { condition: 'ResolvedRefs', reason: 'InvalidCertificateRef' },
  NoValidProvider: { condition: 'ResolvedRefs', reason: 'NoValidProvider' },
  SecretNotFound: { condition: 'ResolvedRefs', reason: 'SecretNotFound' },
  InvalidKeys: { condition: 'ResolvedRefs', reason: 'InvalidKeys' },
  WeakKey: { condition: 'ResolvedRefs', reason: 'InvalidKeys' },
  BackendNotFound: { condition: 'ResolvedRefs', reason: 'BackendNotFound' },
  UnsupportedProtocol: { condition: 'ResolvedRefs', reason: 'UnsupportedProtocol' },

  UnsupportedValue: { condition: 'PartiallyInvalid', reason: 'UnsupportedValue' },
  DuplicateRoute: { condition: 'PartiallyInvalid', reason: 'DuplicateRoute' },
  NoMatchingListenerHostname: {
    condition: 'PartiallyInvalid',
    reason: 'NoMatchingListenerHostname',
    evenAsWarning: true,
  },

  NotServedTrafficRules: { condition: 'Enforced', reason: 'UnsupportedValue', evenAsWarning: true },
  NotServedFailurePolicy: { condition: 'Enforced', reason: 'UnsupportedValue' },

  // Of Ingresses and their classes, which have no conditions: only the reasons count.
  IngressNotServed: { condition: 'Accepted', reason: 'IngressNotServed' },
  InvalidParameters: { condition: 'Accepted', reason: 'InvalidParameters' },
  RuleListNotFound: { condition: 'ResolvedRefs', reason: 'RuleListNotFound' },
  UnknownAnnotation: { condition: 'PartiallyInvalid', reason: 'UnknownAnnotation' },

  DuplicateRule: { condition: 'Accepted', reason: 'Invalid' },
  DuplicateTarget: { condition: 'Accepted', reason: 'Invalid' },
};

/** What the schema or a rule of the CRD says against an object. */
const INVALID: Verdict = { condition: 'Accepted', reason: 'Invalid' };

export function verdictOf(code: string): Verdict {
  if (Object.hasOwn(diagnosticCodes, code)) return INVALID;
  return verdicts[code as CompileCode];
}

/** Whether what the object says does not hold in full; if not, it is only worth mentioning. */
export function isDecisive({ severity, code }: Diagnostic): boolean {
  return severity === 'error' || verdictOf(code).evenAsWarning === true;
}

const order: readonly string[] = [...Object.keys(diagnosticCodes), ...Object.keys(verdicts)];

/** The diagnostic that gives a condition its reason. */
export function foremost(diagnostics: readonly Diagnostic[]): Diagnostic | undefined {
  return [...diagnostics].sort((left, right) => order.indexOf(left.code) - order.indexOf(right.code))[0];
}
