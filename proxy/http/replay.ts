/** A request body is kept up to this size so that it can be sent again. */
const MAX_REPLAY_BYTES = 65_536;

/** The request body as it was sent, framing included, while it is short. */
export class ReplayBuffer {
  readonly parts: Buffer[] = [];
  #bytes = 0;

  /** @returns null where the body is known to be too long. @param announcedBytes -1 when it is not known */
  static forBody(announcedBytes: number): ReplayBuffer | null {
    return announcedBytes > MAX_REPLAY_BYTES ? null : new ReplayBuffer();
  }

  /** @returns false when the body has become too long */
  add(buffer: Buffer, start: number, end: number): boolean {
    this.#bytes += end - start;
    if (this.#bytes > MAX_REPLAY_BYTES) return false;
    this.parts.push(buffer.subarray(start, end));
    return true;
  }
}
