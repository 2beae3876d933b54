/** What a fleet of clients saw, and what must be true of it. Plain data, so that it can come from another process. */

/** One WebSocket, from its opening to its end. Times are `Date.now()`. */
export interface Link {
  /** Which client of the fleet had it; each has one at a time. */
  readonly client: number;
  /** The address that the backend sees, which is that of the proxy in between. */
  readonly through: string;
  readonly backend: string;
  readonly openedMs: number;
  readonly echoes: number;
  readonly lastEchoMs: number;
  /** The longest time that a message was without its echo; of one that still waits too. */
  readonly longestWaitMs: number;
  /** `null` while it is open. */
  readonly end: LinkEnd | null;
}

export interface LinkEnd {
  readonly atMs: number;
  /** Of the close frame; 1006 when there was none. */
  readonly code: number;
  readonly reason: string;
  /** What broke it off, such as `ECONNRESET`; `null` when nothing did. */
  readonly error: string | null;
  /** Whether the fleet closed it itself. */
  readonly ours: boolean;
}

/** An attempt to connect that led to no WebSocket. */
export interface FailedAttempt {
  readonly client: number;
  readonly atMs: number;
  /** A status, or a code such as `ECONNREFUSED`. */
  readonly why: string;
}

export interface FleetReport {
  readonly links: readonly Link[];
  readonly failed: readonly FailedAttempt[];
  /** Echoes that were not of the message that was next: lost, doubled, or out of order. */
  readonly wrongEchoes: readonly string[];
}

/** Close codes with which a server asks its clients to come back. */
const COME_BACK = [1001, 1012];

export interface Expectation {
  /** The proxies, by their addresses, that had to go, each with the time in which it may have told its clients. */
  readonly gone?: ReadonlyMap<string, Window>;
  /** How long an echo may take. */
  readonly maxWaitMs: number;
  /** Attempts that may fail; none by default. */
  readonly maxFailed?: number;
}

export interface Window {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Everything that should not have happened, in words; empty when all is well: no connection ended but those whose proxy
 * had to go, which were told to come back in time; every message was answered, in order.
 */
export function complaints(report: FleetReport, expectation: Expectation): string[] {
  const { gone = new Map<string, Window>(), maxWaitMs, maxFailed = 0 } = expectation;
  const found: string[] = [...report.wrongEchoes];
  for (const link of report.links) {
    const name = `client ${link.client} through ${link.through}`;
    if (link.longestWaitMs > maxWaitMs)
      found.push(`${name}: an echo took ${link.longestWaitMs} ms, more than ${maxWaitMs}`);
    if (link.end === null || link.end.ours) continue;
    const words = describeEnd(link.end);
    const window = gone.get(link.through);
    if (window === undefined) found.push(`${name}: lost, though its proxy stays: ${words}`);
    else if (!COME_BACK.includes(link.end.code) || link.end.error !== null)
      found.push(`${name}: not told to come back: ${words}`);
    else if (link.end.atMs < window.fromMs || link.end.atMs > window.toMs)
      found.push(
        `${name}: told ${link.end.atMs - window.fromMs} ms after the beginning, outside of the time`,
      );
  }
  if (report.failed.length > maxFailed) {
    const kinds = Map.groupBy(report.failed, ({ why }) => why);
    const counts = [...kinds].map(([why, all]) => `${all.length} × ${why}`);
    found.push(`${report.failed.length} attempts to connect failed: ${counts.join(', ')}`);
  }
  return found;
}

/** How many connections are open, by proxy. */
export function openThrough({ links }: FleetReport): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { through, end } of links) {
    if (end === null) counts.set(through, (counts.get(through) ?? 0) + 1);
  }
  return counts;
}

/** For a line in the output of a test. */
export function summary(report: FleetReport): string {
  const { links, failed } = report;
  const ended = links.filter(({ end }) => end !== null && !end.ours);
  const waits = links.map(({ longestWaitMs }) => longestWaitMs);
  const echoes = links.reduce((sum, link) => sum + link.echoes, 0);
  return (
    `${links.length - ended.length} open, ${ended.length} told or lost, ${failed.length} attempts failed, ` +
    `${echoes} echoes, the slowest after ${Math.max(0, ...waits)} ms`
  );
}

function describeEnd({ code, reason, error }: LinkEnd): string {
  return `${code}${reason === '' ? '' : ` ${reason}`}${error === null ? '' : ` (${error})`}`;
}
