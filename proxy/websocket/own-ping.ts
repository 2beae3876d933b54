/** The gateway's own pings, and the answers to them, which no backend shall see. */
import { randomBytes } from 'node:crypto';
import { controlFrame, type FrameReader, PING, PONG } from './frames.ts';

/**
 * Payload of the gateway's pings. Nobody but its own clients ever sees it, so a pong that carries it answers a ping
 * that the backend knows nothing of.
 */
const PING_PAYLOAD = randomBytes(8);
export const PING_FRAME = controlFrame(PING, PING_PAYLOAD, null);
/** Header, mask and payload of a client's pong of that size. */
const PONG_BYTES = 6 + PING_PAYLOAD.length;

/** Who gets what a client says. */
export interface Upstream {
  toUpstream(chunk: Uint8Array): void;
}

/** Holds a client's answers to the gateway's pings back. */
export class PongFilter {
  /** The beginning of a pong that may be one. */
  #held: Buffer | null = null;

  /** What is held: it is to be passed on where the rest of it is not awaited. */
  take(): Buffer | null {
    const held = this.#held;
    this.#held = null;
    return held;
  }

  /** Passes on what the client says but for those answers. */
  pass(reader: FrameReader, chunk: Uint8Array, to: Upstream): void {
    let passed = 0;
    let at = 0;
    let holding = this.#held !== null;
    while (at < chunk.length) {
      if (!holding && reader.atBoundary && (chunk[at]! & 0x0f) === PONG) {
        if (at > passed) to.toUpstream(chunk.subarray(passed, at));
        passed = at;
        holding = true;
      }
      const start = at;
      at = reader.read(chunk, at);
      if (!holding) continue;
      const part = chunk.subarray(start, at);
      const frame: Buffer = this.#held === null ? Buffer.from(part) : Buffer.concat([this.#held, part]);
      passed = at;
      const undecided =
        !reader.headerRead || (!reader.atBoundary && reader.payloadLength === PING_PAYLOAD.length);
      if (undecided) this.#held = frame;
      else {
        this.#held = null;
        holding = false;
        if (!isOurPong(frame)) to.toUpstream(frame);
      }
    }
    if (at > passed) to.toUpstream(chunk.subarray(passed, at));
  }
}

function isOurPong(frame: Uint8Array): boolean {
  if (
    frame.length !== PONG_BYTES ||
    frame[0] !== (0x80 | PONG) ||
    frame[1] !== (0x80 | PING_PAYLOAD.length)
  ) {
    return false;
  }
  for (let i = 0; i < PING_PAYLOAD.length; i++) {
    if ((frame[6 + i]! ^ frame[2 + (i & 3)]!) !== PING_PAYLOAD[i]) return false;
  }
  return true;
}
