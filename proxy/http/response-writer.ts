import { type Answer, http1Answer } from './answers.ts';
import type { BodyReader } from './codec/body.ts';
import { CHUNK_END, chunkHeader, LAST_CHUNK } from './codec/chunked.ts';
import type { HeaderPlan } from './codec/edit.ts';
import type { ResponseHead } from './codec/head.ts';
import {
  CHUNKED_LINE,
  CONNECTION_CLOSE_LINE,
  CONNECTION_KEEP_ALIVE_LINE,
  contentLengthLine,
  framingLines,
  writeResponseHead,
} from './codec/write.ts';
import type { Output } from './output.ts';

/** Writes the answers of one HTTP/1.x client connection, framed so that the client can tell where they end. */
export class ResponseWriter {
  readonly #output: Output;
  /** Body bytes are framed anew: as chunks, or bare where the connection's end delimits them. */
  #reframe: 'no' | 'chunked' | 'bare' = 'no';

  constructor(output: Output) {
    this.#output = output;
  }

  /**
   * The head of a backend's answer.
   * @param old the client speaks HTTP/1.0
   * @param closing the connection ends after this answer in any case
   * @param mayEndEarly see `ExchangeDownstream.respond`
   * @returns whether the connection ends after this answer
   */
  respond(
    head: ResponseHead,
    plan: HeaderPlan,
    lines: string,
    old: boolean,
    closing: boolean,
    mayEndEarly: boolean,
  ): boolean {
    let framing = '';
    let closes = closing;
    this.#reframe = 'no';
    switch (head.framing) {
      case 'length':
        framing = contentLengthLine(head.contentLength);
        break;
      case 'chunked':
      case 'untilClose':
        if (old) {
          this.#reframe = head.framing === 'chunked' ? 'bare' : 'no';
          closes = true;
        } else {
          framing = CHUNKED_LINE;
          // Chunks of our own can be ended at any time.
          if (head.framing === 'untilClose' || mayEndEarly) this.#reframe = 'chunked';
        }
        break;
      default:
        // Answers to HEAD and 304 may tell the length of what they leave out (RFC 9110 §8.6).
        if (head.status !== 204 && !head.chunked) framing = framingLines(head);
        break;
    }
    this.#output.text(writeResponseHead(head, plan, framing, connectionLine(old, closes), lines));
    return closes;
  }

  body(buffer: Buffer, start: number, end: number, body: BodyReader): void {
    if (this.#reframe === 'no') {
      this.#output.data(buffer, start, end);
      return;
    }
    const { ranges } = body;
    const chunked = this.#reframe === 'chunked';
    for (let i = 0; i < ranges.length; i += 2) {
      const from = ranges[i]!;
      const to = ranges[i + 1]!;
      if (chunked) this.#output.text(chunkHeader(to - from));
      this.#output.data(buffer, from, to);
      if (chunked) this.#output.text(CHUNK_END);
    }
  }

  end(): void {
    if (this.#reframe === 'chunked') this.#output.text(LAST_CHUNK);
    this.#reframe = 'no';
  }

  /** A whole answer of the gateway. */
  answer(answer: Answer, toHead: boolean, old: boolean, closing: boolean): void {
    this.#output.text(http1Answer(answer, toHead, connectionLine(old, closing)));
  }
}

function connectionLine(old: boolean, closing: boolean): string {
  if (closing) return CONNECTION_CLOSE_LINE;
  return old ? CONNECTION_KEEP_ALIVE_LINE : '';
}
