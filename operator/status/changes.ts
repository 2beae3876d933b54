import { entriesOf, type Live, type LiveCondition, sameAncestor } from './live.ts';
import { MAX_MESSAGE_LENGTH, shorten } from './messages.ts';

/** Something that happened to an object, for a Kubernetes Event. */
export interface Change {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Conditions that are good news when they are false. */
const GOOD_WHEN_FALSE: readonly string[] = ['Conflicted', 'PartiallyInvalid'];
/** What every change goes through on its way, and what another condition says already. */
const SILENT: readonly string[] = ['Pending', 'NotAccepted', 'ListenersNotValid', 'ListenersNotResolved'];
/** A condition that holds, but not for all that was asked for. */
const IN_PART: readonly string[] = ['SomeHealthy'];
/** A condition that does not hold because its user said so. */
const AS_ASKED: readonly string[] = ['DryRun'];

/**
 * The conditions whose status or reason changed. Listeners that are (or are not yet) programmed follow their gateway,
 * which says it for all of them.
 *
 * @param before the status as it stood in the cluster
 * @param after the status that was written
 */
export function changesOf(before: object | undefined, after: object): readonly Change[] {
  const old = (before ?? {}) as Live;
  const status = after as Live;
  const changes = compare(entriesOf(old.conditions), entriesOf(status.conditions), '');
  for (const { name, conditions } of entriesOf(status.listeners)) {
    const known = entriesOf(old.listeners).find((listener) => listener.name === name);
    const own = entriesOf(conditions).filter(
      ({ type, reason }) => type !== 'Programmed' || reason === 'PodsFailing',
    );
    changes.push(...compare(entriesOf(known?.conditions), own, `listener ${name}: `));
  }
  for (const ancestor of entriesOf(status.ancestors)) {
    const known = entriesOf(old.ancestors).find((each) => sameAncestor(each, ancestor));
    const { kind, name } = (ancestor.ancestorRef ?? {}) as { kind?: string; name?: string };
    changes.push(
      ...compare(entriesOf(known?.conditions), entriesOf(ancestor.conditions), `at ${kind} ${name}: `),
    );
  }
  // A conflict is the reason of two conditions.
  const unique = new Map(changes.map((change) => [`${change.reason} ${change.message}`, change]));
  return [...unique.values()];
}

function compare(before: readonly LiveCondition[], after: readonly LiveCondition[], where: string): Change[] {
  return after.flatMap((condition) => {
    const known = before.find(({ type }) => type === condition.type);
    if (known?.status === condition.status && known?.reason === condition.reason) return [];
    const change = changeTo(condition, known, where);
    return change === null ? [] : [change];
  });
}

function changeTo(
  { type = '', status, reason = '', message = '' }: LiveCondition,
  before: LiveCondition | undefined,
  where: string,
): Change | null {
  if (status === 'Unknown' || SILENT.includes(reason)) return null;
  const isGood =
    AS_ASKED.includes(reason) ||
    ((status === 'True') !== GOOD_WHEN_FALSE.includes(type) && !IN_PART.includes(reason));
  // That all is well with something new goes without saying, but for the one thing that people wait for.
  if (isGood && before === undefined && type !== 'Programmed') return null;
  const words = message === '' ? `${type} is ${status} now` : message;
  return {
    type: isGood ? 'Normal' : 'Warning',
    reason,
    message: shorten(`${where}${words}`, MAX_MESSAGE_LENGTH),
  };
}
