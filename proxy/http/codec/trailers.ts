import { scanFields } from './fields.ts';
import { type HeadLimits, MessageHead, PHASE, STRIDE } from './head.ts';
import { KNOWN_NAMES } from './known.ts';

/**
 * Fields that a trailer section must not carry, since they frame, route, authenticate or control the message, or say
 * how to read content that has been read by then (RFC 9110 §6.5.1). A recipient that merged them into the header
 * section would act on what no gateway has checked.
 */
const FORBIDDEN: ReadonlySet<string> = new Set([
  ...['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'expect', 'te', 'trailer'],
  ...['keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'http2-settings'],
  ...['authorization', 'www-authenticate', 'cookie', 'set-cookie', 'origin', 'forwarded', 'via'],
  ...['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-prefix'],
  ...['x-real-ip', 'content-type', 'content-encoding', 'content-range', 'range', 'cache-control', 'location'],
  ...['max-forwards', 'sec-websocket-key', 'sec-websocket-version', 'sec-websocket-protocol'],
  ...['sec-websocket-extensions', 'sec-websocket-accept', 'access-control-request-method'],
  ...['access-control-request-headers', 'retry-after', 'vary'],
]);
const forbiddenByNumber = KNOWN_NAMES.map((name) => FORBIDDEN.has(name));

/** Scans the trailer section of a chunked body, which may arrive in pieces. */
export class TrailerScanner {
  readonly head = new MessageHead();
  done = false;
  readonly #limits: HeadLimits;
  /** What has arrived of the section, once it did not arrive whole. */
  #held: Buffer | null = null;
  #heldBytes = 0;
  #checkedFields = 0;

  constructor(maxBytes: number, maxFields: number) {
    this.#limits = { maxHeadBytes: maxBytes, maxTargetBytes: 0, maxFields };
    this.head.phase = PHASE.fieldStart;
  }

  /** @returns the position behind the last byte taken; -1 when the section is invalid, see `head.error` */
  push(buffer: Buffer, start: number, end: number): number {
    const { head } = this;
    const maxBytes = this.#limits.maxHeadBytes;
    const before = this.#heldBytes;
    const available = Math.min(end - start, maxBytes - before);
    let source = buffer;
    let base = start;
    if (this.#held !== null) {
      buffer.copy(this.#held, before, start, start + available);
      source = this.#held;
      base = 0;
    }
    const status = scanFields(head, source, base, base + before + available, this.#limits);
    // Before the error further on that a scan may have ended with: which one counts must not hang on the pieces.
    if (this.#hasForbidden()) {
      head.fail('TRAILER_FORBIDDEN');
      return -1;
    }
    if (status === 'invalid') return -1;
    if (status === 'complete') {
      head.text = source.toString('latin1', base, base + head.byteLength);
      this.done = true;
      return start + head.byteLength - before;
    }
    if (before + available === maxBytes) {
      head.fail('TRAILERS_TOO_LARGE');
      return -1;
    }
    if (this.#held === null) {
      this.#held = Buffer.allocUnsafeSlow(maxBytes);
      buffer.copy(this.#held, 0, start, start + available);
    }
    this.#heldBytes = before + available;
    return start + available;
  }

  /** Looks at the field lines that have become complete since the last time. */
  #hasForbidden(): boolean {
    for (; this.#checkedFields < this.head.fieldCount; this.#checkedFields++) {
      if (forbiddenByNumber[this.head.fields[this.#checkedFields * STRIDE + 4]!]) return true;
    }
    return false;
  }
}
