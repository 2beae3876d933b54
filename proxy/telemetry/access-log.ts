/**
 * One finished request or connection, as the access log shows it. Built only when the log wants it.
 * Never holds a token, a cookie or a query string: those carry secrets.
 */
export interface AccessRecord {
  readonly listener: string;
  /** {@link Rule.id}, or `null` where no route matched. */
  readonly rule: string | null;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly protocol: 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' | 'TCP' | 'TLS' | 'UDP';
  /** What the client got; 101 for a WebSocket. */
  readonly status: number;
  /** Why the gateway itself answered, e.g. `too_many_connections`; `null` when the backend answered. */
  readonly reason: string | null;
  readonly client: string;
  readonly userId: string | null;
  readonly pool: string | null;
  readonly endpoint: string | null;
  readonly durationMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Where finished exchanges go: workers batch them to the main thread, which prints JSON lines. */
export interface AccessLog {
  /** Decides by what the client got, so that a call site builds no record in vain. */
  wanted(status: number): boolean;
  write(record: AccessRecord): void;
}
