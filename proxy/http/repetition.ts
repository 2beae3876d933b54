import type { Rule } from '../config/snapshot.ts';
import type { Endpoint } from '../pools/endpoint.ts';
import type { Clock } from './clock.ts';
import type { ExchangeDownstream } from './downstream.ts';
import { ReplayBuffer } from './replay.ts';

/** Methods whose repetition has no further effect (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);
/** Attempts at other endpoints after one could not be reached, where the route says nothing of retries. */
const CONNECT_ATTEMPTS = 3;

/** Whether a request may be sent to a backend again, and what is needed for it. */
export class Repetition {
  attempts = 0;
  /** Endpoints that failed this request; `null` while there are none. */
  avoid: Set<Endpoint> | null = null;
  readonly #retry: Rule['retry'];
  readonly #idempotent: boolean;
  #bodyTaken = false;
  #cancelBackoff: (() => void) | null = null;
  #replay: ReplayBuffer | null = null;

  constructor(retry: Rule['retry'], downstream: ExchangeDownstream) {
    this.#retry = retry;
    this.#idempotent = IDEMPOTENT.has(downstream.request.method);
    if (downstream.bodyPending && (retry !== null || this.#idempotent)) {
      this.#replay = ReplayBuffer.forBody(downstream.announcedBodyBytes);
    }
  }

  /** A part of the body that goes to the backend. */
  take(buffer: Buffer, start: number, end: number): void {
    this.#bodyTaken = true;
    if (this.#replay !== null && !this.#replay.add(buffer, start, end)) this.#replay = null;
  }

  /** What has been taken of the body so far. */
  get bodyParts(): readonly Buffer[] {
    return this.#replay?.parts ?? [];
  }

  /** Calls back after the route's backoff, unless it is cancelled. */
  later(clock: Clock, callback: () => void): void {
    this.#cancelBackoff = clock.after(this.#retry?.backoffMs ?? 0, () => {
      this.#cancelBackoff = null;
      callback();
    });
  }

  /** Harmless where nothing is to come. */
  cancel(): void {
    this.#cancelBackoff?.();
    this.#cancelBackoff = null;
  }

  fail(endpoint: Endpoint): void {
    this.avoid ??= new Set();
    this.avoid.add(endpoint);
  }

  /** After an answer of that status. */
  allowedAfterStatus(status: number): boolean {
    return this.#retry?.codes.includes(status) === true && this.allowedAfterFailure();
  }

  /** After an attempt that broke off or took too long. */
  allowedAfterFailure(): boolean {
    return this.#retry !== null && this.attempts <= this.#retry.attempts && this.#bodyIsThere();
  }

  /** After a connection that could not be made: nothing was sent, so the method does not matter. */
  allowedAfterConnectError(): boolean {
    return this.attempts < Math.max(CONNECT_ATTEMPTS, 1 + (this.#retry?.attempts ?? 0));
  }

  /** After a connection that had served before and turned out to be closing. */
  allowedAfterStaleConnection(): boolean {
    return this.#idempotent && this.#bodyIsThere();
  }

  #bodyIsThere(): boolean {
    return !this.#bodyTaken || this.#replay !== null;
  }
}
