import {
  statusOf as authenticationStatus,
  RETRY_AFTER_SECONDS,
  wwwAuthenticate,
} from '../authentication/failure.ts';
import type { AuthenticationResult, Identity } from '../authentication/identity.ts';
import type { Settings } from '../config/snapshot.ts';
import { isPreflight } from '../filters/cors.ts';
import { redirectLocation } from '../filters/path.ts';
import type { Admission, AdmissionKind, Admitted } from '../firewall/firewall.ts';
import type { Endpoint } from '../pools/endpoint.ts';
import type { RuleTable } from '../routing/rule.ts';
import { type ListenerTable, MISDIRECTED, matchRoute, type RoutingTable } from '../routing/table.ts';
import type { AccessRecord } from '../telemetry/access-log.ts';
import {
  type Answer,
  answerFor,
  answerLater,
  answerWith,
  emptyAnswer,
  type Reason,
  refusedByFirewall,
} from './answers.ts';
import { NEVER } from './clock.ts';
import type { HeadLimits } from './codec/head.ts';
import { fieldLine } from './codec/headers.ts';
import type { ExchangeDownstream } from './downstream.ts';
import { asksForEvents } from './event-stream.ts';
import type { PlanCache } from './plans.ts';
import { Relay } from './relay.ts';
import type { HttpServices } from './services.ts';
import { handshakeProblem } from './upgrade.ts';

/** What a request is served by: swapped as one on a reload, so that an exchange keeps what it began with. */
export interface ServingState {
  readonly table: RoutingTable;
  readonly settings: Settings;
  readonly plans: PlanCache;
  readonly headLimits: HeadLimits;
}

/** Where a request came in. */
export interface Arrival {
  readonly port: number;
  /** Server name that the TLS client asked for, empty when it sent none; undefined in clear text. */
  readonly sni: string | undefined;
}

/**
 * One request and its answer. Decides in a fixed order who may: access control (403), authentication (401), route
 * (404), connection counts (429, 503); then a `Relay` takes the request to a backend (502, 503, 504). Nothing is
 * asynchronous unless a part's answer is.
 */
export class Exchange {
  readonly services: HttpServices;
  readonly state: ServingState;
  readonly downstream: ExchangeDownstream;
  readonly startedMs: number;
  rule: RuleTable | null = null;
  matchedPrefix: string | null = null;
  identity: Identity | null = null;
  /** Whether the client asks for a WebSocket. */
  webSocket = false;
  finished = false;
  clientGone = false;
  /** For the access log: status sent, reason where it is not the backend's answer, and who served it. */
  status = 0;
  reason: string | null = null;
  endpoint: Endpoint | null = null;

  readonly #arrival: Arrival;
  #listener: ListenerTable | null = null;
  #admitted: Admitted | null = null;
  #kind: AdmissionKind = 'request';
  #deadlineMs = NEVER;
  #lifetimeDeadlineMs = NEVER;
  #relay: Relay | null = null;

  constructor(services: HttpServices, state: ServingState, downstream: ExchangeDownstream, arrival: Arrival) {
    this.services = services;
    this.state = state;
    this.downstream = downstream;
    this.#arrival = arrival;
    this.startedMs = services.clock.now();
  }

  /** Whether a slot is held that must come back as soon as the client is gone. */
  get counted(): boolean {
    return this.#admitted !== null && this.rule !== null && this.rule.rule.ruleLists.length > 0;
  }

  start(): void {
    const { table } = this.state;
    const { request } = this.downstream;
    const listener = table.listenerFor(this.#arrival.port, request.host, this.#arrival.sni);
    if (listener === null) {
      this.refuse(answerFor('no_route'));
      return;
    }
    if (listener === MISDIRECTED) {
      this.refuse(answerFor('misdirected'));
      return;
    }
    this.#listener = listener;
    const target = matchRoute(listener, request);
    const rule = target?.rule ?? null;
    if (target !== null) {
      this.rule = target.rule;
      this.matchedPrefix = target.matchedPrefix;
      target.rule.series?.requestsInFlight.add(1);
    }
    const accessList = rule === null ? listener.accessList : rule.accessList;
    if (accessList !== null && !accessList.permits(request.clientAddress)) {
      this.refuse(answerFor('access_denied'));
      return;
    }
    // Browsers send no token with a preflight, so it is answered before authentication.
    if (rule !== null && rule.cors !== null && isPreflight(request)) {
      this.#answer(emptyAnswer(204, linesOf(rule.cors.preflight(request))));
      return;
    }
    if (this.downstream.webSocket) {
      this.webSocket = true;
      const problem = handshakeProblem(request, this.downstream.bodyPending);
      if (problem !== null) {
        this.refuse(problem);
        return;
      }
    }
    const authentication = rule === null ? listener.listener.authentication : rule.rule.authentication;
    if (authentication === null) {
      this.#route();
      return;
    }
    const result = this.services.authenticator.authenticate(authentication, request);
    if (!(result instanceof Promise)) {
      this.#authenticated(result);
      return;
    }
    result.then((late) => {
      if (!this.finished) this.#authenticated(late);
    });
  }

  #authenticated(result: AuthenticationResult): void {
    if (result.ok) {
      this.identity = result.identity;
      this.#route();
      return;
    }
    const { failure } = result;
    if (authenticationStatus(failure) === 503) {
      this.refuse(answerLater('keys_unavailable', RETRY_AFTER_SECONDS));
      return;
    }
    const reason: Reason = failure.error === 'missing_token' ? 'missing_token' : 'invalid_token';
    const challenge = fieldLine('WWW-Authenticate', wwwAuthenticate(failure) ?? 'Bearer');
    this.refuse(answerWith(reason, challenge, failure.description));
  }

