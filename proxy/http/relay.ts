import type { Endpoint, Outcome, Selection } from '../pools/endpoint.ts';
import type { BackendTable } from '../routing/rule.ts';
import { answerFor, type Reason } from './answers.ts';
import { backendRequestHead } from './backend-request.ts';
import { overdue } from './clock.ts';
import type { BodyReader } from './codec/body.ts';
import type { ResponseHead } from './codec/head.ts';
import { fieldLine } from './codec/headers.ts';
import { isEventStream } from './event-stream.ts';
import type { Exchange } from './exchange.ts';
import { HandshakeReader } from './handshake-reader.ts';
import { Mirrors } from './mirror.ts';
import { type BackendPlans, INTERIM_PLAN, uncoded } from './plans.ts';
import { STAGE } from './relay-stage.ts';
import { Repetition } from './repetition.ts';
import { verifyUpgrade } from './upgrade.ts';
import { spliceUpgraded } from './upgraded-connection.ts';
import type { UpstreamConnection, UpstreamReceiver } from './upstream-connection.ts';
import { answerReason, answerWithoutBackend, outcomeOf, type UpstreamFailure } from './upstream-failure.ts';
import { Waits } from './waits.ts';

/**
 * Takes a request to a backend and the response back: chooses the endpoint, makes attempts, and passes bodies on as
 * they come, either side being paused when the other does not keep up.
 */
export class Relay implements UpstreamReceiver {
  readonly #exchange: Exchange;
  #backend: BackendTable | null = null;
  #plans: BackendPlans | null = null;
  #stage: number = STAGE.idle;
  #endpoint: Endpoint | null = null;
  #connection: UpstreamConnection | null = null;
  /** Of the answer to this attempt: the affinity cookie. */
  #cookieLine = '';
  #eventStream = false;
  /** Whether the connection of this attempt has served before, so that it may have been closing. */
  #reused = false;
  readonly #repetition: Repetition;

  /** Whether all of the request body has been handed over. */
  #requestComplete = false;
  #mirrors: Mirrors | null = null;
  #handshake: HandshakeReader | null = null;

