import type { Duplex } from 'node:stream';
import type { AccessRecord } from '../telemetry/access-log.ts';
import type { Answer } from './answers.ts';
import type { BodyReader } from './codec/body.ts';
import type { HeaderPlan } from './codec/edit.ts';
import type { ResponseHead } from './codec/head.ts';
import type { RequestView } from './request.ts';

/**
 * The client's side of an exchange, whatever HTTP version it speaks. The exchange calls these; what the client does
 * reaches the exchange as `onRequestBody`, `onRequestEnd`, `onClientGone` and `onDownstreamDrain`.
 */
export interface ExchangeDownstream {
  /** Of the connection, or stream, unique within the worker. */
  readonly id: number;
  readonly protocol: AccessRecord['protocol'];
  readonly request: RequestView;
  /** host[:port] that was asked for; empty where an HTTP/1.0 client named none. */
  readonly authority: string;
  /** Whether a request body is announced and not yet complete. */
  readonly bodyPending: boolean;
  /** Bytes of the request body as far as they are announced: -1 when that is not known, 0 when there is none. */
  readonly announcedBodyBytes: number;
  /** Whether the client asks for a WebSocket. Other upgrades are not served: those requests are plain HTTP. */
  readonly webSocket: boolean;
  /** Whether the socket asked to wait: `onDownstreamDrain` follows. */
  readonly blocked: boolean;
  /** Bytes received from and sent to the client for this exchange. */
  readonly bytesIn: number;
  readonly bytesOut: number;

  /**
   * The head of the request as HTTP/1.1 for a backend. The body that `onRequestBody` delivers is framed as this head
   * says, so that it can be passed on as it is.
   * @param path without query, which is the client's own
   */
  requestHead(path: string, host: string, plan: HeaderPlan, lines: string, upgrade: string): string;
  /** The X-Forwarded-* or Forwarded lines for this request. */
  forwardedLines(): string;
  /** Begins or goes on to deliver the request body. */
  readBody(): void;
  /** Asks to deliver no more for now. */
  pauseBody(): void;

  informational(head: ResponseHead, plan: HeaderPlan): void;
  /**
   * The head of a backend's answer.
   * @param mayEndEarly whether the gateway may have to end the body in an orderly way before the backend does
   */
  respond(head: ResponseHead, plan: HeaderPlan, lines: string, mayEndEarly: boolean): void;
  /** A part of the backend's body as it came in. */
  write(buffer: Buffer, start: number, end: number, body: BodyReader): void;
  /** The answer is complete. */
  end(body: BodyReader | null): void;
  /** A whole answer of the gateway. */
  answer(answer: Answer): void;
  /** The exchange is over: sends what has gathered, and goes on to the client's next request. */
  complete(): void;
  /** Sends what has gathered. */
  flush(): void;
  /** Breaks off: the client must be able to tell that the answer is incomplete. */
  abort(): void;
  /** Sends the 101 and gives away the client's side: it speaks another protocol from here on. */
  switchProtocols(head: ResponseHead, plan: HeaderPlan, lines: string): SwitchedClient;
}

export interface SwitchedClient {
  readonly stream: Duplex;
  /** What the client sent early, behind its request. */
  readonly early: Buffer | null;
}
