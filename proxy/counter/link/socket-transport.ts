import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { WebSocket } from 'ws';
import type { Incarnation } from '../protocol/lease.ts';
import { Acceptor, dialOver, endServer, type LinkTransport, letIn } from './transport.ts';

/** What the kernel takes (`sun_path`), less the end mark; macOS takes four less. */
const MAX_PATH_BYTES = 103;
const SOCKET_NAME = /^[a-z0-9]{16}\.sock$/;
/** A socket that nobody answers at, and older than this, was left by a process that is gone. */
const LEFT_AFTER_MS = 10_000;

/**
 * Links between processes of one machine, over sockets in the members' directory. Who may write there may connect:
 * the kernel sees to that, and there is nothing to sign.
 */
export class SocketTransport implements LinkTransport {
  readonly address: string;
  readonly #folder: SocketFolder;
  readonly #server: Server;
  readonly #acceptor: Acceptor;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(address: string, folder: SocketFolder, server: Server, acceptor: Acceptor) {
    this.address = address;
    this.#folder = folder;
    this.#server = server;
    this.#acceptor = acceptor;
    this.#sockets = letIn(server, acceptor);
  }

  /**
   * @param directory prepared by `prepareMembersDirectory`
   * @throws Error when there can be no socket there
   */
  static async listen(directory: string): Promise<SocketTransport> {
    const folder = new SocketFolder(directory);
    const address = `${randomBytes(8).toString('hex')}.sock`;
    const acceptor = new Acceptor(() => true);
    const server = createServer((_request, response) => response.writeHead(426).end());
    server.listen(folder.path(address));
    await once(server, 'listening');
    removeLeftSockets(directory, address, folder);
    return new SocketTransport(address, folder, server, acceptor);
  }

  serve(self: Incarnation, onLink: (peer: Incarnation, socket: WebSocket) => void): void {
    this.#acceptor.serve(self, onLink);
  }

  dial(self: Incarnation, peer: Incarnation, address: string): WebSocket {
    if (!SOCKET_NAME.test(address)) throw new Error(`found the address "${address}", expected NAME.sock`);
    return dialOver(self, peer, () => connect({ path: this.#folder.path(address) }));
  }

  async close(): Promise<void> {
    await endServer(this.#server, this.#sockets);
    this.#folder.close();
  }
}

/** Names sockets so that the kernel takes the name, however long the folder's own is. */
class SocketFolder {
  readonly #directory: string;
  readonly #descriptor: number | null;

  constructor(directory: string) {
    this.#directory = directory;
    const isShort = Buffer.byteLength(join(directory, 'x'.repeat(16))) + '.sock'.length <= MAX_PATH_BYTES;
    if (!isShort && process.platform !== 'linux')
      throw new Error(
        `members directory ${directory}: found a path too long for sockets, expected a shorter`,
      );
    this.#descriptor = isShort ? null : openSync(directory, 'r');
  }

  path(name: string): string {
    if (this.#descriptor === null) return join(this.#directory, name);
    return `/proc/self/fd/${this.#descriptor}/${name}`;
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
  }
}

/** Tidies up after processes that were killed. */
function removeLeftSockets(directory: string, own: string, folder: SocketFolder): void {
  for (const name of readdirSync(directory)) {
    if (name === own || !SOCKET_NAME.test(name)) continue;
    const path = join(directory, name);
    try {
      if (Date.now() - statSync(path).mtimeMs < LEFT_AFTER_MS) continue;
    } catch {
      continue;
    }
    const probe = connect({ path: folder.path(name) });
    probe.on('connect', () => probe.destroy());
    probe.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNREFUSED') return;
      try {
        unlinkSync(path);
      } catch {
        // Somebody else was quicker.
      }
    });
  }
}
