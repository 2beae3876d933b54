import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g;

/** The certificates in a text, in its order, with what stands between them taken away; or what is wrong, in words. */
export function readCertificates(
  text: string,
): { readonly certificates: X509Certificate[] } | { readonly problem: string } {
  const blocks = text.match(CERTIFICATE);
  if (blocks === null) return { problem: 'no PEM block "CERTIFICATE"' };
  const certificates: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(block));
    } catch {
      return { problem: `a PEM block "CERTIFICATE" that cannot be read (number ${index + 1})` };
    }
  }
  return { certificates };
}

/** A private key, or what is wrong; the words hold nothing of the key. */
export function readPrivateKey(
  text: string,
): { readonly key: KeyObject /** PKCS #8 */; readonly pem: string } | { readonly problem: string } {
  if (text.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----') || text.includes('Proc-Type: 4,ENCRYPTED')) {
    return { problem: 'a private key that is protected by a password' };
  }
  if (!text.includes('PRIVATE KEY-----')) return { problem: 'no PEM block "PRIVATE KEY"' };
  try {
    const key = createPrivateKey(text);
    return { key, pem: key.export({ type: 'pkcs8', format: 'pem' }) };
  } catch {
    return { problem: 'a PEM block "PRIVATE KEY" that cannot be read' };
  }
}

/** Canonical PEM, each block ended by a line feed: equal certificates have equal text. */
export function certificatesPem(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => certificate.toString()).join('');
}

/** DNS names of a certificate, lower case. The common name does not count (RFC 9525, section 2). */
export function dnsNamesOf(certificate: X509Certificate): string[] {
  const names = (certificate.subjectAltName ?? '')
    .split(', ')
    .filter((entry) => entry.startsWith('DNS:'))
    .map((entry) => entry.slice('DNS:'.length).toLowerCase());
  return [...new Set(names)].sort();
}
