import type { Ejection } from '../config/snapshot.ts';

/** How often an endpoint was ejected, and until when it is. */
export class EjectionRecord {
  /** Monotonic; `null`: not ejected. */
  untilMs: number | null = null;
  #times = 0;
  #returnedAtMs = 0;

  /** Each ejection lasts longer than the one before, until the endpoint has been good for as long as the longest. */
  eject(nowMs: number, { baseMs, maxMs }: Ejection): number {
    if (nowMs - this.#returnedAtMs > maxMs) this.#times = 0;
    this.#times++;
    const durationMs = Math.min(maxMs, baseMs * this.#times);
    this.untilMs = nowMs + durationMs;
    return durationMs;
  }

  readmit(nowMs: number): void {
    this.untilMs = null;
    this.#returnedAtMs = nowMs;
  }
}

/** How many of a pool's endpoints may be ejected at once: one may always be, unless it is the only one. */
export function maxEjected(total: number, maxEjectedPercent: number): number {
  if (total < 2 || maxEjectedPercent === 0) return 0;
  return Math.max(1, Math.floor((total * maxEjectedPercent) / 100));
}
