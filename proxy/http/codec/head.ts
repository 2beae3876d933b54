import assert from 'node:assert/strict';
import { equalsIgnoringCase } from './characters.ts';
import { CODEC_ERRORS, type CodecError, type CodecErrorCode } from './errors.ts';
import { type HeaderView, joinValues } from './headers.ts';
import { knownNumber } from './known.ts';

/** Limits of one message head. A byte over any of them refuses the message. */
export interface HeadLimits {
  /** Start line, fields and all line ends together, in bytes. */
  readonly maxHeadBytes: number;
  readonly maxTargetBytes: number;
  readonly maxFields: number;
}

export const DEFAULT_HEAD_LIMITS: HeadLimits = {
  maxHeadBytes: 65_536,
  maxTargetBytes: 16_384,
  maxFields: 128,
};

/** How the end of a message body is found (RFC 9112 §6.3). `none`: there are no body bytes at all. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'untilClose' | 'tunnel';

/**
 * `incomplete`: call again when more bytes are there. `complete`: `head.byteLength` bytes belong to the head.
 * `invalid`: `head.error` says why.
 */
export type ScanStatus = 'incomplete' | 'complete' | 'invalid';

/** Places where a scan can stop for want of bytes. */
export const PHASE = {
  start: 0,
  startLineFeed: 1,
  method: 2,
  target: 3,
  path: 4,
  query: 5,
  version: 6,
  statusCode: 7,
  reason: 8,
  lineFeed: 9,
  fieldStart: 10,
  name: 11,
  space: 12,
  value: 13,
  valueLineFeed: 14,
  endLineFeed: 15,
  done: 16,
} as const;

/** Integers per field line in `MessageHead.fields`: name start and end, value start and end, known number. */
export const STRIDE = 5;
const INITIAL_FIELDS = 24;

/**
 * A scanned head: the bytes decoded once to a latin1 string, and offsets into it. One object serves many messages: a
 * scan that follows a complete or invalid one starts afresh. What has been read out of it (strings) stays valid.
 */
export class MessageHead implements HeaderView {
  /** The whole head from the first byte scanned to the empty line. */
  text = '';
  /** Bytes of the head, with the empty line that ends it; set once complete. */
  byteLength = 0;
  error: CodecError | null = null;
  /** 1 for HTTP/1.1, 0 for HTTP/1.0. */
  minorVersion = 1;
  /** Value of Content-Length; -1 when there is none. */
  contentLength = -1;
  /** Whether Transfer-Encoding is `chunked`; any other transfer coding is refused. */
  chunked = false;
  framing: BodyFraming = 'none';
  /** The `close` option of Connection. */
  connectionClose = false;
  connectionKeepAlive = false;
  /** The `upgrade` option of Connection, with an Upgrade field, in HTTP/1.1. */
  connectionUpgrade = false;
  /** Whether Connection holds options other than close, keep-alive, upgrade and te. */
  connectionNominates = false;

  fieldCount = 0;
  fields = new Int32Array(INITIAL_FIELDS * STRIDE);
  // One bit per known number: 0-30 in the low word, 31-61 in the high one.
  presentLow = 0;
  presentHigh = 0;
  repeatedLow = 0;
  repeatedHigh = 0;

  // Where the scan stands; offsets count from the first byte of the head.
  phase: number = PHASE.start;
  position = 0;
  nameStart = 0;
  nameEnd = 0;
  valueStart = 0;

  /** Whether the connection may carry another message after this one (RFC 9112 §9.3). */
  get persistent(): boolean {
    return !this.connectionClose && (this.minorVersion === 1 || this.connectionKeepAlive);
  }

  /** The protocols offered (request) or taken (response) for an upgrade; undefined when there is no valid one. */
  get upgrade(): string | undefined {
    return this.connectionUpgrade ? this.get('upgrade') : undefined;
  }

  /** Forgets an unfinished scan. */
  reset(): void {
    this.text = '';
    this.byteLength = 0;
    this.error = null;
    this.minorVersion = 1;
    this.contentLength = -1;
    this.chunked = false;
    this.framing = 'none';
    this.connectionClose = false;
    this.connectionKeepAlive = false;
    this.connectionUpgrade = false;
    this.connectionNominates = false;
    this.fieldCount = 0;
    this.presentLow = 0;
    this.presentHigh = 0;
    this.repeatedLow = 0;
    this.repeatedHigh = 0;
    this.phase = PHASE.start;
    this.position = 0;
    this.nameStart = 0;
    this.nameEnd = 0;
    this.valueStart = 0;
  }

  /** Ends the scan with an error. */
  fail(code: CodecErrorCode): 'invalid' {
    this.phase = PHASE.done;
    this.error = CODEC_ERRORS[code];
    return 'invalid';
  }

  /** Makes room for one more field line. */
  grow(): void {
    const larger = new Int32Array(this.fields.length * 2);
    larger.set(this.fields);
    this.fields = larger;
  }

  hasKnown(number: number): boolean {
    return number < 31
      ? (this.presentLow & (1 << number)) !== 0
      : (this.presentHigh & (1 << (number - 31))) !== 0;
  }

