import type { ParsedMessage, ParsedStream } from './parsed.ts';

/**
 * Holds our reading of a stream against the reference's. Ours may refuse more and earlier; what it let through, the
 * reference must have read in the same way.
 *
 * @returns what is wrong; null when nothing is
 */
export function compare(ours: ParsedStream, reference: ParsedStream): string | null {
  for (let i = 0; i < ours.messages.length; i++) {
    const mine = ours.messages[i]!;
    const theirs = reference.messages[i];
    if (theirs === undefined) return `head ${i} is refused by the reference (${reference.error})`;
    const difference = compareMessages(mine, theirs, ours.error, reference.error);
    if (difference !== null) return `message ${i}: ${difference}`;
  }
  if (ours.error === null && ours.open && reference.messages.length > ours.messages.length) {
    return 'the reference found more messages';
  }
  return null;
}

function compareMessages(
  mine: ParsedMessage,
  theirs: ParsedMessage,
  myError: string | null,
  theirError: string | null,
): string | null {
  for (const part of ['start', 'target', 'minorVersion', 'persistent'] as const) {
    if (part === 'persistent' && (mine.persistent === null || closesOldVersion(mine))) continue;
    if (mine[part] !== theirs[part]) return `${part} is ${mine[part]}, the reference has ${theirs[part]}`;
  }
  if (mine.fields.join('\0') !== theirs.fields.join('\0')) return 'fields differ';
  if (mine.complete) {
    if (!theirs.complete) return `complete, not so for the reference (${theirError})`;
    if (mine.body !== theirs.body) return 'bodies differ';
    if (mine.trailers.join('\0') !== theirs.trailers.join('\0')) return 'trailers differ';
  } else if (myError === null) {
    // llhttp may refuse a trailer field before its line ends; ours then never becomes complete.
    if (theirs.complete) return 'incomplete, but complete for the reference';
    if (mine.body !== theirs.body) return 'bodies differ';
  } else if (!theirs.body.startsWith(mine.body)) {
    return 'bodies differ before our error';
  }
  return null;
}

/** In HTTP/1.0, `close` beside `keep-alive` counts for us (RFC 9112 §9.3), but not for llhttp. */
function closesOldVersion({ minorVersion, persistent }: ParsedMessage): boolean {
  return minorVersion === 0 && persistent === false;
}
