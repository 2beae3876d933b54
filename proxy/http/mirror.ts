import type { Mirror } from '../config/snapshot.ts';
import { isMirrored } from '../filters/mirror.ts';
import type { Endpoint } from '../pools/endpoint.ts';
import type { HeaderPlan } from './codec/edit.ts';
import type { ExchangeDownstream } from './downstream.ts';
import { hostFor } from './host-header.ts';
import type { HttpServices } from './services.ts';
import type { UpstreamConnection, UpstreamReceiver } from './upstream-connection.ts';

/** Body bytes that may wait for a mirror's connection; a mirror that is slower is dropped. */
const MAX_WAITING_BYTES = 262_144;
/** A mirror that does not answer is given up after this. */
const MIRROR_TIMEOUT_MS = 30_000;

/** The copies of one request: they never delay or fail the request itself, and their answers are dropped. */
export class Mirrors {
  readonly #copies: MirrorCopy[] = [];

  static start(
    services: HttpServices,
    mirrors: readonly Mirror[],
    downstream: ExchangeDownstream,
    plan: HeaderPlan,
  ): Mirrors | null {
    const started = new Mirrors();
    for (const mirror of mirrors) {
      if (mirror.pool === null || !isMirrored(mirror, services.random)) continue;
      const { endpoint } = services.pools.select(mirror.pool, downstream.request);
      if (endpoint === null) {
        services.metrics.mirrored(mirror.pool, 'failed');
        continue;
      }
      const host = hostFor(endpoint, downstream.authority);
      const lines = downstream.forwardedLines();
      const head = downstream.requestHead(downstream.request.path, host, plan, lines, '');
      started.#copies.push(new MirrorCopy(services, endpoint, downstream.request.method, head));
    }
    if (started.#copies.length === 0) return null;
    if (!downstream.bodyPending) started.end();
    return started;
  }

  body(buffer: Buffer, start: number, end: number): void {
    for (const copy of this.#copies) copy.body(buffer, start, end);
  }

  end(): void {
    for (const copy of this.#copies) copy.end();
  }

  /** The request ended without the rest of its body: a copy that lacks it is of no use. */
  abandonBody(complete: boolean): void {
    if (!complete) for (const copy of this.#copies) copy.drop('dropped');
  }
}

class MirrorCopy implements UpstreamReceiver {
  readonly #services: HttpServices;
  readonly #endpoint: Endpoint;
  readonly #method: string;
  readonly #head: string;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #sent = false;
  #complete = false;
  #over = false;
  #connection: UpstreamConnection;
  readonly #cancelTimeout: () => void;

  constructor(services: HttpServices, endpoint: Endpoint, method: string, head: string) {
    this.#services = services;
    this.#endpoint = endpoint;
    this.#method = method;
    this.#head = head;
    services.pools.begin(endpoint);
    const idle = services.upstreams.takeIdle(endpoint);
    this.#connection = idle ?? services.upstreams.connect(endpoint);
    this.#cancelTimeout = services.clock.after(MIRROR_TIMEOUT_MS, () => this.drop('failed'));
    if (idle === null) this.#connection.await(this);
    else this.onConnected();
  }

  onConnected(): void {
    const { output } = this.#connection;
    this.#sent = true;
    this.#connection.begin(this, this.#method, false, this.#head);
    for (const part of this.#waiting) output.data(part, 0, part.length);
    this.#waiting.length = 0;
    if (this.#complete) this.#connection.endRequest();
    output.flush();
  }

  body(buffer: Buffer, start: number, end: number): void {
    if (this.#over) return;
    if (this.#sent) {
      const { output, socket } = this.#connection;
      output.data(buffer, start, end);
      output.flush();
      if (socket.writableLength > MAX_WAITING_BYTES) this.drop('dropped');
      return;
    }
    this.#waitingBytes += end - start;
    this.#waiting.push(buffer.subarray(start, end));
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.drop('dropped');
  }

  end(): void {
    this.#complete = true;
    if (this.#sent && !this.#over) this.#connection.endRequest();
  }

  drop(outcome: 'failed' | 'dropped'): void {
    if (this.#over) return;
    this.#connection.destroy();
    this.#finish(outcome);
  }

  onConnectError(): void {
    this.#finish('failed');
  }

  onFailure(): void {
    this.#finish('failed');
  }

  onUpgrade(): void {
    this.drop('failed');
  }

  onResponseEnd(): void {
    this.#finish('answered');
  }

  onResponse(): boolean {
    return true;
  }

  onInformational(): void {}

  onBody(): void {}

  onDrain(): void {}

  onBatchEnd(): void {}

  #finish(outcome: 'answered' | 'failed' | 'dropped'): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimeout();
    this.#waiting.length = 0;
    this.#services.pools.end(this.#endpoint);
    this.#services.metrics.mirrored(this.#endpoint.pool.id, outcome);
  }
}
