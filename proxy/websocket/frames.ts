/**
 * Reads the headers of WebSocket frames in passing (RFC 6455 §5.2): boundaries, opcodes and sizes, for a stream that
 * is cut anywhere. It copies nothing, unmasks nothing and judges nothing: reserved bits and opcodes pass.
 */

export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** Position in the current frame. */
const AT_BOUNDARY = 0;
const AFTER_FIRST_BYTE = 1;
const IN_EXTENDED_HEADER = 2;
const IN_PAYLOAD = 3;

export class FrameReader {
  /** Of the frame that began last. */
  opcode = 0;
  fin = true;
  masked = false;
  /** Of the frame whose header was read last; loses precision above 2^53, where no frame ends. */
  payloadLength = 0;
  /** Frames and messages that ended. Control frames are no messages. */
  frames = 0;
  messages = 0;
  #position = AT_BOUNDARY;
  /** Bytes that are left of the extended length and the mask, or of the payload. */
  #left = 0;
  #extendedLength = 0;

  /** Between two frames: here a frame of our own may be put in, even between the fragments of a message (§5.4). */
  get atBoundary(): boolean {
    return this.#position === AT_BOUNDARY;
  }

  /** Whether the size of the current frame is known. */
  get headerRead(): boolean {
    return this.#position === IN_PAYLOAD || this.#position === AT_BOUNDARY;
  }

  /**
   * Reads from `offset` to the end of the current frame, or of the chunk if that comes first.
   * @returns the offset after what was read
   */
  read(chunk: Uint8Array, offset: number): number {
    const { length } = chunk;
    let at = offset;
    while (at < length) {
      switch (this.#position) {
        case AT_BOUNDARY: {
          const byte = chunk[at++]!;
          this.fin = (byte & 0x80) !== 0;
          this.opcode = byte & 0x0f;
          this.#position = AFTER_FIRST_BYTE;
          break;
        }
        case AFTER_FIRST_BYTE: {
          const byte = chunk[at++]!;
          const length7 = byte & 0x7f;
          this.masked = (byte & 0x80) !== 0;
          this.#extendedLength = length7 === 126 ? 2 : length7 === 127 ? 8 : 0;
          this.payloadLength = this.#extendedLength === 0 ? length7 : 0;
          this.#left = this.#extendedLength + (this.masked ? 4 : 0);
          this.#position = IN_EXTENDED_HEADER;
          if (this.#left === 0 && this.#beginPayload()) return at;
          break;
        }
        case IN_EXTENDED_HEADER: {
          const byte = chunk[at++]!;
          this.#left--;
          if (this.#extendedLength > 0) {
            this.#extendedLength--;
            this.payloadLength = this.payloadLength * 256 + byte;
          }
          if (this.#left === 0 && this.#beginPayload()) return at;
          break;
        }
        default: {
          const taken = Math.min(this.#left, length - at);
          at += taken;
          this.#left -= taken;
          if (this.#left === 0) {
            this.#endFrame();
            return at;
          }
        }
      }
    }
    return at;
  }

  /** Whether the frame is over already, having no payload. */
  #beginPayload(): boolean {
    this.#position = IN_PAYLOAD;
    this.#left = this.payloadLength;
    if (this.#left > 0) return false;
    this.#endFrame();
    return true;
  }

  #endFrame(): void {
    this.#position = AT_BOUNDARY;
    this.frames++;
    if (this.fin && this.opcode < CLOSE) this.messages++;
  }
}

/** A control frame (§5.5): at most 125 bytes of payload. @param mask four bytes; `null` for a server's frame */
export function controlFrame(opcode: number, payload: Uint8Array, mask: Uint8Array | null): Buffer {
  const start = mask === null ? 2 : 6;
  const frame = Buffer.allocUnsafe(start + payload.length);
  frame[0] = 0x80 | opcode;
  frame[1] = (mask === null ? 0 : 0x80) | payload.length;
  if (mask !== null) frame.set(mask, 2);
  for (let i = 0; i < payload.length; i++) {
    frame[start + i] = payload[i]! ^ (mask === null ? 0 : mask[i & 3]!);
  }
  return frame;
}

/** A close frame (§5.5.1); a reason that is too long is cut. */
export function closeFrame(code: number, reason: string, mask: Uint8Array | null): Buffer {
  const payload = Buffer.alloc(125);
  payload.writeUInt16BE(code, 0);
  // Cuts between characters, never within one.
  const written = payload.write(reason, 2, 'utf8');
  return controlFrame(CLOSE, payload.subarray(0, 2 + written), mask);
}
