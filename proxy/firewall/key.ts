import { hash } from 'node:crypto';
import type { CountRule } from '../config/snapshot.ts';

/** What a key of the counter stands for. */
export interface KeyDescription {
  readonly ruleList: string;
  readonly ruleType: CountRule['type'];
  readonly claimName: string | null;
  /** The counted value, or `sha256:…` of one that is too long to keep. */
  readonly value: string;
}

const MAX_VALUE_LENGTH = 128;
const VERBATIM = '=';
const HASHED = '#';

/**
 * The part of a key that a rule fixes. A key is what is counted and nothing else: neither the rule's place in its
 * list, nor its name, nor `maxCount` are part of it, so that editing these leaves counts as they are.
 *
 * A JSON array ends itself, so whatever a list is called or a token claims, no two different (list, type, claim,
 * value) have the same key.
 */
export function keyPrefix(ruleList: string, rule: CountRule): string {
  return JSON.stringify([ruleList, rule.type, rule.claimName]);
}

/** The key of a value under a rule's {@link keyPrefix}. Long values are hashed: a key is kept for as long as it counts. */
export function keyOf(prefix: string, value: string): string {
  if (value.length <= MAX_VALUE_LENGTH) return prefix + VERBATIM + value;
  return prefix + HASHED + hash('sha256', value, 'base64url');
}

/** What {@link keyOf} made a key of. */
export function describeKey(key: string): KeyDescription {
  const end = endOfArray(key);
  const [ruleList, ruleType, claimName] = JSON.parse(key.slice(0, end)) as [
    string,
    CountRule['type'],
    string | null,
  ];
  const value = key.slice(end + 1);
  return { ruleList, ruleType, claimName, value: key[end] === HASHED ? `sha256:${value}` : value };
}

/** The index behind the array that the text begins with; brackets inside strings do not count. */
function endOfArray(text: string): number {
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (letter === '\\') i++;
    else if (letter === '"') quoted = !quoted;
    else if (letter === ']' && !quoted) return i + 1;
  }
  throw new Error('not a key of the firewall');
}
