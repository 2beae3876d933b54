import { createHash } from 'node:crypto';
import { Private } from './private.ts';
import { SNAPSHOT_FORMAT, type Snapshot } from './snapshot.ts';

const PRIVATE_KEY = '$private';

/** A snapshot as text, private values included: for the snapshot's Secret and for worker threads, never for people. */
export function encodeSnapshot(snapshot: Snapshot): string {
  return canonicalJson(snapshot, (secret) => ({ [PRIVATE_KEY]: secret.reveal() }));
}

/** A snapshot as a person may see it: private values are shown as `[private]`. */
export function printableSnapshot(snapshot: Snapshot): unknown {
  return JSON.parse(
    canonicalJson(snapshot, () => '[private]'),
    withoutQuery,
  );
}

/** Queries of key sets' URIs carry credentials now and then. */
function withoutQuery(_key: string, value: unknown): unknown {
  const { type, uri } = (value ?? {}) as { readonly type?: unknown; readonly uri?: unknown };
  if (type !== 'JwksUri' || typeof uri !== 'string' || !uri.includes('?')) return value;
  return { ...(value as object), uri: `${uri.slice(0, uri.indexOf('?'))}?[private]` };
}

/**
 * Reads what {@link encodeSnapshot} wrote.
 * @throws Error when the text is of another format.
 */
export function decodeSnapshot(text: string): Snapshot {
  const value: unknown = JSON.parse(text, (_key, entry: unknown) => {
    if (typeof entry === 'object' && entry !== null && PRIVATE_KEY in entry) {
      return new Private(String(entry[PRIVATE_KEY]));
    }
    return entry;
  });
  const format = (value as { format?: unknown } | null)?.format;
  if (format !== SNAPSHOT_FORMAT) {
    throw new Error(`snapshot: found format ${String(format)}, expected ${SNAPSHOT_FORMAT}`);
  }
  return value as Snapshot;
}

/** The hash that a snapshot's content asks for; private values count, so a rotated key is a new snapshot. */
export function snapshotHash(content: Omit<Snapshot, 'hash'>): string {
  const text = canonicalJson({ ...content, hash: undefined }, (secret) => ({
    [PRIVATE_KEY]: secret.reveal(),
  }));
  return createHash('sha256').update(text).digest('hex');
}

/** JSON with sorted keys, so that equal values have equal text whatever order they were built in. */
function canonicalJson(value: unknown, privately: (secret: Private) => unknown): string {
  return JSON.stringify(sorted(value, privately));
}

function sorted(value: unknown, privately: (secret: Private) => unknown): unknown {
  if (value instanceof Private) return privately(value);
  if (Array.isArray(value)) return value.map((entry) => sorted(entry, privately));
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(value).sort()) {
    const entry = (value as Record<string, unknown>)[key];
    if (entry !== undefined) result[key] = sorted(entry, privately);
  }
  return result;
}
