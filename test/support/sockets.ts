/** Real sockets on loopback for tests, closed again when the test is over. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** Listens on a free port of 127.0.0.1. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** The two ends of one TCP connection: half-open allowed, errors swallowed, destroyed after the test. */
export async function socketPair(t: TestContext): Promise<[near: Socket, far: Socket]> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: false });
  const port = await listen(server);
  const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [far] = (await once(server, 'connection')) as [Socket];
  if (near.connecting) await once(near, 'connect');
  server.close();
  for (const socket of [near, far]) {
    socket.on('error', () => {});
    t.after(() => socket.destroy());
  }
  return [near, far];
}

/** Collects what a socket gets, and waits for it. */
export class Reader {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  ended = false;
  closed = false;
  #changed = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#change();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#change();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.#change();
    });
  }

  /** Resolves once the condition holds; fails when the socket is closed before. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      assert(
        !this.closed,
        `closed after ${this.received.length} bytes: ${this.received.toString('latin1', 0, 200)}`,
      );
      await this.#changed.promise;
    }
  }

  bytes(count: number): Promise<void> {
    return this.until(() => this.received.length >= count);
  }

  end(): Promise<void> {
    return this.until(() => this.ended);
  }

  close(): Promise<void> {
    return this.until(() => this.closed);
  }

  #change(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
