import { CONTROLLER_NAME } from '../infrastructure/names.ts';
import type { AncestorStatus, Condition, ListenerStatus, ObjectStatus } from './conditions.ts';
import { entriesOf, type Live, type LiveCondition, sameAncestor } from './live.ts';

/**
 * Puts the times in at which conditions last changed: that of the live status where a condition is as it was, else
 * now. What other controllers wrote about a rule list stays, since the list of ancestors has one owner.
 *
 * @param live the status as it stands in the cluster
 */
export function withTransitionTimes(status: ObjectStatus, live: object | undefined, nowMs: number): object {
  const before = (live ?? {}) as Live;
  const now = `${new Date(nowMs).toISOString().slice(0, -'.000Z'.length)}Z`;
  return {
    ...status,
    ...('conditions' in status && { conditions: timed(status.conditions, before.conditions, now) }),
    ...('listeners' in status && { listeners: timedListeners(status.listeners ?? [], before, now) }),
    ...('ancestors' in status && { ancestors: timedAncestors(status.ancestors, before, now) }),
  };
}

function timedListeners(listeners: readonly ListenerStatus[], live: Live, now: string): object[] {
  return listeners.map((listener) => {
    const before = entriesOf(live.listeners).find(({ name }) => name === listener.name);
    return { ...listener, conditions: timed(listener.conditions, before?.conditions, now) };
  });
}

function timedAncestors(ancestors: readonly AncestorStatus[], live: Live, now: string): object[] {
  const before = entriesOf(live.ancestors);
  const others = before.filter(({ controllerName }) => controllerName !== CONTROLLER_NAME);
  const own = ancestors.map((ancestor) => {
    const { conditions } = before.find((each) => sameAncestor(each, ancestor)) ?? {};
    return { ...ancestor, conditions: timed(ancestor.conditions, conditions, now) };
  });
  return [...own, ...others];
}

function timed(
  conditions: readonly Condition[],
  live: readonly LiveCondition[] | undefined,
  now: string,
): object[] {
  return conditions.map(({ reason, message, ...condition }) => {
    const before = entriesOf(live).find(({ type }) => type === condition.type);
    const isAsBefore = before?.status === condition.status && before.lastTransitionTime !== undefined;
    return {
      ...condition,
      lastTransitionTime: isAsBefore ? before.lastTransitionTime : now,
      reason,
      message,
    };
  });
}
