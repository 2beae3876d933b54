import assert from 'node:assert/strict';

/** What every member of a gateway must be configured with alike, except where noted. Durations in milliseconds. */
export interface Settings {
  /** Parts of the key space, each with one owner. Fixed for the life of a gateway. */
  readonly shards: number;
  /** How long a renewal carries its holder, by the holder's own clock. */
  readonly leaseDurationMs: number;
  /** Between two renewals, and between two beats to the voters. */
  readonly renewIntervalMs: number;
  /** After so long a call of the Lease API is answered, as `unknown` at the latest. */
  readonly callTimeoutMs: number;
  /** The fastest clock of any member over the slowest is at most this. Only rates matter, never what clocks show. */
  readonly maxClockRatio: number;
  /** Before its session ends a member in doubt closes its counted connections, spread over this time. */
  readonly closeWindowMs: number;
  /** What the candidate of each further rank waits more before it acts on a silent Lease. */
  readonly rankStepMs: number;
  /** Unanswered messages between members are sent again after this. */
  readonly retryMs: number;
  /** An acquisition without an answer for so long is `unavailable`. */
  readonly attemptTimeoutMs: number;
  /** The most voters that a Lease has. */
  readonly maxVoters: number;
  /** The longest that a holder goes on without the Lease API on its voters' word. */
  readonly maxDetachedMs: number;
  /** How long the Lease of a member that is over stays, as a marker. */
  readonly markerMs: number;
  /** Between two full reports of a member to an owner. */
  readonly auditIntervalMs: number;
  /** How long a member must have been seen before shards move to it. */
  readonly settleMs: number;
  /** Acquisitions that wait for an answer; one more is `unavailable` at once. */
  readonly maxAttempts: number;
  /** Demands of one acquisition. */
  readonly maxDemands: number;
}

export const DEFAULT_SETTINGS: Settings = {
  shards: 4,
  leaseDurationMs: 15_000,
  renewIntervalMs: 4_000,
  callTimeoutMs: 3_000,
  maxClockRatio: 1.02,
  closeWindowMs: 3_000,
  rankStepMs: 1_000,
  retryMs: 500,
  attemptTimeoutMs: 3_000,
  maxVoters: 7,
  maxDetachedMs: 24 * 3_600_000,
  markerMs: 600_000,
  auditIntervalMs: 60_000,
  settleMs: 10_000,
  maxAttempts: 16_384,
  maxDemands: 32,
};

/** What is wrong with the settings, as `field: found, expected`; none when they can work. */
export function settingsProblems(settings: Settings): string[] {
  const problems: string[] = [];
  const demand = (holds: boolean, field: keyof Settings, expected: string) => {
    if (!holds) problems.push(`${field}: found ${settings[field]}, expected ${expected}`);
  };
  for (const [field, value] of Object.entries(settings)) {
    demand(Number.isFinite(value) && value > 0, field as keyof Settings, 'a positive number');
  }
  demand(settings.maxClockRatio >= 1, 'maxClockRatio', 'at least 1');
  demand(Number.isInteger(settings.shards) && settings.shards <= 256, 'shards', 'an integer from 1 to 256');
  demand(Number.isInteger(settings.maxVoters), 'maxVoters', 'an integer');
  const { renewIntervalMs, callTimeoutMs, closeWindowMs, leaseDurationMs } = settings;
  // One renewal or beat may be lost without a member coming into doubt.
  const neededMs = 2 * renewIntervalMs + callTimeoutMs + closeWindowMs;
  demand(
    leaseDurationMs > neededMs,
    'leaseDurationMs',
    `more than ${neededMs}: two renewals, a timeout, closing`,
  );
  demand(settings.maxDetachedMs >= leaseDurationMs, 'maxDetachedMs', 'at least leaseDurationMs');
  demand(settings.markerMs >= 4 * followerWaitMs(settings), 'markerMs', 'at least four follower waits');
  demand(settings.retryMs * 2 <= settings.attemptTimeoutMs, 'retryMs', 'at most half of attemptTimeoutMs');
  return problems;
}

export function checkSettings(settings: Settings): void {
  assert.deepEqual(settingsProblems(settings), []);
}

/** The settings as one text: members whose terms differ must not count together. */
export function termsOf(settings: Settings): string {
  return JSON.stringify(settings, Object.keys(settings).sort());
}

/** How long a Lease must be seen unchanged until its holder's own duration is certainly over. */
export function followerWaitMs(settings: Settings): number {
  return Math.ceil(settings.leaseDurationMs * settings.maxClockRatio);
}

/** How long a voter keeps a promise, by its own clock: until the holder certainly counts on it no more. */
export function promiseMs(settings: Settings): number {
  return Math.ceil(settings.leaseDurationMs * settings.maxClockRatio);
}
