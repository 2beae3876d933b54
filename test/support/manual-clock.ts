import type { Clock } from '../../proxy/http/clock.ts';

/** A clock for tests: time moves when it is told to. */
export class ManualClock implements Clock {
  #nowMs = 1000;
  readonly #ticks = new Set<(nowMs: number) => void>();
  readonly #waits = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  everyTick(callback: (nowMs: number) => void): () => void {
    this.#ticks.add(callback);
    return () => this.#ticks.delete(callback);
  }

  after(delayMs: number, callback: () => void): () => void {
    const wait = { atMs: this.#nowMs + delayMs, callback };
    this.#waits.add(wait);
    return () => this.#waits.delete(wait);
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const wait of [...this.#waits].sort((a, b) => a.atMs - b.atMs)) {
      if (wait.atMs <= this.#nowMs && this.#waits.delete(wait)) wait.callback();
    }
    for (const callback of [...this.#ticks]) callback(this.#nowMs);
  }
}
