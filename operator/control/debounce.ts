import type { Clock } from '../../kubernetes/index.ts';

export interface DebounceOptions {
  readonly clock: Clock;
  /** How long it must be quiet. */
  readonly quietMs: number;
  /** How long changes without a pause may put off the work. */
  readonly maxDelayMs: () => number;
  /** May take a while; it is not called again before it has ended. What it throws ends the process. */
  readonly work: () => void | Promise<void>;
}

/** Does one piece of work for many changes that come together. */
export class Debounce {
  readonly #options: DebounceOptions;
  #firstAtMs: number | null = null;
  #cancel: (() => void) | null = null;
  #working = false;
  #stopped = false;

  constructor(options: DebounceOptions) {
    this.#options = options;
  }

  changed(): void {
    if (this.#stopped) return;
    this.#firstAtMs ??= this.#options.clock.now();
    if (!this.#working) this.#schedule(this.#firstAtMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #schedule(firstAtMs: number): void {
    const { clock, quietMs, maxDelayMs } = this.#options;
    this.#cancel?.();
    const latestMs = firstAtMs + maxDelayMs() - clock.now();
    this.#cancel = clock.after(Math.max(0, Math.min(quietMs, latestMs)), () => void this.#run());
  }

  async #run(): Promise<void> {
    this.#cancel = null;
    this.#firstAtMs = null;
    this.#working = true;
    try {
      await this.#options.work();
    } finally {
      this.#working = false;
    }
    // Set again by a change that came while working.
    const firstAtMs = this.#firstAtMs as number | null;
    if (!this.#stopped && firstAtMs !== null) this.#schedule(firstAtMs);
  }
}
