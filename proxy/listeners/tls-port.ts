/**
 * TLS termination of one port: which listener a client means is read from its hello, then a TLS server with that
 * listener's demands does the handshake. Listeners with equal demands share a server.
 *
 * Demands differ by listener, and asking every client of a port for a certificate because one listener wants it
 * makes browsers show a dialog. Nor can a name be switched to another minimum version in the middle of a handshake.
 */
import { createHash } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import tls from 'node:tls';
import type { Certificate, ListenerTls, Port } from '../config/snapshot.ts';
import { HostnameIndex, normaliseHost } from '../routing/hostname.ts';
import { parseClientHello } from './client-hello.ts';
import { clientCertificateFailure, type HandshakeFailure, handshakeFailure } from './words.ts';

/** From the connection to the end of the handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** For TLS 1.2: forward secrecy and authenticated encryption only. TLS 1.3 has nothing else. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** A fatal alert `unrecognized_name` (RFC 6066 §3) before any version is agreed on. */
const UNRECOGNIZED_NAME = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

export interface TlsHandlers {
  readonly ticketKeys: Uint8Array;
  readonly handshakeTimeoutMs: number;
  secure(socket: tls.TLSSocket, serverName: string): void;
  failed(failure: HandshakeFailure): void;
}

/** The TLS server of listeners with equal demands; immutable, replaced as a whole when anything changes. */
interface Terminator {
  /** `null` where no certificate can be used. */
  readonly server: tls.Server | null;
  /** What is wrong with certificates that are left out. */
  readonly problem: string | null;
}

export class TlsPort {
  readonly #handlers: TlsHandlers;
  readonly #servers = new HostnameIndex<tls.Server>();
  /** By what they are made of. */
  readonly #made = new Map<string, Terminator>();
  /** For clients without a server name where no listener takes any name. */
  #default: tls.Server | null = null;
  /** What is wrong with listeners that are left out, by name. */
  readonly failures = new Map<string, string>();

  /** @param previous the same port before: its servers are taken over where nothing has changed for them */
  constructor(
    port: Port,
    certificates: ReadonlyMap<string, Certificate>,
    handlers: TlsHandlers,
    previous: TlsPort | null = null,
  ) {
    this.#handlers = handlers;
    const fingerprints = new Map<Certificate, string>();
    for (const listener of port.listeners) {
      const { tls: settings } = listener;
      if (listener.protocol !== 'HTTPS' || settings === null || settings.mode !== 'Terminate') continue;
      const shown = settings.certificates.flatMap((id) => certificates.get(id) ?? []);
      const key = keyOf(settings, shown, fingerprints);
      const earlier = this.#made.get(key) ?? (previous === null ? undefined : previous.#made.get(key));
      const terminator = earlier ?? terminatorOf(settings, shown, handlers);
      this.#made.set(key, terminator);
      if (terminator.problem !== null) this.failures.set(listener.name, terminator.problem);
      if (terminator.server === null) continue;
      this.#default ??= terminator.server;
      if (listener.hostnames.length === 0) this.#servers.add('*', terminator.server);
      else for (const hostname of listener.hostnames) this.#servers.add(hostname, terminator.server);
    }
  }

  get isEmpty(): boolean {
    return this.#default === null;
  }

  /** Takes a connection from its first byte on. */
  accept(socket: Socket): void {
    const hello = new PendingHello(socket, this.#handlers.handshakeTimeoutMs, (result) => {
      if (typeof result === 'string') this.#handlers.failed(result);
      else this.#handshake(socket, result.serverName);
    });
    hello.start();
  }

  #handshake(socket: Socket, serverName: string): void {
    // Server names are never addresses (RFC 6066 §3), but some clients send them: as good as none.
    const name = isIP(serverName) === 0 ? normaliseHost(serverName) : '';
    const server = this.#servers.find(name) ?? (name === '' ? this.#default : null);
    if (server === null) {
      this.#handlers.failed('unknown_server_name');
      socket.end(UNRECOGNIZED_NAME);
      socket.destroySoon();
      return;
    }
    server.emit('connection', socket);
  }
}

/** Equal for listeners that show the same certificates and ask the same of clients. */
function keyOf(
  settings: ListenerTls,
  certificates: readonly Certificate[],
  fingerprints: Map<Certificate, string>,
): string {
  const shown = certificates.map((certificate) => {
    const known = fingerprints.get(certificate);
    if (known !== undefined) return known;
    const { id, chainPem, key } = certificate;
    const text = JSON.stringify([id, chainPem, key.reveal()]);
    const fingerprint = createHash('sha256').update(text).digest('hex');
    fingerprints.set(certificate, fingerprint);
    return fingerprint;
  });
  const { minVersion, clientValidation } = settings;
  return JSON.stringify([shown, minVersion, clientValidation?.mode, clientValidation?.caPem]);
}

