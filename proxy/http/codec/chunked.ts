import assert from 'node:assert/strict';
import type { BodyReader } from './body.ts';
import { FIELD_VALUE, HEX, TOKEN } from './characters.ts';
import { CODEC_ERRORS, type CodecError, type CodecErrorCode } from './errors.ts';
import { HeaderList, type HeaderView } from './headers.ts';
import { TrailerScanner } from './trailers.ts';

export interface ChunkLimits {
  /**
   * Extensions of one chunk, in bytes. All extensions of a message may make up sixteen times this and one byte per
   * payload byte, so that tiny chunks with long extensions do not become a flood of their own.
   */
  readonly maxExtensionBytes: number;
  /** The trailer section with its line ends, in bytes. */
  readonly maxTrailerBytes: number;
  readonly maxTrailerFields: number;
}

export const DEFAULT_CHUNK_LIMITS: ChunkLimits = {
  maxExtensionBytes: 256,
  maxTrailerBytes: 8192,
  maxTrailerFields: 64,
};

const FREE_EXTENSION_CHUNKS = 16;
/** Enough for 2^53 - 1 (14 digits) and a few leading zeros. */
const MAX_SIZE_DIGITS = 16;

const LF = 0x0a;
const CR = 0x0d;
const QUOTE = 0x22;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;

const PHASE = {
  size: 0,
  extensionName: 1,
  extensionValue: 2,
  token: 3,
  quoted: 4,
  quotedPair: 5,
  quotedEnd: 6,
  sizeLineFeed: 7,
  data: 8,
  dataReturn: 9,
  dataLineFeed: 10,
  trailers: 11,
  endLineFeed: 12,
  done: 13,
  failed: 14,
} as const;

const NO_TRAILERS: HeaderView = new HeaderList();

/**
 * Chunked transfer coding (RFC 9112 §7.1), strictly: CRLF at every place where a line ends, chunk sizes of bounded
 * digits and nothing around them, extensions without white space, and a trailer section that is held to the rules of
 * header fields and may not carry fields that frame, route or authenticate a message.
 */
export class ChunkedReader implements BodyReader {
  readonly ranges: number[] = [];
  error: CodecError | null = null;
  payloadBytes = 0;
  readonly #limits: ChunkLimits;
  #phase: number = PHASE.size;
  /** Size of the chunk while its line is read, then what is left of its data. */
  #remaining = 0;
  #digits = 0;
  #lastChunk = false;
  /** Whether a name or token value has at least one character. */
  #hasToken = false;
  #extensionBytes = 0;
  #allExtensionBytes = 0;
  #trailers: TrailerScanner | null = null;

  constructor(limits: ChunkLimits = DEFAULT_CHUNK_LIMITS) {
    this.#limits = limits;
  }

  get done(): boolean {
    return this.#phase === PHASE.done;
  }

  get completeAtEnd(): boolean {
    return this.#phase === PHASE.done;
  }

  /** Fields of the trailer section; empty until the message is done. */
  get trailers(): HeaderView {
    return this.done && this.#trailers !== null ? this.#trailers.head : NO_TRAILERS;
  }

