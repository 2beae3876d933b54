/**
 * Makes the certificates of the examples: a private CA, and a certificate of that CA for the chat backend.
 *
 *   node examples/certificates.ts
 *
 * The results are committed, so that the examples run as they are. Their keys are therefore public: they show how
 * a private CA is configured and protect nothing. The key of the CA itself is thrown away.
 */
import { webcrypto } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import 'reflect-metadata'; // @peculiar/x509 asks for it
import * as x509 from '@peculiar/x509';
import { stringify } from 'yaml';

const NOTICE = 'PUBLIC DEMO KEY. Everyone has it: never use it for anything but these examples.';
const VALID_YEARS = 100;

x509.cryptoProvider.set(webcrypto as Crypto);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const notBefore = new Date('2026-01-01T00:00:00Z');
const notAfter = new Date(notBefore);
notAfter.setUTCFullYear(notAfter.getUTCFullYear() + VALID_YEARS);

const caKeys = (await webcrypto.subtle.generateKey(algorithm, true, [
  'sign',
  'verify',
])) as webcrypto.CryptoKeyPair;
const ca = await x509.X509CertificateGenerator.createSelfSigned({
  name: 'CN=Sluice examples CA (public demo)',
  serialNumber: '01',
  notBefore,
  notAfter,
  signingAlgorithm: algorithm,
  keys: caKeys,
  extensions: [
    new x509.BasicConstraintsExtension(true, 0, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
  ],
});

const backendKeys = (await webcrypto.subtle.generateKey(algorithm, true, [
  'sign',
  'verify',
])) as webcrypto.CryptoKeyPair;
const backend = await x509.X509CertificateGenerator.create({
  subject: 'CN=chat-backend',
  issuer: ca.subject,
  serialNumber: '02',
  notBefore,
  notAfter,
  signingAlgorithm: algorithm,
  publicKey: backendKeys.publicKey,
  signingKey: caKeys.privateKey,
  extensions: [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension([
      { type: 'dns', value: 'localhost' },
      { type: 'dns', value: 'chat-backend' },
      { type: 'dns', value: 'chat-backend.default.svc' },
      { type: 'ip', value: '127.0.0.1' },
    ]),
    await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
    await x509.SubjectKeyIdentifierExtension.create(backendKeys.publicKey),
  ],
});

const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', backendKeys.privateKey);
const here = (name: string) => new URL(name, import.meta.url);
await writeFile(here('chat/backend/demo-tls.crt'), `${backend.toString('pem')}\n`);
await writeFile(
  here('chat/backend/demo-tls.key'),
  `${NOTICE}\n${x509.PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`,
  { mode: 0o644 },
);
const configMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'chat-backend-ca' },
  data: { 'ca.crt': `${ca.toString('pem')}\n` },
};
await writeFile(
  here('chat/backend-ca.yaml'),
  `# The CA that signed the certificate of the chat backend. Written by examples/certificates.ts.\n${stringify(configMap)}`,
);
console.log('Wrote examples/chat/backend/demo-tls.{crt,key} and examples/chat/backend-ca.yaml');
