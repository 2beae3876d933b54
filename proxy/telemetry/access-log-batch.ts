import { type Logger, pino } from 'pino';
import type { Settings } from '../config/snapshot.ts';
import { type Channel, topic, type WorkerChannel } from '../workers/channel.ts';
import type { AccessLog, AccessRecord } from './access-log.ts';
import type { Counter, Metrics } from './metrics.ts';

const accessLines = topic<string>('telemetry.access-lines');

const FLUSH_INTERVAL_MS = 100;
const FLUSH_BYTES = 64 * 1024;

/** A worker's access log: JSON lines, handed to the main thread in batches so that lines never interleave. */
export class BatchingAccessLog implements AccessLog {
  readonly #channel: Channel;
  readonly #random: () => number;
  readonly #logger: Logger;
  #settings: Settings['accessLog'] = { mode: 'Off', sampleRatio: 0 };
  #batch: string[] = [];
  #batchBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { readonly channel: Channel; readonly random?: () => number }) {
    this.#channel = options.channel;
    this.#random = options.random ?? Math.random;
    this.#logger = pino(
      {
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: () => ({ log: 'access' }) },
      },
      { write: (line: string) => this.#add(line) },
    );
  }

  apply(settings: Settings['accessLog']): void {
    this.#settings = settings;
  }

  wanted(): boolean {
    const { mode, sampleRatio } = this.#settings;
    return mode === 'All' || (mode === 'Sampled' && this.#random() < sampleRatio);
  }

  write(record: AccessRecord): void {
    this.#logger.info(record);
  }

  /** Hands over what is batched: at the interval, at the size limit, and before the worker stops. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#batch.length === 0) return;
    this.#channel.post(accessLines, this.#batch.join(''));
    this.#batch = [];
    this.#batchBytes = 0;
  }

  #add(line: string): void {
    this.#batch.push(line);
    this.#batchBytes += line.length;
    if (this.#batchBytes >= FLUSH_BYTES) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), FLUSH_INTERVAL_MS).unref();
  }
}

/** Lines waiting for a slow reader of the log; beyond it they are dropped and counted, never buffered without end. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** The main thread's side: prints the batches of all workers. */
export class AccessLogPrinter {
  readonly #output: NodeJS.WritableStream;
  readonly #dropped: Counter;

  constructor(options: { readonly output: NodeJS.WritableStream; readonly metrics: Metrics }) {
    this.#output = options.output;
    this.#dropped = options.metrics
      .counter(
        'sluice_access_log_dropped_bytes_total',
        'Access log text dropped because its reader is too slow.',
      )
      .labels();
  }

  addWorker(channel: WorkerChannel): void {
    channel.on(accessLines, (text) => {
      if ((this.#output as Partial<NodeJS.WriteStream>).writableLength! > MAX_PENDING_BYTES) {
        this.#dropped.add(text.length);
      } else this.#output.write(text);
    });
  }
}
