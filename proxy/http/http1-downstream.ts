import type { Socket } from 'node:net';
import type { Settings } from '../config/snapshot.ts';
import type { Answer } from './answers.ts';
import { ClientSide } from './client-side.ts';
import type { BodyReader } from './codec/body.ts';
import type { HeaderPlan } from './codec/edit.ts';
import { RequestHead, type ResponseHead } from './codec/head.ts';
import { writeRequestHead, writeResponseHead } from './codec/write.ts';
import type { ExchangeDownstream, SwitchedClient } from './downstream.ts';
import type { Arrival } from './exchange.ts';
import { ExchangeEntry } from './exchange-entry.ts';
import { Http1Request } from './http1-request.ts';
import { Input } from './input.ts';
import { Output } from './output.ts';
import { RequestBody } from './request-body.ts';
import { ResponseWriter } from './response-writer.ts';
import { offersWebSocket } from './upgrade.ts';

/**
 * The client's side of the exchanges of one HTTP/1.x connection: what they read of the request, and how their answers
 * are written. When to read and what comes after an answer is the connection's part, which extends this.
 */
export abstract class Http1Downstream extends ExchangeEntry implements ExchangeDownstream {
  protected readonly socket: Socket;
  protected readonly client: ClientSide;
  protected readonly input = new Input();
  protected readonly output: Output;
  protected readonly head = new RequestHead();
  protected readonly body = new RequestBody(this.head);
  /** Whether the answer to the request in progress has begun. */
  protected responded = false;
  /** Whether the connection ends after it. */
  protected closing = false;
  /** Where the connection's byte counts stood when the request in progress began. */
  protected bytesReadBefore = 0;
  #bytesWrittenBefore = 0;
  readonly #writer: ResponseWriter;
  #request: Http1Request | null = null;

  constructor(id: number, socket: Socket, arrival: Arrival, peerAddress: string) {
    super(id, arrival.port);
    this.socket = socket;
    this.client = new ClientSide(arrival, peerAddress);
    this.output = new Output(socket);
    this.#writer = new ResponseWriter(this.output);
  }

  /** Takes the request whose head has been read. @param path normalised */
  protected beginRequest(path: string, settings: Settings, draining: boolean): void {
    const { client, head } = this;
    client.begin(head.authority, settings);
    this.#request = new Http1Request(head, client.scheme, client.host, path, client.clientAddress(head));
    this.body.begin();
    this.responded = false;
    this.closing = !head.persistent || draining;
    this.#bytesWrittenBefore = this.output.bytes;
  }

  protected endRequest(): void {
    this.body.clear();
    this.#request = null;
  }

  abstract readBody(): void;
  abstract complete(): void;
  abstract abort(): void;
  abstract switchProtocols(head: ResponseHead, plan: HeaderPlan, lines: string): SwitchedClient;

  get protocol(): 'HTTP/1.0' | 'HTTP/1.1' {
    return this.head.minorVersion === 0 ? 'HTTP/1.0' : 'HTTP/1.1';
  }

  get request(): Http1Request {
    return this.#request!;
  }

  get authority(): string {
    return this.head.authority;
  }

  get bodyPending(): boolean {
    return this.body.pending;
  }

  get announcedBodyBytes(): number {
    return this.body.announcedBytes;
  }

  get webSocket(): boolean {
    return this.head.connectionUpgrade && offersWebSocket(this.head.upgrade ?? '');
  }

  get blocked(): boolean {
    return this.output.blocked;
  }

  get bytesIn(): number {
    return this.input.received - this.input.unused - this.bytesReadBefore;
  }

  get bytesOut(): number {
    return this.output.bytes - this.#bytesWrittenBefore;
  }

  requestHead(path: string, host: string, plan: HeaderPlan, lines: string, upgrade: string): string {
    const head = this.head;
    let target = path;
    if (path === head.path) target = head.originTarget;
    else if (head.hasQuery) target = `${path}?${head.query}`;
    return writeRequestHead(head, target, host, plan, lines, upgrade);
  }

  forwardedLines(): string {
    return this.client.forwardedLines(this.head);
  }

  informational(head: ResponseHead, plan: HeaderPlan): void {
    if (this.head.minorVersion === 0) return;
    if (head.status === 100 && !this.body.passContinue()) return;
    this.output.text(writeResponseHead(head, plan, '', '', ''));
  }

  respond(head: ResponseHead, plan: HeaderPlan, lines: string, mayEndEarly: boolean): void {
    this.responded = true;
    if (!this.body.worthReading) this.closing = true;
    const old = this.head.minorVersion === 0;
    this.closing = this.#writer.respond(head, plan, lines, old, this.closing, mayEndEarly);
  }

  write(buffer: Buffer, start: number, end: number, body: BodyReader): void {
    this.#writer.body(buffer, start, end, body);
  }

  end(): void {
    this.#writer.end();
  }

  answer(answer: Answer): void {
    this.responded = true;
    if (!this.body.worthReading) this.closing = true;
    const { method, minorVersion } = this.head;
    this.#writer.answer(answer, method === 'HEAD', minorVersion === 0, this.closing);
  }

  flush(): void {
    this.output.flush();
  }

  pauseBody(): void {
    this.body.wanted = false;
  }

  /** A reset, since an orderly close would make a body that ends with the connection look complete. */
  protected reset(): void {
    // Not after our FIN: a reset cannot follow it.
    if (this.client.scheme === 'http' && !this.socket.writableEnded) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  get clientAddress(): string {
    return this.#request?.clientAddress ?? this.client.peerAddress;
  }
}