  push(buffer: Buffer, start: number, end: number): number {
    assert(this.#phase !== PHASE.failed, 'body is invalid');
    this.ranges.length = 0;
    let position = start;
    while (position < end && this.#phase !== PHASE.done) {
      if (this.#phase === PHASE.data) {
        const taken = Math.min(this.#remaining, end - position);
        this.ranges.push(position, position + taken);
        this.payloadBytes += taken;
        this.#remaining -= taken;
        position += taken;
        if (this.#remaining === 0) this.#phase = PHASE.dataReturn;
      } else if (this.#phase === PHASE.trailers) {
        position = this.#pushTrailers(buffer, position, end);
        if (position < 0) return -1;
      } else {
        const failure = this.#step(buffer[position]!);
        if (failure !== null) return this.#fail(failure);
        position++;
      }
    }
    return position;
  }

  /** One byte of framing. */
  #step(byte: number): CodecErrorCode | null {
    switch (this.#phase) {
      case PHASE.size:
        return this.#sizeByte(byte);
      case PHASE.extensionName:
      case PHASE.token:
        if (TOKEN[byte] === 1) this.#hasToken = true;
        else if (!this.#hasToken) return extensionError(byte);
        else if (byte === EQUALS && this.#phase === PHASE.extensionName) this.#phase = PHASE.extensionValue;
        else return this.#afterExtension(byte);
        return this.#countExtension();
      case PHASE.extensionValue:
        this.#hasToken = true;
        if (byte === QUOTE) this.#phase = PHASE.quoted;
        else if (TOKEN[byte] === 1) this.#phase = PHASE.token;
        else return extensionError(byte);
        return this.#countExtension();
      case PHASE.quoted:
        if (byte === QUOTE) this.#phase = PHASE.quotedEnd;
        else if (byte === BACKSLASH) this.#phase = PHASE.quotedPair;
        else if (FIELD_VALUE[byte] === 0) return extensionError(byte);
        return this.#countExtension();
      case PHASE.quotedPair:
        if (FIELD_VALUE[byte] === 0) return extensionError(byte);
        this.#phase = PHASE.quoted;
        return this.#countExtension();
      case PHASE.quotedEnd:
        return this.#afterExtension(byte);
      case PHASE.sizeLineFeed:
        if (byte !== LF) return 'BARE_CR';
        this.#allExtensionBytes += this.#extensionBytes;
        this.#extensionBytes = 0;
        this.#digits = 0;
        this.#phase = this.#lastChunk ? PHASE.trailers : PHASE.data;
        return null;
      case PHASE.dataReturn:
        if (byte !== CR) return 'CHUNK_END';
        this.#phase = PHASE.dataLineFeed;
        return null;
      case PHASE.dataLineFeed:
        if (byte !== LF) return 'CHUNK_END';
        this.#phase = PHASE.size;
        return null;
      default:
        // PHASE.endLineFeed
        if (byte !== LF) return 'BARE_CR';
        this.#phase = PHASE.done;
        return null;
    }
  }

  #sizeByte(byte: number): CodecErrorCode | null {
    const digit = HEX[byte]!;
    if (digit < 16) {
      if (++this.#digits > MAX_SIZE_DIGITS) return 'CHUNK_SIZE_TOO_LARGE';
      this.#remaining = this.#remaining * 16 + digit;
      return this.#remaining > Number.MAX_SAFE_INTEGER ? 'CHUNK_SIZE_TOO_LARGE' : null;
    }
    if (this.#digits === 0) return byte === LF ? 'BARE_LF' : 'CHUNK_SIZE';
    this.#lastChunk = this.#remaining === 0;
    if (byte === CR) this.#phase = PHASE.sizeLineFeed;
    else if (byte === SEMICOLON) return this.#beginExtension();
    else return byte === LF ? 'BARE_LF' : 'CHUNK_SIZE';
    return null;
  }

  #beginExtension(): CodecErrorCode | null {
    this.#phase = PHASE.extensionName;
    this.#hasToken = false;
    return this.#countExtension();
  }

  #afterExtension(byte: number): CodecErrorCode | null {
    if (byte === SEMICOLON) return this.#beginExtension();
    if (byte !== CR) return extensionError(byte);
    this.#phase = PHASE.sizeLineFeed;
    return null;
  }

  #countExtension(): CodecErrorCode | null {
    const limit = this.#limits.maxExtensionBytes;
    this.#extensionBytes++;
    const all = this.#allExtensionBytes + this.#extensionBytes;
    const tooLarge = this.#extensionBytes > limit || all > limit * FREE_EXTENSION_CHUNKS + this.payloadBytes;
    return tooLarge ? 'CHUNK_EXTENSION_TOO_LARGE' : null;
  }

  /** The trailer section; mostly it is empty, which needs no scanner. */
  #pushTrailers(buffer: Buffer, position: number, end: number): number {
    if (this.#trailers === null) {
      if (buffer[position] === CR) {
        this.#phase = PHASE.endLineFeed;
        return position + 1;
      }
      this.#trailers = new TrailerScanner(this.#limits.maxTrailerBytes, this.#limits.maxTrailerFields);
    }
    const next = this.#trailers.push(buffer, position, end);
    if (next < 0) {
      this.#phase = PHASE.failed;
      this.error = this.#trailers.head.error;
    } else if (this.#trailers.done) {
      this.#phase = PHASE.done;
    }
    return next;
  }

  #fail(code: CodecErrorCode): -1 {
    this.#phase = PHASE.failed;
    this.error = CODEC_ERRORS[code];
    return -1;
  }
}

function extensionError(byte: number): CodecErrorCode {
  return byte === LF ? 'BARE_LF' : 'CHUNK_EXTENSION';
}

/** The line that opens a chunk of that many bytes. */
export function chunkHeader(payloadBytes: number): string {
  assert(payloadBytes > 0, 'an empty chunk ends the body');
  return `${payloadBytes.toString(16)}\r\n`;
}

/** Follows the data of every chunk. */
export const CHUNK_END = '\r\n';

/** Ends a chunked body without trailers. */
export const LAST_CHUNK = '0\r\n\r\n';

/** Ends a chunked body with trailers. */
export function lastChunk(trailers: HeaderList): string {
  return `0\r\n${trailers.toLines()}\r\n`;
}