  /** Whether a known field stands on more than one line. */
  isRepeated(number: number): boolean {
    return number < 31
      ? (this.repeatedLow & (1 << number)) !== 0
      : (this.repeatedHigh & (1 << (number - 31))) !== 0;
  }

  /** Index of the first line of a known field at or after `from`; -1 when there is none. */
  indexOfKnown(number: number, from = 0): number {
    const fields = this.fields;
    for (let i = from; i < this.fieldCount; i++) if (fields[i * STRIDE + 4] === number) return i;
    return -1;
  }

  /** Value of a known field, joined as in `get`. */
  getKnown(number: number, name: string): string | undefined {
    if (!this.hasKnown(number)) return undefined;
    if (this.isRepeated(number)) return joinValues(name, this.values(name));
    return this.valueAt(this.indexOfKnown(number));
  }

  has(name: string): boolean {
    const number = knownNumber(name);
    return number !== 0 ? this.hasKnown(number) : this.#indexOf(name, 0, 0) >= 0;
  }

  get(name: string): string | undefined {
    const number = knownNumber(name);
    if (number !== 0) return this.getKnown(number, name);
    const index = this.#indexOf(name, 0, 0);
    if (index < 0) return undefined;
    return this.#indexOf(name, 0, index + 1) < 0 ? this.valueAt(index) : joinValues(name, this.values(name));
  }

  values(name: string): string[] {
    const number = knownNumber(name);
    const values: string[] = [];
    if (number !== 0 && !this.hasKnown(number)) return values;
    for (let i = this.#indexOf(name, number, 0); i >= 0; i = this.#indexOf(name, number, i + 1)) {
      values.push(this.valueAt(i));
    }
    return values;
  }

  nameAt(index: number): string {
    assert(index >= 0 && index < this.fieldCount, 'field index out of range');
    const at = index * STRIDE;
    return this.text.slice(this.fields[at], this.fields[at + 1]);
  }

  valueAt(index: number): string {
    assert(index >= 0 && index < this.fieldCount, 'field index out of range');
    const at = index * STRIDE;
    return this.text.slice(this.fields[at + 2], this.fields[at + 3]);
  }

  *entries(): IterableIterator<[string, string]> {
    for (let i = 0; i < this.fieldCount; i++) yield [this.nameAt(i), this.valueAt(i)];
  }

  #indexOf(name: string, number: number, from: number): number {
    if (number !== 0) return this.indexOfKnown(number, from);
    const fields = this.fields;
    for (let i = from; i < this.fieldCount; i++) {
      const at = i * STRIDE;
      if (fields[at + 4] === 0 && equalsIgnoringCase(this.text, fields[at]!, fields[at + 1]!, name)) return i;
    }
    return -1;
  }
}

/** The four forms of a request target (RFC 9112 §3.2). */
export type TargetForm = 'origin' | 'absolute' | 'authority' | 'asterisk';

export class RequestHead extends MessageHead {
  method = '';
  form: TargetForm = 'origin';
  /** Scheme of an absolute-form target, lower case; otherwise empty. */
  scheme: '' | 'http' | 'https' = '';
  /**
   * host[:port] as received: of the target where it has one (then Host is ignored, RFC 9112 §3.2.2), otherwise of the
   * Host field; empty in an HTTP/1.0 request without Host.
   */
  authority = '';
  /** As received, without the query; `/` where an absolute form has none, `*` in asterisk form, empty for CONNECT. */
  path = '';
  /** Without the `?`; empty when there is none. */
  query = '';
  /** Whether the target has a `?`, even with nothing behind it. */
  hasQuery = false;

  // Offsets into `text`.
  targetStart = 0;
  targetEnd = 0;
  queryStart = -1;
  versionStart = 0;

  /** The request target as received. */
  get target(): string {
    return this.text.slice(this.targetStart, this.targetEnd);
  }

  /** Path and query as the next hop shall get them (origin form, or `*`). */
  get originTarget(): string {
    if (this.form === 'origin') return this.target;
    return this.hasQuery ? `${this.path}?${this.query}` : this.path;
  }

  /** Whether the client waits for 100 (Continue) before it sends the body; never in HTTP/1.0 (RFC 9110 §10.1.1). */
  get expectsContinue(): boolean {
    const expect = this.minorVersion === 1 ? this.get('expect') : undefined;
    return expect !== undefined && equalsIgnoringCase(expect, 0, expect.length, '100-continue');
  }

  override reset(): void {
    super.reset();
    this.method = '';
    this.form = 'origin';
    this.scheme = '';
    this.authority = '';
    this.path = '';
    this.query = '';
    this.hasQuery = false;
    this.targetStart = 0;
    this.targetEnd = 0;
    this.queryStart = -1;
    this.versionStart = 0;
  }
}

export class ResponseHead extends MessageHead {
  /** 100 to 999. */
  status = 0;
  reasonStart = 0;
  reasonEnd = 0;

  /** Reason phrase as received; may be empty. */
  get reason(): string {
    return this.text.slice(this.reasonStart, this.reasonEnd);
  }

  override reset(): void {
    super.reset();
    this.status = 0;
    this.reasonStart = 0;
    this.reasonEnd = 0;
  }
}
