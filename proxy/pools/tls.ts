import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import tls from 'node:tls';
import type { PoolTls } from '../config/snapshot.ts';
import { alternativeNames } from './alternative-names.ts';
import type { Endpoint } from './endpoint.ts';

/**
 * How to open TLS to an endpoint: trust, own certificate, names, ALPN and, where there is one, a session to resume.
 * The caller adds the socket or the address, and calls it for every connection, since sessions come and go.
 *
 * The certificate must carry one of `subjectAltNames`, or else the SNI, or else the target's name or address.
 */
export function upstreamTls(endpoint: Endpoint): tls.ConnectionOptions {
  const { pool } = endpoint;
  const config = pool.tls ?? WELL_KNOWN;
  const { servername, names } = namesOf(endpoint);
  const session = sessionOf(endpoint);
  return {
    secureContext: contextOf(config),
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => checkNames(names, certificate),
    ...(servername === '' ? {} : { servername }),
    ...(pool.protocol === 'HTTPS' ? { ALPNProtocols: ['http/1.1'] } : {}),
    ...(session === null ? {} : { session }),
  };
}

/** Keeps the sessions that an endpoint offers on a connection, so that the next handshake is short. */
export function rememberSession(endpoint: Endpoint, socket: tls.TLSSocket): void {
  let verifiedAtMs: number | null = null;
  socket.on('session', (data) => {
    // A resumed connection proves nothing new: its tickets are as old as the certificate check they go back to.
    verifiedAtMs ??= socket.isSessionReused()
      ? (sessions.get(endpoint)?.verifiedAtMs ?? null)
      : performance.now();
    if (verifiedAtMs !== null) sessions.set(endpoint, { data, verifiedAtMs });
  });
}

/** SNI (empty: none is sent) and the names that are accepted in the certificate. */
export function namesOf(endpoint: Endpoint): { servername: string; names: readonly string[] } {
  const config = endpoint.pool.tls ?? WELL_KNOWN;
  const name = config.sni ?? endpoint.hostname;
  return {
    servername: isIP(name) === 0 ? name : '',
    names: config.subjectAltNames.length > 0 ? config.subjectAltNames : [name],
  };
}

/** Accepts a certificate that carries one of the names: DNS names, addresses or URIs. */
function checkNames(names: readonly string[], certificate: tls.PeerCertificate): Error | undefined {
  let failure: Error | undefined;
  for (const name of names) {
    if (isIP(name) === 0 && name.includes(':')) {
      if (namesOfType(certificate, 'URI').includes(name)) return undefined;
    } else if (name.startsWith('*.')) {
      if (namesOfType(certificate, 'DNS').some((shown) => isUnder(shown, name))) return undefined;
    } else {
      failure = tls.checkServerIdentity(name, certificate);
      if (failure === undefined) return undefined;
    }
  }
  if (failure !== undefined) return failure;
  const error = new Error('the certificate carries none of the expected names');
  return Object.assign(error, { code: 'ERR_TLS_CERT_ALTNAME_INVALID', cert: certificate });
}

/** Whether a certificate's name is the expected `*.suffix` itself or has one label in the place of the `*`. */
function isUnder(shown: string, wildcard: string): boolean {
  const dot = shown.indexOf('.');
  return dot > 0 && shown.slice(dot).toLowerCase() === wildcard.slice(1).toLowerCase();
}

function namesOfType(certificate: tls.PeerCertificate, type: 'DNS' | 'URI'): string[] {
  return alternativeNames(certificate.subjectaltname)
    .filter((name) => name.type === type)
    .map(({ value }) => value);
}

const WELL_KNOWN: PoolTls = {
  ca: 'WellKnown',
  sni: null,
  subjectAltNames: [],
  clientCertificate: null,
  minVersion: 'TLSv1.2',
};

/** Contexts by the configuration object, and by its content: a reload brings equal objects, but new ones. */
const contexts = new WeakMap<PoolTls, tls.SecureContext>();
const contextsByContent = new Map<string, tls.SecureContext>();
const MAX_CONTEXTS = 256;

function contextOf(config: PoolTls): tls.SecureContext {
  let context = contexts.get(config);
  if (context !== undefined) return context;
  const content = tlsFingerprint(config);
  context = contextsByContent.get(content) ?? createContext(config);
  contextsByContent.delete(content);
  contextsByContent.set(content, context);
  if (contextsByContent.size > MAX_CONTEXTS) contextsByContent.delete(contextsByContent.keys().next().value!);
  contexts.set(config, context);
  return context;
}

function createContext(config: PoolTls): tls.SecureContext {
  const { ca, clientCertificate } = config;
  return tls.createSecureContext({
    minVersion: config.minVersion,
    // Without `ca` a context shares Node's parsed root store, which also honours NODE_EXTRA_CA_CERTS.
    ...(ca === 'WellKnown' ? {} : { ca: ca.pem }),
    ...(clientCertificate === null
      ? {}
      : { cert: clientCertificate.certificatePem, key: clientCertificate.key.reveal() }),
  });
}

/** Equal for equal TLS settings, the private key included (as a hash). */
export function tlsFingerprint(config: PoolTls | null): string {
  if (config === null) return '';
  const { ca, sni, subjectAltNames, clientCertificate, minVersion } = config;
  const own = clientCertificate && [clientCertificate.certificatePem, clientCertificate.key.reveal()];
  return createHash('sha256')
    .update(JSON.stringify([ca, sni, subjectAltNames, own, minVersion]))
    .digest('base64');
}

interface Session {
  readonly data: Buffer;
  /** When the certificate was last checked in full; resuming skips that. */
  readonly verifiedAtMs: number;
}

/** A certificate that expired or was replaced is noticed after this long at the latest. */
const MAX_SESSION_AGE_MS = 3_600_000;

const sessions = new WeakMap<Endpoint, Session>();

/** The last session, again and again: what single use hides (RFC 8446 appendix C.4) is that it is the same client. */
function sessionOf(endpoint: Endpoint): Buffer | null {
  const session = sessions.get(endpoint);
  if (session === undefined || performance.now() - session.verifiedAtMs > MAX_SESSION_AGE_MS) return null;
  return session.data;
}