  readonly #waits = new Waits();

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#repetition = new Repetition(exchange.rule!.rule.retry, exchange.downstream);
  }

  start(): void {
    const { rule, services, downstream, state } = this.#exchange;
    const backend = rule!.chooseBackend(services.random);
    if (backend === null || backend.pool === null) {
      this.#stage = STAGE.done;
      this.#exchange.refuse(answerFor('invalid_backend'));
      return;
    }
    this.#backend = backend;
    this.#plans = state.plans.plansOf(rule!, backend);
    if (services.pools.learns(backend.pool, downstream.request)) {
      this.#handshake = new HandshakeReader(services.pools);
    }
    this.#requestComplete = !downstream.bodyPending;
    const { mirrors } = rule!.rule.filters;
    if (mirrors.length > 0) this.#mirrors = Mirrors.start(services, mirrors, downstream, this.#plans.request);
    this.#attempt(false);
  }

  /** @param fresh on a connection that has served nothing yet */
  #attempt(fresh: boolean): void {
    const { services, downstream } = this.#exchange;
    const { avoid } = this.#repetition;
    const selection = services.pools.select(this.#backend!.pool!, downstream.request, avoid ?? undefined);
    if (selection.endpoint === null) this.#giveUp(selection.reason, selection.reason);
    else this.#attemptAt(selection, fresh);
  }

  #attemptAt(selection: Selection, fresh: boolean): void {
    const { services } = this.#exchange;
    const { endpoint } = selection;
    this.#repetition.attempts++;
    this.#endpoint = endpoint;
    this.#exchange.endpoint = endpoint;
    const { setCookie } = selection;
    this.#cookieLine = setCookie === null ? '' : fieldLine('Set-Cookie', setCookie);
    this.#waits.beginAttempt();
    services.pools.begin(endpoint);
    if (this.#repetition.attempts > 1) services.metrics.retried(endpoint.pool.id);
    const idle = fresh ? null : services.upstreams.takeIdle(endpoint);
    if (idle === null) {
      this.#reused = false;
      this.#stage = STAGE.connecting;
      this.#connection = services.upstreams.connect(endpoint);
      this.#connection.await(this);
    } else {
      this.#reused = true;
      this.#connection = idle;
      this.#send();
    }
  }

  onConnected(): void {
    this.#send();
  }

  onConnectError(error: Error): void {
    const { services } = this.#exchange;
    const { code } = services.describeConnectError(error, this.#endpoint!);
    this.#connectFailed(`connect_${code}`, 'connect_failed');
  }

  #connectFailed(code: string, reason: 'connect_failed' | 'connect_timeout'): void {
    const { services } = this.#exchange;
    const endpoint = this.#endpoint!;
    this.#endAttempt(reason === 'connect_failed' ? 'connect_failed' : 'timed_out', code);
    const repetition = this.#repetition;
    repetition.fail(endpoint);
    if (repetition.allowedAfterConnectError()) {
      const { downstream } = this.#exchange;
      const next = services.pools.select(this.#backend!.pool!, downstream.request, repetition.avoid!);
      if (next.endpoint !== null && !repetition.avoid!.has(next.endpoint)) {
        this.#attemptAt(next, false);
        return;
      }
    }
    this.#giveUp(reason, code);
  }

  /** Sends the request, and what is there of its body. */
  #send(): void {
    const { downstream, webSocket } = this.#exchange;
    const connection = this.#connection!;
    this.#stage = STAGE.waiting;
    const plan = this.#handshake === null ? this.#plans!.request : uncoded(this.#plans!.request);
    const head = backendRequestHead(this.#exchange, this.#backend!, this.#endpoint!, plan);
    connection.begin(this, downstream.request.method, webSocket, head);
    for (const part of this.#repetition.bodyParts) connection.output.data(part, 0, part.length);
    if (this.#requestComplete) connection.endRequest();
    else downstream.readBody();
    if (this.#connection === connection) connection.output.flush();
  }

  onRequestBody(buffer: Buffer, start: number, end: number): void {
    const connection = this.#connection;
    this.#repetition.take(buffer, start, end);
    this.#mirrors?.body(buffer, start, end);
    if (connection === null) return;
    this.#waits.progress();
    connection.output.data(buffer, start, end);
    if (connection.output.blocked) this.#exchange.downstream.pauseBody();
  }

  onRequestEnd(): void {
    this.#requestComplete = true;
    this.#waits.progress();
    this.#connection?.endRequest();
    this.#mirrors?.end();
  }

  /** What arrived together of the request body has been handed over. */
  onRequestBatchEnd(): void {
    this.#connection?.output.flush();
    if (this.#connection?.output.blocked) this.#exchange.downstream.pauseBody();
  }

  onDrain(): void {
    this.#waits.progress();
    if (!this.#requestComplete) this.#exchange.downstream.readBody();
  }

  onInformational(head: ResponseHead): void {
    this.#exchange.downstream.informational(head, INTERIM_PLAN);
  }

  onResponse(head: ResponseHead): boolean {
    const { services, rule, downstream } = this.#exchange;
    const endpoint = this.#endpoint!;
    const { status } = head;
    if (this.#repetition.allowedAfterStatus(status)) {
      services.metrics.upstreamFailed(endpoint.pool.id, `status_${status}`);
      this.#endAttempt('server_error', null);
      this.#retryLater(endpoint);
      return false;
    }
    services.pools.report(endpoint, status >= 502 && status <= 504 ? 'server_error' : 'success');
    this.#waits.progress();
    this.#eventStream = (head.chunked || head.framing === 'untilClose') && isEventStream(head);
    if (this.#eventStream && rule!.rule.ruleLists.length > 0) {
      let decided = false;
      this.#stage = STAGE.holding;
      this.#exchange.admitEventStream(() => {
        this.#respond(head);
        if (decided) {
          downstream.flush();
          this.#connection?.resume();
        }
      });
      decided = true;
      return this.#stage !== STAGE.holding;
    }
    this.#respond(head);
    return true;
  }

  #respond(head: ResponseHead): void {
    const { rule, downstream } = this.#exchange;
    let lines = this.#cookieLine;
    if (rule!.cors !== null) lines += rule!.cors.responseEdit(downstream.request).lines;
    this.#stage = STAGE.responding;
    this.#exchange.status = head.status;
    downstream.respond(head, this.#plans!.response, lines, this.#eventStream);
  }

  onBody(buffer: Buffer, start: number, end: number, body: BodyReader): void {
    const { downstream } = this.#exchange;
    this.#waits.progress();
    this.#handshake?.read(this.#endpoint!, buffer, body);
    downstream.write(buffer, start, end, body);
    if (downstream.blocked) this.#connection?.pause();
  }

  onDownstreamDrain(): void {
    if (this.#stage === STAGE.responding) this.#connection?.resume();
  }

  onResponseEnd(body: BodyReader | null): void {
    const { services, downstream } = this.#exchange;
    this.#stage = STAGE.done;
    this.#connection = null;
    services.pools.end(this.#endpoint!);
    this.#mirrors?.abandonBody(this.#requestComplete);
    this.#handshake?.end(this.#endpoint!);
    downstream.end(body);
    this.#exchange.finish();
    downstream.complete();
  }

  onUpgrade(head: ResponseHead, early: Buffer | null): void {
    const problem = verifyUpgrade(this.#exchange.downstream.request, head);
    if (problem !== null) {
      this.onFailure({ kind: 'invalid_response', code: problem });
      return;
    }
    this.#exchange.services.pools.report(this.#endpoint!, 'success');
    this.#stage = STAGE.done;
    const connection = this.#connection!;
    this.#connection = null;
    const plan = this.#plans!.response;
    spliceUpgraded(this.#exchange, connection, this.#endpoint!, head, plan, this.#cookieLine, early);
  }

  onBatchEnd(): void {
    if (this.#stage !== STAGE.responding && this.#stage !== STAGE.waiting) return;
    const { downstream } = this.#exchange;
    downstream.flush();
    if (downstream.blocked) this.#connection?.pause();
  }

  onFailure(failure: UpstreamFailure): void {
    const endpoint = this.#endpoint!;
    const stale =
      this.#reused &&
      failure.kind === 'reset' &&
      !this.#connection!.responseBegun &&
      this.#repetition.allowedAfterStaleConnection();
    if (this.#stage === STAGE.responding) {
      this.#endAttempt(outcomeOf(failure), failure.code);
      this.#breakOff(failure.code);
      return;
    }
    if (stale) {
      // An idle connection that the backend had closed says nothing about its health.
      this.#endAttempt(null, null);
      this.#attempt(true);
      return;
    }
    this.#endAttempt(outcomeOf(failure), failure.code);
    if (this.#stage === STAGE.waiting && this.#repetition.allowedAfterFailure()) this.#retryLater(endpoint);
    else this.#giveUp(answerReason(failure), failure.code);
  }

  #retryLater(endpoint: Endpoint): void {
    this.#repetition.fail(endpoint);
    this.#stage = STAGE.idle;
    this.#repetition.later(this.#exchange.services.clock, () => this.#attempt(false));
  }

  /** Ends the attempt: gives back what it holds, and reports how it went. */
  #endAttempt(outcome: Outcome | null, code: string | null): void {
    const { services } = this.#exchange;
    const endpoint = this.#endpoint!;
    this.#connection?.destroy();
    this.#connection = null;
    if (!this.#requestComplete) this.#exchange.downstream.pauseBody();
    services.pools.end(endpoint);
    if (outcome !== null) services.pools.report(endpoint, outcome);
    if (code !== null) services.metrics.upstreamFailed(endpoint.pool.id, code);
  }

  /** There will be no other attempt, and the mirrors get nothing more. */
  #end(): void {
    this.#stage = STAGE.done;
    this.#repetition.cancel();
    this.#mirrors?.abandonBody(this.#requestComplete);
  }

  /** No attempt succeeded, and none is left. */
  #giveUp(reason: Reason, code: string): void {
    this.#end();
    this.#exchange.refuse(answerWithoutBackend(reason), code);
  }

  /** The client has a part of the answer, and must see that no more comes. */
  #breakOff(code: string): void {
    const { downstream } = this.#exchange;
    this.#end();
    this.#exchange.reason = code;
    downstream.abort();
    this.#exchange.finish();
  }

  /** The exchange ended from the client's side, or is answered in another way. */
  cancel(): void {
    const stage = this.#stage;
    this.#end();
    if (stage !== STAGE.done && stage !== STAGE.idle) this.#endAttempt(null, null);
  }

  /**
   * Ends an event stream in an orderly way, so that its client connects again.
   * @returns false where the answer is none, or has not begun
   */
  endEventStream(reason: string): boolean {
    if (!this.#eventStream || this.#stage !== STAGE.responding) return false;
    const { downstream } = this.#exchange;
    this.#end();
    this.#endAttempt(null, null);
    this.#exchange.reason = reason;
    downstream.end(null);
    this.#exchange.finish();
    downstream.complete();
    return true;
  }

  get isEventStream(): boolean {
    return this.#eventStream && this.#stage === STAGE.responding;
  }

  /** The time for the whole exchange, or for an attempt, is over. */
  expire(reason: 'request_deadline' | 'backend_timeout' | 'connect_timeout'): void {
    if (this.#stage === STAGE.done) return;
    if (this.#stage === STAGE.connecting && reason === 'connect_timeout') {
      this.#connectFailed('connect_timed_out', 'connect_timeout');
      return;
    }
    if (this.#stage === STAGE.responding) {
      this.#endAttempt('timed_out', reason);
      this.#breakOff(reason);
      return;
    }
    if (this.#stage !== STAGE.idle) {
      const endpoint = this.#endpoint!;
      this.#endAttempt('timed_out', reason);
      if (reason !== 'request_deadline' && this.#repetition.allowedAfterFailure()) {
        this.#retryLater(endpoint);
        return;
      }
    }
    this.#giveUp(reason, reason);
  }

  tick(nowMs: number): void {
    const stage = this.#stage;
    if (stage === STAGE.idle || stage === STAGE.done) return;
    const { backendRequestMs } = this.#exchange.rule!.rule.timeouts;
    const attemptMs = this.#waits.attemptMs(nowMs);
    const waitTimeoutMs = this.#waitTimeoutMs();
    const connecting = stage === STAGE.connecting;
    if (connecting && overdue(attemptMs, this.#endpoint!.pool.connections.connectTimeoutMs)) {
      this.expire('connect_timeout');
    } else if (
      overdue(attemptMs, backendRequestMs) ||
      (waitTimeoutMs > 0 && this.#waits.waitMs(nowMs) >= waitTimeoutMs)
    ) {
      this.expire('backend_timeout');
    }
  }

  /** How long the present wait may last: 0 is no limit, also where it is not the backend's turn. */
  #waitTimeoutMs(): number {
    const { responseHeaderTimeoutMs, streamIdleTimeoutMs } = this.#endpoint!.pool.connections;
    if (this.#stage === STAGE.responding) return this.#exchange.downstream.blocked ? 0 : streamIdleTimeoutMs;
    if (this.#stage !== STAGE.waiting) return 0;
    if (this.#requestComplete) return responseHeaderTimeoutMs;
    return this.#connection!.output.blocked ? streamIdleTimeoutMs : 0;
  }
}
