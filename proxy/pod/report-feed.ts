import type { ServerResponse } from 'node:http';
import type { Clock } from '../../kubernetes/index.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { type ProxyReport, REPORT_HEARTBEAT_SECONDS } from './report.ts';

/** The operator's replicas, and a few people. */
export const MAX_READERS = 16;
/** How often it is looked whether something changed. */
const INTERVAL_MS = 1_000;
const HEARTBEAT_MS = REPORT_HEARTBEAT_SECONDS * 1_000;
/** A reader that has not taken a line after so long is dropped. */
const PATIENCE_MS = 30_000;

export interface ReportFeedOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** What holds now. */
  readonly report: () => ProxyReport;
}

/**
 * Tells readers what holds: at once when they come, after a change, and now and then as a sign of life. A slow reader
 * gets the newest when it is ready for it, and never what it missed, so that a line for each is all that is kept.
 */
export class ReportFeed {
  readonly #options: ReportFeedOptions;
  readonly #readers = new Set<Reader>();
  readonly #count;
  readonly #dropped;
  #line = '';
  #toldAtMs = 0;
  #cancelTick: (() => void) | null = null;
  #pending: NodeJS.Immediate | null = null;

  constructor(options: ReportFeedOptions) {
    this.#options = options;
    const { metrics } = options;
    this.#count = metrics.gauge('sluice_report_readers', 'Open streams of the report.').labels();
    this.#dropped = metrics
      .counter('sluice_report_readers_dropped_total', 'Readers of the report that were too slow.')
      .labels();
  }

  /** @returns whether there was room for one more. */
  add(response: ServerResponse): boolean {
    if (this.#readers.size >= MAX_READERS) return false;
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
    const reader = new Reader(response);
    this.#readers.add(reader);
    this.#count.set(this.#readers.size);
    response.on('close', () => this.#forget(reader));
    if (!this.#tell()) reader.send(this.#line, this.#options.clock.now());
    if (this.#cancelTick === null) this.#tick();
    return true;
  }

  /** Something changed that readers want to know at once. */
  changed(): void {
    if (this.#readers.size === 0) return;
    this.#pending ??= setImmediate(() => {
      this.#pending = null;
      this.#tell();
    });
  }

  /** Ends all streams. */
  close(): void {
    this.#cancelTick?.();
    if (this.#pending !== null) clearImmediate(this.#pending);
    for (const reader of this.#readers) reader.end();
  }

  #forget(reader: Reader): void {
    this.#readers.delete(reader);
    this.#count.set(this.#readers.size);
  }

  #tick(): void {
    this.#cancelTick = this.#options.clock.after(INTERVAL_MS, () => {
      this.#cancelTick = null;
      if (this.#readers.size === 0) return;
      this.#tell();
      this.#tick();
    });
  }

  /** Tells all readers, if there is anything to tell. @returns whether there was */
  #tell(): boolean {
    const nowMs = this.#options.clock.now();
    for (const reader of this.#readers) {
      if (!reader.isStuck(nowMs - PATIENCE_MS)) continue;
      this.#dropped.add();
      this.#forget(reader);
      reader.drop();
    }
    const line = `${JSON.stringify(this.#options.report())}\n`;
    if (line === this.#line && nowMs - this.#toldAtMs < HEARTBEAT_MS) return false;
    this.#line = line;
    this.#toldAtMs = nowMs;
    for (const reader of this.#readers) reader.send(line, nowMs);
    return true;
  }
}

class Reader {
  readonly #response: ServerResponse;
  /** Since when a line is on its way that it does not take. */
  #waitingSinceMs: number | null = null;
  #next: string | null = null;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on('error', () => {});
    response.on('drain', () => {
      this.#waitingSinceMs = null;
      const next = this.#next;
      this.#next = null;
      if (next !== null) this.#response.write(next);
    });
  }

  send(line: string, nowMs: number): void {
    if (this.#response.writableNeedDrain) this.#next = line;
    else this.#response.write(line);
    if (this.#response.writableNeedDrain) this.#waitingSinceMs ??= nowMs;
  }

  isStuck(sinceMs: number): boolean {
    return this.#waitingSinceMs !== null && this.#waitingSinceMs <= sinceMs;
  }

  end(): void {
    this.#response.end();
  }

  drop(): void {
    this.#response.destroy();
  }
}