  #route(): void {
    const { rule } = this;
    const { request } = this.downstream;
    if (rule === null) {
      // A question about the server as a whole: no route is meant.
      if (request.path === '*') {
        this.#answer(emptyAnswer(204, ''));
        return;
      }
      this.refuse(answerFor('no_route'));
      return;
    }
    const { redirect } = rule.rule.filters;
    if (redirect !== null) {
      const location = redirectLocation(redirect, request, this.matchedPrefix, this.#arrival.port);
      this.#answer(emptyAnswer(redirect.statusCode, fieldLine('Location', location)));
      return;
    }
    const { requestMs } = rule.rule.timeouts;
    if (requestMs > 0) this.#deadlineMs = this.startedMs + requestMs;
    if (rule.rule.ruleLists.length === 0) {
      this.#forward();
      return;
    }
    this.#kind = this.webSocket || asksForEvents(this.downstream.request) ? 'connection' : 'request';
    this.#admit((admission) => this.#onAdmission(admission));
  }

  /** Asks the firewall. A late admission of a client that left is given back at once. */
  #admit(proceed: (admission: Admission) => void): void {
    const client = { identity: this.identity, clientAddress: this.downstream.request.clientAddress };
    const admission = this.services.firewall.admit(this.rule!.rule.ruleLists, this.#kind, client);
    if (!(admission instanceof Promise)) {
      proceed(admission);
      return;
    }
    admission.then((late) => {
      if (!this.finished) proceed(late);
      else if (late.admitted) late.release();
    });
  }

