import type { ReportedPool } from '../../proxy/pod/report.ts';
import type { BackendPool } from '../resources/index.ts';
import { type Condition, holds, holdsNot, observedAt, type PoolStatus, unknown } from './conditions.ts';
import { describePods, joined } from './messages.ts';
import { Problems } from './problems.ts';
import { referencesOfPool } from './references.ts';
import type { Subject } from './subject.ts';

/** What one pod says of a pool. */
export interface PoolReport {
  readonly pod: string;
  readonly report: ReportedPool;
}

export interface PoolInput {
  readonly subject: Subject<BackendPool>;
  /** Whether some gateway's snapshot has the pool. */
  readonly isUsed: boolean;
  /** Of the pods that traffic reaches, in a fixed order. */
  readonly reports: readonly PoolReport[];
}

export function poolStatus({ subject, isUsed, reports }: PoolInput): PoolStatus {
  const { generation, object, own, all, body, namespace } = subject;
  const references = body === null ? [] : referencesOfPool(body.spec, namespace);
  const problems = new Problems(object, own, references, all);
  const targets = isUsed && reports.length > 0 ? countTargets(reports) : null;
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    conditions: observedAt(generation, [
      accepted(problems, subject),
      body === null
        ? unknown('ResolvedRefs', 'Invalid', 'the pool is invalid: see the condition Accepted')
        : problems.judge('ResolvedRefs'),
      ...problems.partlyInvalid(),
      healthy(isUsed, reports, targets),
    ]),
    ...(targets !== null && { targets }),
  };
}

/** A pool whose references leave no safe way to its targets is left out as a whole. */
function accepted(problems: Problems, { isRejected, isKept }: Subject<BackendPool>): Condition {
  const own = problems.judge('Accepted');
  if (own.status !== 'True' || !isRejected || isKept) return own;
  const reason = problems.reason('ResolvedRefs') ?? 'Invalid';
  return holdsNot('Accepted', reason, joined([own.message, problems.describe('ResolvedRefs')]));
}

/**
 * What can be relied on: as many targets are healthy as the pod says that finds the fewest, of as many as the pod knows
 * that knows the most.
 */
function countTargets(reports: readonly PoolReport[]): { healthy: number; total: number } {
  return {
    healthy: Math.min(...reports.map(({ report }) => report.healthy)),
    total: Math.max(...reports.map(({ report }) => report.total)),
  };
}

function healthy(
  isUsed: boolean,
  reports: readonly PoolReport[],
  targets: { readonly healthy: number; readonly total: number } | null,
): Condition {
  if (!isUsed) return unknown('Healthy', 'NotUsed', 'no gateway serves a route that leads to this pool');
  if (targets === null) return unknown('Healthy', 'Pending', 'no pod has said anything about this pool yet');
  const words = describePods(wordsOf(reports, targets.total));
  if (targets.total === 0) {
    return holdsNot('Healthy', 'NoTargets', joined(['there are no targets', ...words]));
  }
  const summary = `${targets.healthy} of ${targets.total} targets are healthy`;
  if (targets.healthy === 0) return holdsNot('Healthy', 'NoneHealthy', joined([summary, ...words]));
  if (targets.healthy < targets.total) return holds('Healthy', 'SomeHealthy', joined([summary, ...words]));
  return holds('Healthy', 'AllHealthy', joined([summary, ...words]));
}

/** What the pods say that do not find everything well, by the name of the pod. */
function wordsOf(reports: readonly PoolReport[], total: number): Map<string, string> {
  const words = new Map<string, string>();
  for (const { pod, report } of reports) {
    if (report.problem === null && report.healthy === total) continue;
    words.set(pod, joined([`${report.healthy} of ${report.total} healthy`, report.problem ?? '']));
  }
  return words;
}
