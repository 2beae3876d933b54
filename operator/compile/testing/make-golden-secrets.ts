/**
 * Makes the certificates and keys that golden cases share: `node operator/compile/testing/make-golden-secrets.ts`. They are kept in
 * the repository, as hashes in the expected output depend on them; after making them anew, update the cases.
 */
import { generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto';
import 'reflect-metadata'; // @peculiar/x509 asks for it
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { stringify } from 'yaml';

const FOLDER = join(import.meta.dirname, '../../../test/golden/shared');
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

interface Issued {
  readonly pem: string;
  readonly keyPem: string;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly name: string;
}

let serial = 0;

async function issue(
  name: string,
  dnsNames: readonly string[],
  { issuer, from = '2026-01-01', to = '2027-01-01' }: { issuer?: Issued; from?: string; to?: string } = {},
): Promise<Issued> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  serial++;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial.toString(16).padStart(2, '0'),
    subject: `CN=${name}`,
    issuer: `CN=${issuer?.name ?? name}`,
    notBefore: new Date(`${from}T00:00:00Z`),
    notAfter: new Date(`${to}T00:00:00Z`),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(issuer === undefined),
      ...(dnsNames.length === 0
        ? []
        : [new x509.SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: 'dns', value })))]),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const keyPem = `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/.{64}/g, '$&\n').trim()}\n-----END PRIVATE KEY-----\n`;
  return { pem: `${certificate.toString('pem')}\n`, keyPem, keys, name };
}

function secret(name: string, stringData: Record<string, string>, type = 'kubernetes.io/tls'): unknown {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, type, stringData };
}

function write(name: string, ...documents: unknown[]): void {
  const text = documents.map((document) => stringify(document)).join('---\n');
  writeFileSync(join(FOLDER, `${name}.yaml`), text);
}

function tls(name: string, leaf: Issued, ...chain: Issued[]): unknown {
  return secret(name, { 'tls.crt': [leaf, ...chain].map(({ pem }) => pem).join(''), 'tls.key': leaf.keyPem });
}

const authority = await issue('Sluice golden CA', []);
const other = await issue('Another CA', []);
const chat = await issue('chat', ['chat.example.com'], { issuer: authority });
const wildcard = await issue('wildcard', ['*.example.com', 'example.com'], { issuer: authority });
const expired = await issue('expired', ['chat.example.com'], { issuer: authority, to: '2026-05-01' });
const soon = await issue('soon', ['chat.example.com'], { issuer: authority, to: '2026-06-20' });
const future = await issue('future', ['chat.example.com'], { issuer: authority, from: '2026-07-01' });
const nameless = await issue('nameless', [], { issuer: authority });
const client = await issue('gateway', [], { issuer: authority });

write('chat-tls', tls('chat-tls', chat, authority));
write('wildcard-tls', tls('wildcard-tls', wildcard));
write('expired-tls', tls('expired-tls', expired));
write('soon-tls', tls('soon-tls', soon));
write('future-tls', tls('future-tls', future));
write('nameless-tls', tls('nameless-tls', nameless));
write('client-tls', tls('client-tls', client, authority));
write(
  'broken-tls',
  secret('mismatch', { 'tls.crt': chat.pem, 'tls.key': wildcard.keyPem }),
  secret('leaf-last', { 'tls.crt': authority.pem + chat.pem, 'tls.key': chat.keyPem }),
  secret('wrong-chain', { 'tls.crt': chat.pem + other.pem, 'tls.key': chat.keyPem }),
  secret('no-pem', { 'tls.crt': 'chat', 'tls.key': chat.keyPem }),
  secret('bad-pem', {
    'tls.crt': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'tls.key': chat.keyPem,
  }),
  secret('no-key-pem', { 'tls.crt': chat.pem, 'tls.key': 'key' }),
  secret('opaque', { 'tls.crt': chat.pem, 'tls.key': chat.keyPem }, 'Opaque'),
);
write(
  'authorities',
  {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'authorities' },
    data: { 'ca.crt': authority.pem, bad: 'x' },
  },
  secret('more-authorities', { 'ca.crt': authority.pem, 'other.crt': other.pem }, 'Opaque'),
);

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const small = generateKeyPairSync('rsa', { modulusLength: 1024 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed25519 = generateKeyPairSync('ed25519');
const jwk = (key: { publicKey: KeyObject }, kid: string) => ({
  ...key.publicKey.export({ format: 'jwk' }),
  kid,
});
const oct = {
  kty: 'oct',
  k: Buffer.from('0123456789abcdef0123456789abcdef').toString('base64url'),
  kid: 'shared',
};
write(
  'token-keys',
  secret(
    'token-keys',
    {
      shared: '0123456789abcdef0123456789abcdef',
      base64: Buffer.from('0123456789abcdef0123456789abcdef').toString('base64'),
      short: 'secret',
      empty: '',
      rsa: rsa.publicKey.export({ type: 'spki', format: 'pem' }),
      small: small.publicKey.export({ type: 'spki', format: 'pem' }),
      private: p256.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      certificate: chat.pem,
      jwks: JSON.stringify({
        keys: [jwk(rsa, 'a'), jwk(p256, 'b'), jwk(ed25519, 'c'), { kty: 'future', kid: 'd' }],
      }),
      'oct.jwks': JSON.stringify({ keys: [oct] }),
      'mixed.jwks': JSON.stringify({ keys: [oct, jwk(rsa, 'a')] }),
      'unknown.jwks': JSON.stringify({ keys: [{ kty: 'future' }] }),
      'no-keys.jwks': '{}',
    },
    'Opaque',
  ),
);