  #onAdmission(admission: Admission): void {
    if (!admission.admitted) {
      this.refuse(refusedByFirewall(admission));
      return;
    }
    this.#hold(admission);
    this.#forward();
  }

  #hold(admission: Admitted): void {
    this.#admitted = admission;
    admission.onRevoked(() => this.#revoked());
    if (admission.maxLifetimeMs > 0) {
      this.#lifetimeDeadlineMs = this.services.clock.now() + admission.maxLifetimeMs;
    }
  }

  /** Its slots are lost: what is under way ends, so that its client tries again. */
  #revoked(): void {
    if (this.finished || this.endEventStream('count_unavailable')) return;
    if (this.status !== 0) {
      this.failRequest('count_unavailable', true);
      return;
    }
    this.#relay?.cancel();
    this.refuse(answerLater('count_unavailable', 1));
  }

  /**
   * A response turned out to be an event stream: it counts as a connection from here on.
   * `proceed` is called when it is admitted, at once or later; otherwise the exchange is answered with the refusal.
   */
  admitEventStream(proceed: () => void): void {
    if (this.#kind === 'connection') {
      proceed();
      return;
    }
    this.#kind = 'connection';
    // The slot of the request, if it held one, is given back first: the same client counts once.
    this.#admitted?.release();
    this.#admitted = null;
    this.#admit((admission) => {
      if (admission.admitted) {
        this.#hold(admission);
        proceed();
        return;
      }
      this.#relay?.cancel();
      this.refuse(refusedByFirewall(admission));
    });
  }

  #forward(): void {
    this.#relay = new Relay(this);
    this.#relay.start();
  }

  /** Hands over what is held to a connection that outlives the exchange. */
  takeAdmission(): Admitted | null {
    const admitted = this.#admitted;
    this.#admitted = null;
    return admitted;
  }

  get port(): number {
    return this.#arrival.port;
  }

  get isEventStream(): boolean {
    return this.#relay?.isEventStream === true;
  }

  get listenerName(): string {
    return this.#listener?.listener.name ?? '';
  }

  /** The request itself turned out to be wrong: it is answered with that, or broken off. */
  failRequest(reason: Reason, responded: boolean): void {
    this.#relay?.cancel();
    if (!responded) {
      this.refuse(answerFor(reason));
      return;
    }
    this.reason = reason;
    this.finish();
    this.downstream.abort();
  }

  /** The exchange became a WebSocket, which has what was held. */
  finishUpgraded(): void {
    this.finished = true;
    const { series } = this.rule!;
    if (series === null) return;
    series.requestsInFlight.add(-1);
    series.requests[1]!.add();
    series.durationSeconds.observe((this.services.clock.now() - this.startedMs) / 1000);
  }

  /** Answers in the place of a backend. @param cause what the log says, where that is more than the answer tells */
  refuse(answer: Answer, cause: string | null = answer.reason): void {
    this.reason = cause;
    this.services.metrics.rejected(answer.reason ?? '', this.rule?.rule.id ?? null);
    this.#answer(answer);
  }

  #answer(answer: Answer): void {
    this.status = answer.status;
    const cors = this.rule?.cors ?? null;
    // Without these a browser hides the answer from the page that asked.
    const lines =
      cors === null || answer.status === 204 ? '' : cors.responseEdit(this.downstream.request).lines;
    const { downstream } = this;
    downstream.answer(lines === '' ? answer : { ...answer, lines: answer.lines + lines });
    this.finish();
    downstream.complete();
  }

  /** The exchange is over on the client's side: everything that it held is given back, exactly once. */
  finish(): void {
    if (this.finished) return;
    this.finished = true;
    this.#admitted?.release();
    const { series } = this.rule ?? { series: null };
    const durationMs = this.services.clock.now() - this.startedMs;
    if (series !== null) {
      series.requestsInFlight.add(-1);
      series.requests[this.status < 600 ? Math.floor(this.status / 100) : 0]!.add();
      series.durationSeconds.observe(durationMs / 1000);
      series.bytesIn.add(this.downstream.bytesIn);
      series.bytesOut.add(this.downstream.bytesOut);
    }
    if (this.services.accessLog.wanted(this.status))
      this.services.accessLog.write(this.accessRecord(durationMs));
  }

  accessRecord(durationMs: number): AccessRecord {
    const { downstream, endpoint, rule } = this;
    const { request } = downstream;
    return {
      listener: this.#listener?.listener.name ?? '',
      rule: rule?.rule.id ?? null,
      method: request.method,
      host: request.host,
      path: request.path,
      protocol: downstream.protocol,
      status: this.status,
      reason: this.reason,
      client: request.clientAddress,
      userId: this.identity?.userId ?? null,
      pool: endpoint?.pool.id ?? null,
      endpoint: endpoint?.id ?? null,
      durationMs,
      bytesIn: downstream.bytesIn,
      bytesOut: downstream.bytesOut,
    };
  }

  onRequestBody(buffer: Buffer, start: number, end: number): void {
    this.#relay?.onRequestBody(buffer, start, end);
  }

  onRequestBatchEnd(): void {
    this.#relay?.onRequestBatchEnd();
  }

  onRequestEnd(): void {
    this.#relay?.onRequestEnd();
  }

  onDownstreamDrain(): void {
    this.#relay?.onDownstreamDrain();
  }

  /** The client left before its answer was complete. */
  onClientGone(): void {
    if (this.finished) return;
    this.clientGone = true;
    this.reason ??= 'client_gone';
    this.#relay?.cancel();
    this.finish();
  }

  /** Ends an answer that would go on for ever, in an orderly way. @returns whether it was one */
  endEventStream(reason: string): boolean {
    return this.#relay?.endEventStream(reason) === true;
  }

  tick(nowMs: number): void {
    if (this.finished) return;
    if (nowMs >= this.#deadlineMs) {
      this.#deadlineMs = NEVER;
      if (this.#relay === null) this.refuse(answerFor('request_deadline'));
      else this.#relay.expire('request_deadline');
      return;
    }
    if (nowMs >= this.#lifetimeDeadlineMs) {
      this.#lifetimeDeadlineMs = NEVER;
      this.#admitted?.expired();
      if (!this.endEventStream('max_lifetime')) this.#relay?.expire('request_deadline');
      return;
    }
    this.#relay?.tick(nowMs);
  }
}

function linesOf(fields: readonly { readonly name: string; readonly value: string }[]): string {
  let lines = '';
  for (const { name, value } of fields) lines += fieldLine(name, value);
  return lines;
}
