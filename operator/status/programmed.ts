import type { Snapshot } from '../../proxy/config/snapshot.ts';
import { type Condition, holds, holdsNot } from './conditions.ts';
import { describePods, joined } from './messages.ts';
import type { ObservedGateway, ObservedPod } from './observed.ts';
import type { Reason } from './reasons.ts';

/** How Kubernetes names what keeps a pod from running, such as `ImagePullBackOff: …`. */
const REASON_OF_KUBERNETES = /^[A-Z][A-Za-z]+(:|$)/;

/**
 * Whether the pods serve the gateway as it is now: what was compiled is stored, there are as many pods as there
 * should be, and each of them is ready, serves it and has all its ports.
 */
export function programmed(snapshot: Snapshot | null, observed: ObservedGateway): Condition {
  const not = (reason: Reason, message: string): Condition => holdsNot('Programmed', reason, message);
  if (snapshot === null) {
    return not('Invalid', 'the gateway is invalid: see the condition Accepted');
  }
  if (snapshot.ports.length === 0) {
    return not('Invalid', 'no listener can be served: see the conditions of the listeners');
  }
  const { stored, problem, pods, replicas, addresses } = observed;
  const isStored = stored === snapshot.hash;
  const state = isStored ? '' : 'the configuration is not stored for the pods yet';
  if (problem !== null) return not('WriteFailed', joined([state, problem]));
  if (!isStored) return not('Pending', state);
  if (replicas === 0) return not('NoResources', 'spec.replicas is 0, so there are no pods');
  const lacks = lacksOf(pods, snapshot.hash);
  const missing = (replicas ?? 1) - pods.length;
  if (lacks.size === 0 && missing <= 0) {
    const serving = pods.length === 1 ? '1 pod serves the gateway' : `${pods.length} pods serve the gateway`;
    const address = addresses.length === 0 ? 'no address is assigned yet' : '';
    return holds('Programmed', 'Programmed', joined([serving, address]));
  }
  return not(
    reasonOf(pods, lacks),
    joined([missing > 0 ? `${pods.length} of ${replicas ?? 1} pods are there` : '', ...describePods(lacks)]),
  );
}

/** The number of pods that traffic reaches and that serve a snapshot. */
export function podsServing(pods: readonly ObservedPod[], hash: string): number {
  return pods.filter(({ ready, report }) => ready && report?.snapshot === hash).length;
}

/** What each pod lacks, by its name. */
function lacksOf(pods: readonly ObservedPod[], hash: string): Map<string, string> {
  const lacks = new Map<string, string>();
  for (const pod of pods) {
    const lack = lackOf(pod, hash);
    if (lack !== null) lacks.set(pod.name, lack);
  }
  return lacks;
}

function lackOf({ ready, report, problem }: ObservedPod, hash: string): string | null {
  if (report === null) return problem ?? 'no report yet';
  if (report.snapshot !== hash) {
    const state =
      report.snapshot === null ? 'nothing is served yet' : 'an earlier configuration is served still';
    return joined([state, report.problem ?? '']);
  }
  if (report.listenFailures.length > 0) {
    return joined(
      report.listenFailures.map(({ listeners, message }) => `listener ${listeners.join(', ')}: ${message}`),
    );
  }
  if (report.draining) return 'draining';
  if (report.problem !== null) return report.problem;
  return ready ? null : (problem ?? 'not ready');
}

/** Whether it is only a matter of time, as far as can be told. */
function reasonOf(pods: readonly ObservedPod[], lacks: ReadonlyMap<string, string>): Reason {
  const failing = pods.filter(({ name }) => lacks.has(name));
  if (failing.some(({ problem }) => problem?.startsWith('Unschedulable'))) return 'NoResources';
  const isFailing = failing.some(
    ({ problem, report }) =>
      (problem !== null && REASON_OF_KUBERNETES.test(problem)) ||
      (report !== null && (report.problem !== null || report.listenFailures.length > 0)),
  );
  return isFailing ? 'PodsFailing' : 'Pending';
}

/** Whether a listener that is part of the snapshot is served: that of the gateway, but for ports that failed. */
export function listenerProgrammed(
  name: string,
  snapshot: Snapshot,
  observed: ObservedGateway,
  ofGateway: Condition,
): Condition {
  const failures = new Map<string, string>();
  for (const { name: pod, report } of observed.pods) {
    if (report?.snapshot !== snapshot.hash) continue;
    const failure = report.listenFailures.find(({ listeners }) => listeners.includes(name));
    if (failure !== undefined) failures.set(pod, failure.message);
  }
  if (failures.size > 0) {
    return holdsNot('Programmed', 'PodsFailing', joined(describePods(failures)));
  }
  if (ofGateway.status === 'True') return holds('Programmed', 'Programmed');
  return ofGateway.reason === 'PodsFailing' &&
    podsServing(observed.pods, snapshot.hash) === observed.pods.length
    ? holds('Programmed', 'Programmed')
    : holdsNot('Programmed', 'Pending', 'see the condition Programmed of the gateway');
}
