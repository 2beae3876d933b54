import { Private } from '../../proxy/config/private.ts';
import type { Certificate } from '../../proxy/config/snapshot.ts';
import type { Environment } from './environment.ts';
import type { Objects, SecretResource } from './objects.ts';
import { certificatesPem, dnsNamesOf, readCertificates, readPrivateKey } from './pem.ts';
import type { Report } from './report.ts';
import { dataOf, keysOf } from './secrets.ts';

export const TLS_SECRET_TYPE = 'kubernetes.io/tls';

const DAY_MS = 86_400_000;
const EXPIRY_WARNING_DAYS = 30;

/** Certificates by the id of their Secret. A Secret that is of the type but of no use has `null`. */
export interface Certificates {
  get(id: string): Certificate | null | undefined;
}

/**
 * Reads Secrets of type `kubernetes.io/tls`: in files each of them, whether something refers to it or not; in a
 * cluster, where most belong to others, those that are asked for.
 * One that has expired is reported and still served: a client then says what is wrong with it, where a
 * listener that is gone would say nothing.
 */
export function compileCertificates(
  objects: Objects,
  nowMs: number,
  environment: Environment,
  report: Report,
): Certificates {
  const certificates = new Map<string, Certificate | null>();
  const compileOne = (id: string): Certificate | null | undefined => {
    const secret = objects.secrets.get(id);
    if (secret?.body.type !== TLS_SECRET_TYPE) return undefined;
    const certificate = compileCertificate(id, secret, nowMs, report);
    if (certificate === null) report.rejected(secret);
    certificates.set(id, certificate);
    return certificate;
  };
  if (environment === 'Standalone') for (const id of objects.secrets.keys()) compileOne(id);
  return { get: (id) => (certificates.has(id) ? certificates.get(id) : compileOne(id)) };
}

function compileCertificate(
  id: string,
  secret: SecretResource,
  nowMs: number,
  report: Report,
): Certificate | null {
  const read = readSecret(secret);
  if ('expected' in read) {
    const { key, found, expected } = read;
    report.error(secret, fieldOf(secret, key), 'InvalidCertificate', {
      message: 'this certificate cannot be served',
      found,
      expected,
    });
    return null;
  }
  if (read.brokenChain !== null) {
    report.warning(secret, fieldOf(secret, 'tls.crt'), 'InvalidCertificate', {
      message: 'clients may be unable to verify this chain',
      found: read.brokenChain,
      expected: 'the leaf first, and each certificate followed by the one that issued it',
    });
  }
  reportValidity(secret, read.notBeforeMs, read.material.notAfterMs, nowMs, report);
  return { id, ...read.material };
}

interface Read {
  readonly material: Omit<Certificate, 'id'>;
  readonly notBeforeMs: number;
  /** Where the chain does not hold together, in words. */
  readonly brokenChain: string | null;
}

interface Unreadable {
  readonly key: 'tls.crt' | 'tls.key';
  readonly found: string;
  readonly expected: string;
}

/** Keys and certificates take long to read, and a cluster compiles all of them with each change of one. */
const known = new WeakMap<SecretResource['body'], Read | Unreadable>();

function readSecret(secret: SecretResource): Read | Unreadable {
  const found = known.get(secret.body);
  if (found !== undefined) return found;
  const read = readCertificate(secret);
  known.set(secret.body, read);
  return read;
}

function readCertificate(secret: SecretResource): Read | Unreadable {
  const unreadable = (key: Unreadable['key'], found: string, expected: string): Unreadable => ({
    key,
    found,
    expected,
  });
  const chainText = dataOf(secret, 'tls.crt');
  if (chainText === undefined) return unreadable('tls.crt', describeKeys(secret), 'the key tls.crt');
  const keyText = dataOf(secret, 'tls.key');
  if (keyText === undefined) return unreadable('tls.key', describeKeys(secret), 'the key tls.key');
  const chain = readCertificates(chainText.toString('latin1'));
  const expectedChain = 'certificates as PEM, the leaf first';
  if ('problem' in chain) return unreadable('tls.crt', chain.problem, expectedChain);
  const [leaf, ...issuers] = chain.certificates;
  if (leaf === undefined) return unreadable('tls.crt', 'nothing', expectedChain);
  const key = readPrivateKey(keyText.toString('latin1'));
  if ('problem' in key)
    return unreadable('tls.key', key.problem, 'the private key as PEM, without a password');
  if (!leaf.checkPrivateKey(key.key)) {
    const other = issuers.findIndex((certificate) => certificate.checkPrivateKey(key.key));
    return unreadable(
      'tls.key',
      other === -1 ? 'a key of another certificate' : `the key of certificate number ${other + 2}`,
      'the private key of the first certificate in tls.crt',
    );
  }
  const broken = issuers.findIndex((issuer, index) => !chain.certificates[index]?.checkIssued(issuer));
  return {
    material: {
      chainPem: certificatesPem(chain.certificates),
      key: new Private(key.pem),
      dnsNames: dnsNamesOf(leaf),
      notAfterMs: leaf.validToDate.getTime(),
    },
    notBeforeMs: leaf.validFromDate.getTime(),
    brokenChain: broken === -1 ? null : `certificate number ${broken + 2} did not issue number ${broken + 1}`,
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
