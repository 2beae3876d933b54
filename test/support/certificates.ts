/** Certificates made on the spot: CAs, and leaves for servers and clients. */
import 'reflect-metadata'; // @peculiar/x509 asks for it
import type { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { Private } from '../../proxy/config/private.ts';
import type { Certificate } from '../../proxy/config/snapshot.ts';

type KeyPair = webcrypto.CryptoKeyPair;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3_600_000;

export interface LeafOptions {
  readonly dnsNames?: readonly string[];
  readonly addresses?: readonly string[];
  readonly uris?: readonly string[];
  readonly commonName?: string;
  readonly organization?: string;
  readonly usage?: 'server' | 'client' | 'both';
  /** Since yesterday, to tomorrow, where nothing is said. */
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface KeyedCertificate {
  readonly chainPem: string;
  readonly keyPem: string;
}

export class TestAuthority {
  readonly caPem: string;
  readonly #certificate: x509.X509Certificate;
  readonly #keys: KeyPair;
  #serial = 1;

  private constructor(certificate: x509.X509Certificate, keys: KeyPair) {
    this.caPem = certificate.toString('pem');
    this.#certificate = certificate;
    this.#keys = keys;
  }

  static async create(
    name = 'Test CA',
    options: Pick<LeafOptions, 'notBefore' | 'notAfter'> = {},
  ): Promise<TestAuthority> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      name: `CN=${name}`,
      ...validity(options),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new TestAuthority(certificate, keys);
  }

  async issue(options: LeafOptions = {}): Promise<KeyedCertificate> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: (++this.#serial).toString(16).padStart(4, '0'),
      subject: subjectOf(options),
      issuer: this.#certificate.subject,
      ...validity(options),
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      extensions: [
        ...leafExtensions(options),
        await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
      ],
    });
    return { chainPem: certificate.toString('pem'), keyPem: await privateKeyPem(keys) };
  }

  /** A server's certificate as a snapshot has it. */
  async certificate(
    id: string,
    dnsNames: readonly string[],
    options: LeafOptions = {},
  ): Promise<Certificate> {
    const { chainPem, keyPem } = await this.issue({ ...options, dnsNames });
    const notAfterMs = new x509.X509Certificate(chainPem).notAfter.getTime();
    return { id, chainPem, key: new Private(keyPem), dnsNames, notAfterMs };
  }
}

/** A leaf that no CA stands behind. */
export async function selfSigned(options: LeafOptions = {}): Promise<KeyedCertificate> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: subjectOf(options),
    ...validity(options),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: leafExtensions(options),
  });
  return { chainPem: certificate.toString('pem'), keyPem: await privateKeyPem(keys) };
}

function subjectOf({ commonName, organization, dnsNames = [] }: LeafOptions): string {
  const name = `CN=${commonName ?? dnsNames[0] ?? 'leaf'}`;
  return organization === undefined ? name : `O=${organization}, ${name}`;
}

function validity({ notBefore, notAfter }: LeafOptions): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: notBefore ?? new Date(Date.now() - 24 * HOUR_MS),
    notAfter: notAfter ?? new Date(Date.now() + 24 * HOUR_MS),
  };
}

function leafExtensions({ dnsNames = [], addresses = [], uris = [], usage = 'server' }: LeafOptions) {
  const names = [
    ...dnsNames.map((value) => ({ type: 'dns', value }) as const),
    ...addresses.map((value) => ({ type: 'ip', value }) as const),
    ...uris.map((value) => ({ type: 'url', value }) as const),
  ];
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const extended = { server: [serverAuth], client: [clientAuth], both: [serverAuth, clientAuth] }[usage];
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.ExtendedKeyUsageExtension(extended),
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
  ];
}

function generateKeys(): Promise<KeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<KeyPair>;
}

async function privateKeyPem(keys: KeyPair): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
}
