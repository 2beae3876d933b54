import { DEFAULT_SETTINGS, type Settings } from '../protocol/settings.ts';

/** So short that tests need not wait; the slack for a busy machine is in `maxClockRatio`. */
export const QUICK_SETTINGS: Settings = {
  ...DEFAULT_SETTINGS,
  shards: 2,
  leaseDurationMs: 1_500,
  renewIntervalMs: 300,
  callTimeoutMs: 400,
  maxClockRatio: 1.2,
  closeWindowMs: 300,
  rankStepMs: 50,
  retryMs: 60,
  attemptTimeoutMs: 600,
  markerMs: 7_200,
  auditIntervalMs: 1_000,
  settleMs: 300,
};
