/** From what was compiled and what the cluster shows to the status of each object. Pure. */

export { type Change, changesOf } from './changes.ts';
export { computeStatuses, type StatusInput } from './compute.ts';
export type { ObjectStatus } from './conditions.ts';
export { problemsOfIngresses } from './ingress-problems.ts';
export {
  NOTHING_OBSERVED,
  type ObservedAddress,
  type ObservedGateway,
  type ObservedPod,
} from './observed.ts';
export { withTotalsOf } from './totals.ts';
export { withTransitionTimes } from './transitions.ts';
