import type { Socket } from 'node:net';

/** Up to this size a piece of a body is gathered with its head: copying it is cheaper than a second system call. */
const GATHERED_BYTES = 4096;
/** Gathered text is sent when it grows beyond this. */
const MAX_TEXT = 16_384;

/**
 * What is on its way to one socket. Heads and small pieces of bodies gather as one latin1 string (which holds any
 * byte) until `flush`, so that a message that is there as a whole leaves in a single write.
 */
export class Output {
  /** Bytes handed in so far, heads and framing included. */
  bytes = 0;
  /** Whether the socket asked to wait for its `drain`. */
  blocked = false;
  readonly #socket: Socket;
  #text = '';

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** @param text latin1 */
  text(text: string): void {
    this.bytes += text.length;
    this.#text = this.#text === '' ? text : this.#text + text;
    if (this.#text.length > MAX_TEXT) this.flush();
  }

  data(buffer: Buffer, start: number, end: number): void {
    if (end - start <= GATHERED_BYTES) {
      this.text(buffer.toString('latin1', start, end));
      return;
    }
    this.bytes += end - start;
    const data = start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end);
    const text = this.#text;
    if (text === '') {
      this.blocked = !this.#socket.write(data);
      return;
    }
    this.#text = '';
    this.#socket.cork();
    this.#socket.write(text, 'latin1');
    this.blocked = !this.#socket.write(data);
    this.#socket.uncork();
  }

  flush(): void {
    const text = this.#text;
    if (text === '') return;
    this.#text = '';
    this.blocked = !this.#socket.write(text, 'latin1');
  }

  /** To be called on the socket's `drain`. */
  drained(): void {
    this.blocked = false;
  }
}
