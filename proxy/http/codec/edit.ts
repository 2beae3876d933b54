import assert from 'node:assert/strict';
import { fieldLine } from './headers.ts';
import { KNOWN_NAMES, knownNumber, UNDERSCORED_NAME } from './known.ts';

/** What to change in a header section: `remove` and `set` take the received fields away, `set` and `add` write new ones. */
export interface HeaderEdit {
  readonly set: readonly { readonly name: string; readonly value: string }[];
  readonly add: readonly { readonly name: string; readonly value: string }[];
  readonly remove: readonly string[];
}

/**
 * Fields that concern one connection only, or that the codec writes itself from what it understood, never from what it
 * read (RFC 9110 §7.6.1, RFC 9112 §6), or that pretend to be another field. Proxy-Authorization is meant for a proxy that asked for it, and we never ask.
 */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  UNDERSCORED_NAME,
]);

/** Several edits, and names that the caller writes anew for each message, made ready for the writer. */
export interface HeaderPlan {
  /** By known number: 1 where a received field is left out. */
  readonly dropsKnown: Uint8Array;
  /** Lower-case names beyond the known ones that are left out; null when there are none. */
  readonly dropsOther: ReadonlySet<string> | null;
  /** Lines to add, each with its CRLF. */
  readonly lines: string;
}

/**
 * @param edits applied one after the other; an edit that touches Host or a hop-by-hop field is our caller's bug, since
 * the configuration is checked for that
 * @param replaced lower-case names of received fields to leave out because the caller writes its own lines for them
 */
export function headerPlan(edits: readonly HeaderEdit[] = [], replaced: readonly string[] = []): HeaderPlan {
  const dropped = new Set([...HOP_BY_HOP, 'host', ...replaced]);
  let added: { lower: string; name: string; value: string }[] = [];
  const drop = (lower: string) => {
    assert(isEditable(lower), `header field ${lower} cannot be edited`);
    dropped.add(lower);
    added = added.filter((line) => line.lower !== lower);
  };
  for (const edit of edits) {
    for (const name of edit.remove) drop(name.toLowerCase());
    for (const { name } of edit.set) drop(name.toLowerCase());
    for (const { name, value } of [...edit.set, ...edit.add]) {
      assert(isEditable(name.toLowerCase()), `header field ${name} cannot be edited`);
      added.push({ lower: name.toLowerCase(), name, value });
    }
  }
  const others = [...dropped].filter((name) => knownNumber(name) === 0);
  return {
    dropsKnown: Uint8Array.from(KNOWN_NAMES, (name) => (dropped.has(name) ? 1 : 0)),
    dropsOther: others.length > 0 ? new Set(others) : null,
    lines: added.map(({ name, value }) => fieldLine(name, value)).join(''),
  };
}

/** Whether a configuration may set, add or remove that field. @param lower lower-case name */
export function isEditable(lower: string): boolean {
  return lower !== 'host' && !HOP_BY_HOP.has(lower);
}
