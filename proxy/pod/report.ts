/** A port that some worker could not open, and why. */
export interface ReportedListenFailure {
  readonly port: number;
  readonly listeners: readonly string[];
  readonly message: string;
}

export interface ReportedPool {
  readonly id: string;
  readonly healthy: number;
  readonly total: number;
  /** Why there are no endpoints, or not all; null when all is well. */
  readonly problem: string | null;
}

/** Totals since the pod's start, without user data. */
export interface ReportedRuleList {
  readonly id: string;
  readonly connections: number;
  readonly rejected: number;
  readonly disconnected: number;
}

/**
 * What a pod says about itself: one line of `GET /report` on its status port. The operator writes
 * conditions from it, so it says what holds on every worker and nothing about users.
 */
export interface ProxyReport {
  readonly format: 1;
  readonly gateway: { readonly namespace: string; readonly name: string };
  readonly pod: string;
  /** Hash of the snapshot that every worker serves; null before the first. */
  readonly snapshot: string | null;
  readonly ready: boolean;
  readonly draining: boolean;
  /** Why the newest snapshot is not served, in words; null when all is well. */
  readonly problem: string | null;
  readonly listenFailures: readonly ReportedListenFailure[];
  readonly pools: readonly ReportedPool[];
  readonly ruleLists: readonly ReportedRuleList[];
}

export const REPORT_FORMAT = 1;
/** A report is repeated after this long, so that a reader notices a connection that died. */
export const REPORT_HEARTBEAT_SECONDS = 10;