function terminatorOf(
  settings: ListenerTls,
  certificates: readonly Certificate[],
  handlers: TlsHandlers,
): Terminator {
  const contexts = new HostnameIndex<tls.SecureContext>();
  let first: { context: tls.SecureContext; certificate: Certificate } | null = null;
  let problem: string | null = null;
  for (const certificate of certificates) {
    try {
      const context = tls.createSecureContext(contextOptions(certificate, settings, handlers.ticketKeys));
      first ??= { context, certificate };
      for (const name of certificate.dnsNames) contexts.add(name, context);
    } catch (error) {
      problem = `certificate ${certificate.id} cannot be used: ${(error as Error).message}`;
    }
  }
  if (first === null) return { server: null, problem: problem ?? 'there is no certificate' };
  return { server: serverOf(settings, first.certificate, contexts, first.context, handlers), problem };
}

function serverOf(
  settings: ListenerTls,
  certificate: Certificate,
  contexts: HostnameIndex<tls.SecureContext>,
  fallback: tls.SecureContext,
  handlers: TlsHandlers,
): tls.Server {
  const { clientValidation } = settings;
  const server = tls.createServer({
    ...contextOptions(certificate, settings, handlers.ticketKeys),
    SNICallback: (name, callback) => callback(null, contexts.find(normaliseHost(name)) ?? fallback),
    // A client that speaks HTTP/1.0 only may say so (curl --http1.0 does), and would be refused otherwise.
    ALPNProtocols: ['http/1.1', 'http/1.0'],
    handshakeTimeout: handlers.handshakeTimeoutMs,
    allowHalfOpen: true,
    requestCert: clientValidation !== null,
    // Judged by `clientFailure` below, which also says why.
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket) => {
    const failure = clientFailure(socket, clientValidation);
    if (failure !== null) {
      handlers.failed(failure);
      socket.on('error', ignore);
      socket.destroy();
      return;
    }
    const name = socket.servername;
    handlers.secure(socket, typeof name === 'string' ? name : '');
  });
  server.on('tlsClientError', (error, socket) => {
    handlers.failed(handshakeFailure(error));
    socket.on('error', ignore);
    socket.destroy();
  });
  return server;
}

function ignore(): void {}

/**
 * Why a client is refused for its certificate. A resumed session counts as authorized even where it began without a
 * certificate, so a required one must be there, not only be in order.
 */
function clientFailure(
  socket: tls.TLSSocket,
  validation: ListenerTls['clientValidation'],
): HandshakeFailure | null {
  if (validation === null) return null;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return validation.mode === 'Require' ? 'client_certificate_missing' : null;
  return socket.authorized ? null : clientCertificateFailure(String(socket.authorizationError));
}

function contextOptions(
  certificate: Certificate,
  { minVersion, clientValidation }: ListenerTls,
  ticketKeys: Uint8Array,
): tls.SecureContextOptions & { readonly ticketKeys: Buffer } {
  return {
    cert: certificate.chainPem,
    key: certificate.key.reveal(),
    minVersion,
    ciphers: CIPHERS,
    ticketKeys: Buffer.from(ticketKeys),
    sessionIdContext: sessionIdContext(minVersion, clientValidation),
    ...(clientValidation === null ? {} : { ca: clientValidation.caPem }),
  };
}

/** A session is resumed only where the same was demanded of the client when it began. At most 32 characters. */
function sessionIdContext(minVersion: string, clientValidation: ListenerTls['clientValidation']): string {
  const demands = JSON.stringify([minVersion, clientValidation?.mode, clientValidation?.caPem]);
  return createHash('sha256').update(demands).digest('hex').slice(0, 32);
}

/** A connection whose hello is not complete yet. */
class PendingHello {
  readonly #socket: Socket;
  readonly #done: (result: { readonly serverName: string } | HandshakeFailure) => void;
  readonly #timer: NodeJS.Timeout;
  #chunks: Buffer[] = [];

  constructor(
    socket: Socket,
    timeoutMs: number,
    done: (result: { readonly serverName: string } | HandshakeFailure) => void,
  ) {
    this.#socket = socket;
    this.#done = done;
    this.#timer = setTimeout(() => this.#fail('timeout'), timeoutMs);
  }

  start(): void {
    this.#socket.on('readable', this.#onReadable);
    this.#socket.on('error', ignore);
    this.#socket.on('end', this.#onGone);
    this.#socket.on('close', this.#onGone);
  }

  readonly #onReadable = (): void => {
    for (;;) {
      const chunk = this.#socket.read() as Buffer | null;
      if (chunk === null) return;
      this.#chunks.push(chunk);
      const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
      this.#chunks = [bytes];
      const hello = parseClientHello(bytes);
      if (hello.kind === 'invalid') {
        this.#fail(hello.reason);
        return;
      }
      if (hello.kind === 'hello') {
        this.#stop();
        this.#socket.unshift(bytes);
        this.#done(hello);
        return;
      }
    }
  };

  /** A FIN in the middle of a hello, or a reset. */
  readonly #onGone = (): void => this.#fail('client_closed');

  #fail(failure: HandshakeFailure): void {
    this.#stop();
    this.#socket.destroy();
    this.#done(failure);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#socket.off('readable', this.#onReadable);
    this.#socket.off('end', this.#onGone);
    this.#socket.off('close', this.#onGone);
  }
}
