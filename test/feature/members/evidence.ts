/** What clients saw for themselves: when each was certainly served. */
export interface Served {
  readonly key: string;
  readonly maxCount: number;
  readonly fromMs: number;
  /** The last sign of it. */
  readonly untilMs: number;
  readonly server: string;
}

export interface Excess {
  readonly key: string;
  readonly atMs: number;
  readonly count: number;
  readonly maxCount: number;
  readonly servers: readonly string[];
}

/** The first moment at which more clients were served by a key than its maximum; `null` when there is none. */
export function findExcess(served: readonly Served[]): Excess | null {
  const byKey = Map.groupBy(served, ({ key }) => key);
  for (const [key, ofKey] of byKey) {
    // Of a client that was seen only once there is no moment at which it was certainly served with others.
    const seenTwice = ofKey.filter(({ fromMs, untilMs }) => fromMs < untilMs);
    const changes = seenTwice.flatMap((one) => [
      { atMs: one.fromMs, step: 1, one },
      { atMs: one.untilMs, step: -1, one },
    ]);
    // At the same moment one leaves before another comes.
    changes.sort((a, b) => a.atMs - b.atMs || a.step - b.step);
    const now = new Set<Served>();
    for (const { atMs, step, one } of changes) {
      if (step < 0) now.delete(one);
      else now.add(one);
      if (now.size > one.maxCount) {
        const servers = [...now].map(({ server }) => server);
        return { key, atMs, count: now.size, maxCount: one.maxCount, servers };
      }
    }
  }
  return null;
}
