import type { Clock } from '../clock.ts';

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #nowMs = 1_000;
  #epochMs = Date.UTC(2026, 0, 1);
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return this.#epochMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** How many timers are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** When the next timer is due, from now; infinite without one. */
  get nextMs(): number {
    let atMs = Number.POSITIVE_INFINITY;
    for (const timer of this.#timers) atMs = Math.min(atMs, timer.atMs);
    return atMs - this.#nowMs;
  }

  /** Fires what is due on the way, in order. */
  advance(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      let next: Timer | null = null;
      for (const timer of this.#timers)
        if (timer.atMs <= endMs && (next === null || timer.atMs < next.atMs)) next = timer;
      if (next === null) break;
      this.#move(Math.max(next.atMs, this.#nowMs));
      this.#timers.delete(next);
      next.callback();
    }
    this.#move(endMs);
  }

  #move(toMs: number): void {
    this.#epochMs += toMs - this.#nowMs;
    this.#nowMs = toMs;
  }
}
