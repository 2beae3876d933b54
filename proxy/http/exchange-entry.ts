import type { CloseReason, ConnectionEntry, ConnectionKind } from '../connections/registry.ts';
import type { Endpoint } from '../pools/endpoint.ts';
import type { Exchange } from './exchange.ts';

/** A client connection as the registry shows it: by the exchange that it serves at the moment. */
export abstract class ExchangeEntry implements ConnectionEntry {
  readonly id: number;
  readonly openedAtMs = performance.now();
  readonly port: number;

  constructor(id: number, port: number) {
    this.id = id;
    this.port = port;
  }

  protected abstract get current(): Exchange | null;
  abstract get clientAddress(): string;
  abstract get bytesIn(): number;
  abstract get bytesOut(): number;
  abstract close(reason: CloseReason): void;

  get kind(): ConnectionKind {
    return this.current?.isEventStream === true ? 'event-stream' : 'http';
  }

  get listener(): string {
    return this.current?.listenerName ?? '';
  }

  get rule(): string | null {
    return this.current?.rule?.rule.id ?? null;
  }

  get pool(): string | null {
    return this.current?.endpoint?.pool.id ?? null;
  }

  get endpoint(): Endpoint | null {
    return this.current?.endpoint ?? null;
  }

  get userId(): string | null {
    return this.current?.identity?.userId ?? null;
  }
}
