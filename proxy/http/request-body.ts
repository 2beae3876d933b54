import { type BodyReader, bodyReader } from './codec/body.ts';
import type { RequestHead } from './codec/head.ts';

/** How much of an unwanted request body is read away to keep a connection. */
const MAX_DISCARDED_BYTES = 65_536;

/** The body of the request in progress on an HTTP/1.x connection: how far it has come, and what to do about the rest. */
export class RequestBody {
  /** Whether the exchange takes it at the moment. */
  wanted = false;
  readonly #head: RequestHead;
  #reader: BodyReader | null = null;
  #continueSent = false;
  #discardedBytes = 0;

  constructor(head: RequestHead) {
    this.#head = head;
  }

  /** Begins with the body that the head announces. */
  begin(): void {
    const { framing, contentLength } = this.#head;
    this.wanted = false;
    this.#reader = framing === 'none' ? null : bodyReader(framing, Math.max(0, contentLength));
    this.#continueSent = false;
    this.#discardedBytes = 0;
  }

  clear(): void {
    this.#reader = null;
  }

  get pending(): boolean {
    return this.#reader !== null && !this.#reader.done;
  }

  /** -1 where it is not known. */
  get announcedBytes(): number {
    return this.#head.chunked ? -1 : Math.max(0, this.#head.contentLength);
  }

  get receivedBytes(): number {
    return this.#reader?.payloadBytes ?? 0;
  }

  /** @returns where the part of the body ends in the buffer; -1 when it is invalid */
  take(buffer: Buffer, start: number): number {
    return this.#reader!.push(buffer, start, buffer.length);
  }

  /** The same for a body that nobody wants; also -1 when it goes on for too long. */
  discard(buffer: Buffer, start: number): number {
    const end = this.take(buffer, start);
    if (end < 0) return end;
    this.#discardedBytes += end - start;
    return this.pending && this.#discardedBytes > MAX_DISCARDED_BYTES ? -1 : end;
  }

  /** Whether a backend's 100 (Continue) is to be passed on: once, to a client that asked for it. */
  passContinue(): boolean {
    if (!this.#head.expectsContinue || this.#continueSent) return false;
    this.#continueSent = true;
    return true;
  }

  /** Whether the connection can go on after an answer that came before the end of the body. */
  get worthReading(): boolean {
    if (!this.pending) return true;
    // A client that waits for 100 may never send its body, and we could not tell it from the next request.
    if (this.#head.expectsContinue && !this.#continueSent) return false;
    return this.announcedBytes >= 0 && this.announcedBytes - this.receivedBytes <= MAX_DISCARDED_BYTES;
  }
}
