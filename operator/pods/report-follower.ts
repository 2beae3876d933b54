import { request } from 'undici';
import { Backoff } from '../../kubernetes/backoff.ts';
import { wait } from '../../kubernetes/clock.ts';
import type { Clock } from '../../kubernetes/index.ts';
import { splitLines } from '../../kubernetes/lines.ts';
import type { ProxyReport } from '../../proxy/pod/report.ts';
import { readReport } from './read-report.ts';

/** A pod repeats its report every 10 s: after this much silence the connection is taken for dead. */
const SILENCE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 3_000;
const MAX_LINE_BYTES = 4 << 20;
/** A connection that broke is opened again; until this much later the last report is still believed. */
const GRACE_MS = 15_000;
const BACKOFF = { minMs: 200, maxMs: 5_000 };

export interface ReportFollowerOptions {
  /** Such as `http://10.0.0.7:9902/report`. */
  readonly url: string;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Something of {@link ReportFollower.report} or {@link ReportFollower.problem} is new. */
  readonly onChange: () => void;
}

/** Follows what one proxy pod says of itself, for as long as the pod is there. */
export class ReportFollower {
  readonly #options: ReportFollowerOptions;
  readonly #stopping = new AbortController();
  #report: ProxyReport | null = null;
  #text = '';
  #problem: string | null = null;
  #heardAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ReportFollowerOptions) {
    this.#options = options;
    void this.#run();
  }

  /** The newest; `null` before the first, and once the pod has been out of reach for a while. */
  get report(): ProxyReport | null {
    return this.#report;
  }

  /** Why there is no report, in words; `null` while all is well. */
  get problem(): string | null {
    return this.#problem;
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stopping;
    const backoff = new Backoff(BACKOFF, random);
    while (!signal.aborted) {
      let problem = 'the pod ended its report';
      try {
        await this.#follow(() => backoff.reset());
      } catch (error) {
        problem = `no report from the pod: ${error instanceof Error ? error.message : String(error)}`;
      }
      if (signal.aborted) return;
      this.#lost(problem);
      await wait(clock, backoff.next(), signal);
    }
  }

  async #follow(onReport: () => void): Promise<void> {
    const { url, clock } = this.#options;
    const given = new AbortController();
    const giveUp = () => given.abort();
    this.#stopping.signal.addEventListener('abort', giveUp);
    let cancel = clock.after(CONNECT_TIMEOUT_MS, giveUp);
    try {
      const { statusCode, body } = await request(url, {
        signal: given.signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      body.on('error', () => {});
      try {
        if (statusCode !== 200) throw new Error(`found status ${statusCode}, expected 200`);
        for await (const line of splitLines(body, MAX_LINE_BYTES, 'report')) {
          cancel();
          cancel = clock.after(SILENCE_MS, giveUp);
          this.#heardAtMs = clock.now();
          this.#take(line);
          onReport();
        }
      } finally {
        body.destroy();
      }
    } catch (error) {
      if (given.signal.aborted && !this.#stopping.signal.aborted) throw new Error('no answer in time');
      throw error;
    } finally {
      cancel();
      this.#stopping.signal.removeEventListener('abort', giveUp);
    }
  }

  #take(line: string): void {
    if (line === this.#text) return;
    const report = readReport(line);
    this.#text = line;
    this.#report = report;
    this.#problem = null;
    this.#options.onChange();
  }

  #lost(problem: string): void {
    if (this.#report !== null && this.#options.clock.now() - this.#heardAtMs < GRACE_MS) return;
    if (this.#report === null && this.#problem === problem) return;
    this.#text = '';
    this.#report = null;
    this.#problem = problem;
    this.#options.onChange();
  }
}
