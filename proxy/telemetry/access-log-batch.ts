import type { Settings } from '../config/snapshot.ts';
import { type Channel, topic, type WorkerChannel } from '../workers/channel.ts';
import { accessLine, IsoTime } from './access-line.ts';
import type { AccessLog, AccessRecord } from './access-log.ts';
import type { Counter, Metrics } from './metrics.ts';

/** Whole lines, in UTF-8: the first `length` bytes. Their memory is handed over, not copied. */
interface Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
}

const accessLines = topic<Batch>('telemetry.access-lines');

const FLUSH_INTERVAL_MS = 100;
const BATCH_BYTES = 64 * 1024;
/** UTF-8 bytes of one UTF-16 unit, at most. */
const MAX_BYTES_PER_UNIT = 3;

/** A worker's access log: JSON lines, handed to the main thread in batches so that lines never interleave. */
export class BatchingAccessLog implements AccessLog {
  readonly #channel: Channel;
  readonly #random: () => number;
  readonly #time = new IsoTime();
  #settings: Settings['accessLog'] = { mode: 'Off', sampleRatio: 0 };
  #batch: Buffer<ArrayBuffer> | null = null;
  #length = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: { readonly channel: Channel; readonly random?: () => number }) {
    this.#channel = options.channel;
    this.#random = options.random ?? Math.random;
  }

  apply(settings: Settings['accessLog']): void {
    this.#settings = settings;
  }

  wanted(status: number): boolean {
    const { mode, sampleRatio } = this.#settings;
    if (mode === 'Off') return false;
    return mode === 'All' || status >= 500 || this.#random() < sampleRatio;
  }

  write(record: AccessRecord): void {
    const line = accessLine(record, this.#time.now());
    const maxBytes = line.length * MAX_BYTES_PER_UNIT;
    if (this.#batch !== null && this.#length + maxBytes > this.#batch.length) this.flush();
    // Slabs of the shared pool cannot be handed over. A line may be longer than a batch.
    this.#batch ??= Buffer.allocUnsafeSlow(Math.max(BATCH_BYTES, maxBytes));
    this.#length += this.#batch.write(line, this.#length, 'utf8');
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_INTERVAL_MS).unref();
  }

  /** Hands over what is batched: at the interval, when it is full, and before the worker stops. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const bytes = this.#batch;
    if (bytes === null) return;
    this.#channel.post(accessLines, { bytes, length: this.#length }, [bytes.buffer]);
    this.#batch = null;
    this.#length = 0;
  }
}

/** Lines waiting for a slow reader of the log; beyond it they are dropped and counted, never buffered without end. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;

/** The main thread's side: prints the batches of all workers. */
export class AccessLogPrinter {
  readonly #output: NodeJS.WritableStream;
  readonly #dropped: Counter;
  /** Standard output stays writable after it failed, and fails at each write. */
  #readerGone = false;
  readonly #written = (error: Error | null | undefined): void => {
    if (error) this.#readerGone = true;
  };

  constructor(options: { readonly output: NodeJS.WritableStream; readonly metrics: Metrics }) {
    this.#output = options.output;
    this.#dropped = options.metrics
      .counter(
        'sluice_access_log_dropped_bytes_total',
        'Access log text dropped because its reader is too slow or gone.',
      )
      .labels();
  }

  addWorker(channel: WorkerChannel): void {
    channel.on(accessLines, ({ bytes, length }) => {
      if (this.#readerGone || (this.#output as NodeJS.WriteStream).writableLength > MAX_PENDING_BYTES) {
        this.#dropped.add(length);
      } else this.#output.write(bytes.subarray(0, length), this.#written);
    });
  }
}
