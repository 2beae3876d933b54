import assert from 'node:assert/strict';
import { ChunkedReader, type ChunkLimits, DEFAULT_CHUNK_LIMITS } from './chunked.ts';
import type { CodecError } from './errors.ts';
import type { BodyFraming } from './head.ts';

/**
 * Follows a body through the bytes of its connection, and tells where it ends. Nothing is copied: what it consumed may
 * be passed on as it came in, and `ranges` says which part of it is payload for those who want that alone.
 */
export interface BodyReader {
  /** Whether the message is complete. */
  readonly done: boolean;
  readonly error: CodecError | null;
  /** Payload bytes so far, without any framing. */
  readonly payloadBytes: number;
  /** Payload of the last `push`: start and end, pairwise, as positions in the buffer that was pushed. */
  readonly ranges: readonly number[];
  /**
   * Takes the bytes of this message from `buffer[start, end)`.
   * @returns the position behind the last byte taken: `end`, or less where the message is done; -1 when the body is
   * invalid, then `error` is set and nothing of `buffer` may be passed on
   */
  push(buffer: Buffer, start: number, end: number): number;
  /** Whether a connection that ends now leaves a complete message (RFC 9112 §8). */
  readonly completeAtEnd: boolean;
}

/** A reader for a body of that framing; `none` and `tunnel` have no body. */
export function bodyReader(
  framing: BodyFraming,
  contentLength: number,
  limits: ChunkLimits = DEFAULT_CHUNK_LIMITS,
): BodyReader {
  if (framing === 'chunked') return new ChunkedReader(limits);
  if (framing === 'untilClose') return new UntilCloseReader();
  return new LengthReader(framing === 'length' ? contentLength : 0);
}

/** A body of a given number of bytes. */
export class LengthReader implements BodyReader {
  readonly error = null;
  readonly ranges: number[] = [];
  payloadBytes = 0;
  remaining: number;

  constructor(contentLength: number) {
    assert(Number.isSafeInteger(contentLength) && contentLength >= 0, 'not a content length');
    this.remaining = contentLength;
  }

  get done(): boolean {
    return this.remaining === 0;
  }

  get completeAtEnd(): boolean {
    return this.remaining === 0;
  }

  push(_buffer: Buffer, start: number, end: number): number {
    const taken = Math.min(this.remaining, end - start);
    this.remaining -= taken;
    this.payloadBytes += taken;
    this.ranges.length = 0;
    if (taken > 0) this.ranges.push(start, start + taken);
    return start + taken;
  }
}

/** A response body that ends with the connection. */
export class UntilCloseReader implements BodyReader {
  readonly error = null;
  readonly done = false;
  readonly completeAtEnd = true;
  readonly ranges: number[] = [];
  payloadBytes = 0;

  push(_buffer: Buffer, start: number, end: number): number {
    this.payloadBytes += end - start;
    this.ranges.length = 0;
    if (end > start) this.ranges.push(start, end);
    return end;
  }
}
