import { type Diagnostic, formatDiagnostic, oneLine } from '../resources/index.ts';

/** More than a person reads, less than an Event may hold. */
export const MAX_MESSAGE_LENGTH = 1_000;
/** No one thing may push out all others. */
const MAX_PART_LENGTH = 600;
const ROOM_FOR_MORE = ' (and 1000000 more)'.length;
const MAX_NAMES = 3;

/** As many of the parts as fit, on one line, and how many are left out. */
export function joined(parts: readonly string[]): string {
  const texts = [...new Set(parts.filter((part) => part !== ''))].map((part) =>
    shorten(oneLine(part), MAX_PART_LENGTH),
  );
  let message = '';
  for (const [index, text] of texts.entries()) {
    const longer = message === '' ? text : `${message}; ${text}`;
    const isLast = index === texts.length - 1;
    if (longer.length > MAX_MESSAGE_LENGTH - (isLast ? 0 : ROOM_FOR_MORE)) {
      return `${message} (and ${texts.length - index} more)`;
    }
    message = longer;
  }
  return message;
}

/**
 * What is wrong, in the words of the diagnostics: errors first, in the order of the fields. The object is named where it
 * is another one.
 */
export function describeProblems(diagnostics: readonly Diagnostic[], object: string): string {
  const sorted = [...diagnostics].sort(
    (left, right) => rankOf(left) - rankOf(right) || compare(orderOf(left.field), orderOf(right.field)),
  );
  return joined(
    sorted.map((diagnostic) => {
      const where = {
        ...diagnostic,
        file: '',
        object: diagnostic.object === object ? '' : diagnostic.object,
      };
      return formatDiagnostic(where, { severity: false });
    }),
  );
}

/** That all is as it was is the first thing to know. */
function rankOf({ code, severity }: Diagnostic): number {
  if (code === 'KeptLastGood') return 0;
  return severity === 'error' ? 1 : 2;
}

/** So that `[10]` comes after `[2]`. */
function orderOf(field: string): string {
  return field.replace(/\d+/g, (digits) => digits.padStart(6, '0'));
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * What several pods say, those together that say the same: `pods a and b: the words`.
 *
 * @param said by the name of the pod, in order
 */
export function describePods(said: ReadonlyMap<string, string>): string[] {
  const pods = new Map<string, string[]>();
  for (const [pod, words] of said) {
    const others = pods.get(words);
    if (others === undefined) pods.set(words, [pod]);
    else others.push(pod);
  }
  return [...pods].map(
    ([words, names]) => `${names.length === 1 ? 'pod' : 'pods'} ${listed(names)}: ${words}`,
  );
}

/** `a`, `a and b`, `a, b, c and 7 more`. */
export function listed(names: readonly string[]): string {
  if (names.length <= 1) return names.join('');
  if (names.length > MAX_NAMES) {
    return `${names.slice(0, MAX_NAMES).join(', ')} and ${names.length - MAX_NAMES} more`;
  }
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** `1 pod`, `2 pods`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

export function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}
