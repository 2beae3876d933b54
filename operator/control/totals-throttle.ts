import { type ObjectStatus, withTotalsOf } from '../status/index.ts';

/** Totals change with every connection: what is written of them may be out of date by this much. */
const TOTALS_INTERVAL_MS = 30_000;

interface Shown {
  readonly totals: unknown;
  readonly atMs: number;
}

/**
 * Keeps the totals of rule lists as they were last shown for a while, so that writes at the API server do not grow with
 * the number of connections. All else in a status is shown at once, with the totals of that moment.
 */
export class TotalsThrottle {
  readonly #shown = new Map<string, Shown>();

  /**
   * @param before the status that was shown last, if any
   * @returns what is to be shown now
   */
  throttle(key: string, status: ObjectStatus, before: ObjectStatus | undefined, nowMs: number): ObjectStatus {
    const { totals, ...rest } = status as { totals?: unknown };
    if (totals === undefined) return status;
    const { totals: _, ...shownRest } = (before ?? {}) as { totals?: unknown };
    const shown = this.#shown.get(key);
    const isSameElse = shown !== undefined && JSON.stringify(rest) === JSON.stringify(shownRest);
    if (isSameElse && nowMs - shown.atMs < TOTALS_INTERVAL_MS) return withTotalsOf(before, status);
    if (!isSameElse || JSON.stringify(totals) !== JSON.stringify(shown.totals)) {
      this.#shown.set(key, { totals, atMs: nowMs });
    }
    return status;
  }

  forget(key: string): void {
    this.#shown.delete(key);
  }
}
