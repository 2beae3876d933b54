import { apiErrorFrom, isRecord, ProtocolError } from './errors.ts';
import type { KubernetesObject } from './objects.ts';
import { adopt, inWords, pathOf, type Selection } from './selection.ts';
import { expectSuccess, type Transport } from './transport.ts';

/** Far above what etcd stores of one object (1.5 MiB by default). */
export const MAX_EVENT_BYTES = 16 << 20;
const HEAD_TIMEOUT_MS = 30_000;

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T; readonly resourceVersion: string }
  /** Nothing of what is watched changed up to this version. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface WatchOptions {
  readonly resourceVersion: string;
  /** After which the server ends the watch. */
  readonly timeoutSeconds: number;
  readonly keepManagedFields: boolean;
  readonly maxEventBytes?: number;
  readonly signal: AbortSignal;
  /** Called when the watch was accepted and whenever something arrived. */
  readonly onHeard: () => void;
}

/**
 * Follows all changes after a resourceVersion, until the server ends the watch.
 *
 * @throws ApiError when the server refuses, before or during the watch
 * @throws TransportError when the connection breaks
 * @throws ProtocolError for what is no event
 */
export async function* watch<T extends KubernetesObject>(
  transport: Transport,
  selection: Selection,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const { resourceVersion, timeoutSeconds, signal, onHeard, maxEventBytes = MAX_EVENT_BYTES } = options;
  const request = {
    what: inWords('watch', selection),
    method: 'GET',
    path: pathOf(selection, {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: String(timeoutSeconds),
    }),
    signal,
    headTimeoutMs: HEAD_TIMEOUT_MS,
  } as const;
  const answer = await expectSuccess(request, await transport.send(request));
  onHeard();
  for await (const line of answer.lines({ maxLineBytes: maxEventBytes }, onHeard)) {
    yield readEvent<T>(line, request.what, selection, options.keepManagedFields);
  }
}

function readEvent<T extends KubernetesObject>(
  line: string,
  what: string,
  { type }: Selection,
  keepManagedFields: boolean,
): WatchEvent<T> {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    // Not quoted: it may be part of a Secret.
    throw new ProtocolError(`${what}: a line that is not JSON (${line.length} characters)`);
  }
  const kind = isRecord(event) ? event.type : undefined;
  const value = isRecord(event) ? event.object : undefined;
  switch (kind) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED': {
      const object = adopt<T>(value, type, keepManagedFields);
      return { type: kind, object, resourceVersion: object.metadata.resourceVersion ?? '' };
    }
    case 'BOOKMARK':
      return { type: kind, resourceVersion: versionOfBookmark(value, what) };
    case 'ERROR':
      throw apiErrorFrom(what, isRecord(value) && typeof value.code === 'number' ? value.code : 500, value);
    default:
      throw new ProtocolError(`${what}: a line that is no event`);
  }
}

function versionOfBookmark(value: unknown, what: string): string {
  const metadata = isRecord(value) ? value.metadata : undefined;
  const version = isRecord(metadata) ? metadata.resourceVersion : undefined;
  if (typeof version !== 'string' || version === '')
    throw new ProtocolError(`${what}: a bookmark without version`);
  return version;
}
