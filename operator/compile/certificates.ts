import { Private } from '../../proxy/config/private.ts';
import type { Certificate } from '../../proxy/config/snapshot.ts';
import type { Objects, SecretResource } from './objects.ts';
import { certificatesPem, dnsNamesOf, readCertificates, readPrivateKey } from './pem.ts';
import type { Report } from './report.ts';
import { dataOf, keysOf } from './secrets.ts';

export const TLS_SECRET_TYPE = 'kubernetes.io/tls';

const DAY_MS = 86_400_000;
const EXPIRY_WARNING_DAYS = 30;

/** Certificates by the id of their Secret. A Secret that is of the type but of no use has `null`. */
export type Certificates = ReadonlyMap<string, Certificate | null>;

/**
 * Reads every Secret of type `kubernetes.io/tls`, whether something refers to it or not.
 * One that has expired is reported and still served: a client then says what is wrong with it, where a
 * listener that is gone would say nothing.
 */
export function compileCertificates(objects: Objects, nowMs: number, report: Report): Certificates {
  const certificates = new Map<string, Certificate | null>();
  for (const [id, secret] of objects.secrets) {
    if (secret.body.type !== TLS_SECRET_TYPE) continue;
    const certificate = compileCertificate(id, secret, nowMs, report);
    if (certificate === null) report.rejected(secret);
    certificates.set(id, certificate);
  }
  return certificates;
}

function compileCertificate(
  id: string,
  secret: SecretResource,
  nowMs: number,
  report: Report,
): Certificate | null {
  const problem = (key: string, found: string, expected: string): null => {
    report.error(secret, fieldOf(secret, key), 'InvalidCertificate', {
      message: 'this certificate cannot be served',
      found,
      expected,
    });
    return null;
  };
  const chainText = dataOf(secret, 'tls.crt');
  if (chainText === undefined) return problem('tls.crt', describeKeys(secret), 'the key tls.crt');
  const keyText = dataOf(secret, 'tls.key');
  if (keyText === undefined) return problem('tls.key', describeKeys(secret), 'the key tls.key');
  const chain = readCertificates(chainText.toString('latin1'));
  if ('problem' in chain) return problem('tls.crt', chain.problem, 'certificates as PEM, the leaf first');
  const [leaf, ...issuers] = chain.certificates;
  if (leaf === undefined) return problem('tls.crt', 'nothing', 'certificates as PEM, the leaf first');
  const key = readPrivateKey(keyText.toString('latin1'));
  if ('problem' in key) return problem('tls.key', key.problem, 'the private key as PEM, without a password');
  if (!leaf.checkPrivateKey(key.key)) {
    const other = issuers.findIndex((certificate) => certificate.checkPrivateKey(key.key));
    return problem(
      'tls.key',
      other === -1 ? 'a key of another certificate' : `the key of certificate number ${other + 2}`,
      'the private key of the first certificate in tls.crt',
    );
  }
  for (const [index, issuer] of issuers.entries()) {
    const issued = chain.certificates[index];
    if (issued?.checkIssued(issuer) === true) continue;
    report.warning(secret, fieldOf(secret, 'tls.crt'), 'InvalidCertificate', {
      message: 'clients may be unable to verify this chain',
      found: `certificate number ${index + 2} did not issue number ${index + 1}`,
      expected: 'the leaf first, and each certificate followed by the one that issued it',
    });
    break;
  }
  const notBeforeMs = leaf.validFromDate.getTime();
  const notAfterMs = leaf.validToDate.getTime();
  reportValidity(secret, notBeforeMs, notAfterMs, nowMs, report);
  return {
    id,
    chainPem: certificatesPem(chain.certificates),
    key: new Private(key.pem),
    dnsNames: dnsNamesOf(leaf),
    notAfterMs,
  };
}

function reportValidity(
  secret: SecretResource,
  notBeforeMs: number,
  notAfterMs: number,
  nowMs: number,
  report: Report,
): void {
  const path = fieldOf(secret, 'tls.crt');
  if (nowMs >= notAfterMs) {
    report.error(secret, path, 'CertificateExpired', {
      message: 'clients refuse this certificate',
      found: `one that expired at ${iso(notAfterMs)}`,
      expected: 'a certificate that is valid now',
    });
  } else if (nowMs < notBeforeMs) {
    report.error(secret, path, 'CertificateNotYetValid', {
      message: 'clients refuse this certificate',
      found: `one that is valid from ${iso(notBeforeMs)}`,
      expected: 'a certificate that is valid now',
    });
  } else if (notAfterMs - nowMs < EXPIRY_WARNING_DAYS * DAY_MS) {
    report.warning(secret, path, 'CertificateExpiresSoon', {
      message: 'this certificate is about to expire',
      found: `one that expires at ${iso(notAfterMs)}`,
      expected: `one that is valid for at least ${EXPIRY_WARNING_DAYS} days more`,
    });
  }
}

/** The field that holds a key's value, wherever the user wrote it. */
function fieldOf(secret: SecretResource, key: string): (string | number)[] {
  const section = Object.hasOwn(secret.body.stringData ?? {}, key) ? 'stringData' : 'data';
  return [section, key];
}

function describeKeys(secret: SecretResource): string {
  const keys = keysOf(secret);
  return keys.length === 0 ? 'no keys' : `only ${keys.join(', ')}`;
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
