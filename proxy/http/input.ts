/** Bytes that have been received from a client and not been used yet. */
export class Input {
  /** Received so far, on the whole connection. */
  received = 0;
  /** What is unused begins at `position`; `null` when there is nothing. */
  buffer: Buffer | null = null;
  position = 0;
  /** What `buffer` is the beginning of, with room behind it, where several chunks had to be joined. */
  #joined: Buffer | null = null;

  append(chunk: Buffer): void {
    this.received += chunk.length;
    if (this.buffer === null) this.buffer = chunk;
    else this.#join(this.buffer, chunk);
  }

  /** Room grows by doubling, so that a client that sends byte by byte has each byte copied a few times, not often. */
  #join(buffer: Buffer, chunk: Buffer): void {
    let { length } = buffer;
    if (this.#joined === null || length + chunk.length > this.#joined.length) {
      const unused = buffer.subarray(this.position);
      length = unused.length;
      this.#joined = Buffer.allocUnsafeSlow(2 * (length + chunk.length));
      this.#joined.set(unused);
      this.position = 0;
    }
    // Behind all that was handed out before, which may still be in use.
    this.#joined.set(chunk, length);
    this.buffer = this.#joined.subarray(0, length + chunk.length);
  }

  get unused(): number {
    return this.buffer === null ? 0 : this.buffer.length - this.position;
  }

  advance(bytes: number): void {
    this.position += bytes;
    if (this.position === this.buffer!.length) this.clear();
  }

  clear(): void {
    this.buffer = null;
    this.#joined = null;
    this.position = 0;
  }

  /** Takes all that is unused; `null` when there is nothing. */
  take(): Buffer | null {
    const rest = this.buffer === null ? null : this.buffer.subarray(this.position);
    this.clear();
    return rest;
  }

  /** How many heads end in what is unused, up to `limit`: about as many requests wait there. */
  countHeads(limit: number): number {
    if (this.buffer === null) return 0;
    let count = 0;
    let at = this.buffer.indexOf('\r\n\r\n', this.position, 'latin1');
    for (; at >= 0 && count < limit; count++) at = this.buffer.indexOf('\r\n\r\n', at + 4, 'latin1');
    return count;
  }
}
