import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { connect, type PeerCertificate, TLSSocket } from 'node:tls';
import type { WebSocket } from 'ws';
import type { Incarnation } from '../protocol/lease.ts';
import { type GatewayName, memberUri, speaksFor } from './identity.ts';
import {
  Acceptor,
  dialOver,
  endServer,
  HANDSHAKE_TIMEOUT_MS,
  type LinkTransport,
  letIn,
} from './transport.ts';

/** All as PEM. */
export interface LinkCredentials {
  /** Who signs members' certificates; more than one while that changes. */
  readonly ca: string;
  /** For clients and servers both, with a name of `memberUri`. */
  readonly certificate: string;
  readonly key: string;
}

export interface TlsTransportOptions {
  readonly gateway: GatewayName;
  readonly credentials: LinkCredentials;
  readonly listen: { readonly host: string; readonly port: number };
  /** The host by which others reach this process. */
  readonly host: string;
}

/** Links over TLS 1.3, where both sides show who they are. */
export class TlsTransport implements LinkTransport {
  readonly address: string;
  readonly #gateway: GatewayName;
  readonly #server: Server;
  readonly #acceptor: Acceptor;
  readonly #sockets: ReadonlySet<Socket>;
  #credentials: LinkCredentials;

  private constructor(options: TlsTransportOptions, server: Server, acceptor: Acceptor) {
    this.#gateway = options.gateway;
    this.#credentials = options.credentials;
    this.#server = server;
    this.#acceptor = acceptor;
    this.#sockets = letIn(server, acceptor);
    this.address = hostPort(options.host, (server.address() as AddressInfo).port);
  }

  /** @throws Error when the port cannot be had, or the credentials are none */
  static async listen(options: TlsTransportOptions): Promise<TlsTransport> {
    const { gateway, credentials, listen } = options;
    const acceptor = new Acceptor(
      (peer, socket) => socket instanceof TLSSocket && isFrom(socket, gateway, peer),
    );
    const server = createServer(
      {
        ...tlsOptions(credentials),
        requestCert: true,
        maxHeaderSize: 8192,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        headersTimeout: HANDSHAKE_TIMEOUT_MS,
        requestTimeout: HANDSHAKE_TIMEOUT_MS,
      },
      (_request, response) => response.writeHead(426).end(),
    );
    // Whoever knocks with other certificates, or none: it is told by TLS, and is no news here.
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    server.listen(listen.port, listen.host);
    await once(server, 'listening');
    return new TlsTransport(options, server, acceptor);
  }

  /** New certificates hold for links that are opened from now on; those that are open stay. */
  rotate(credentials: LinkCredentials): void {
    this.#server.setSecureContext(tlsOptions(credentials));
    this.#credentials = credentials;
  }

  serve(self: Incarnation, onLink: (peer: Incarnation, socket: WebSocket) => void): void {
    this.#acceptor.serve(self, onLink);
  }

  dial(self: Incarnation, peer: Incarnation, address: string): WebSocket {
    const { hostname, port } = new URL(`tcp://${address}`);
    return dialOver(self, peer, () =>
      connect({
        ...tlsOptions(this.#credentials),
        host: hostname.replace(/^\[(.*)\]$/, '$1'),
        port: Number(port),
        // Pods have addresses; whose certificate it is says the member's name in it.
        servername: '',
        checkServerIdentity: (_host, certificate) => this.#identityProblem(certificate, peer),
      }),
    );
  }

  async close(): Promise<void> {
    await endServer(this.#server, this.#sockets);
  }

  #identityProblem({ subjectaltname }: PeerCertificate, peer: Incarnation): Error | undefined {
    if (speaksFor(subjectaltname, this.#gateway, peer)) return undefined;
    const expected = memberUri(this.#gateway, null);
    return new Error(`certificate: found the names ${subjectaltname ?? 'none'}, expected ${expected}[/POD]`);
  }
}

function isFrom(socket: TLSSocket, gateway: GatewayName, peer: Incarnation): boolean {
  return socket.authorized && speaksFor(socket.getPeerX509Certificate()?.subjectAltName, gateway, peer);
}

function tlsOptions({ ca, certificate, key }: LinkCredentials) {
  return { ca, cert: certificate, key, minVersion: 'TLSv1.3', rejectUnauthorized: true } as const;
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
