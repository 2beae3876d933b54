import type { Header, HeaderModifier } from '../config/snapshot.ts';
import { isEditable } from '../http/codec/edit.ts';
import { fieldLine } from '../http/codec/headers.ts';

/**
 * Changes to a head, ready for writing: leave out the fields whose names are in `dropped`, then append `lines`.
 * Setting a field is dropping what came and appending one line.
 */
export interface HeaderEdit {
  /** Lower case. */
  readonly dropped: ReadonlySet<string>;
  /** Field lines as they go on the wire, each with its CRLF; empty when there is none. */
  readonly lines: string;
  /** The same as name and value, for versions of HTTP without field lines. */
  readonly fields: readonly Header[];
}

/**
 * Several modifiers, the later ones acting on what the earlier ones left, as one edit; `null` when nothing changes.
 * Fields that frame a message or belong to one
 * connection are passed over: no configuration may break the framing of messages.
 */
export function compileHeaderEdit(...modifiers: readonly (HeaderModifier | null)[]): HeaderEdit | null {
  const dropped = new Set<string>();
  const appended = new Map<string, Header[]>();
  for (const modifier of modifiers) {
    if (modifier === null) continue;
    for (const name of modifier.remove) {
      const lower = name.toLowerCase();
      if (!isEditable(lower)) continue;
      dropped.add(lower);
      appended.delete(lower);
    }
    for (const header of modifier.set) {
      const lower = header.name.toLowerCase();
      if (!isEditable(lower)) continue;
      dropped.add(lower);
      appended.set(lower, [header]);
    }
    for (const header of modifier.add) {
      const lower = header.name.toLowerCase();
      if (!isEditable(lower)) continue;
      const list = appended.get(lower);
      if (list === undefined) appended.set(lower, [header]);
      else list.push(header);
    }
  }
  const fields = [...appended.values()].flat();
  return dropped.size === 0 && fields.length === 0 ? null : headerEdit(dropped, fields);
}

export function headerEdit(dropped: ReadonlySet<string>, fields: readonly Header[]): HeaderEdit {
  let lines = '';
  for (const { name, value } of fields) lines += fieldLine(name, value);
  return { dropped, lines, fields };
}
