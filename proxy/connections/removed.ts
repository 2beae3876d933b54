import type { Snapshot } from '../config/snapshot.ts';
import type { ConnectionEntry } from './registry.ts';

/** Which connections came in by a listener that the next snapshot does not have: they are to be drained. */
export function onRemovedListener(previous: Snapshot, next: Snapshot): (entry: ConnectionEntry) => boolean {
  const kept = listenerKeys(next);
  const removed = new Set([...listenerKeys(previous)].filter((key) => !kept.has(key)));
  return (entry) => removed.size > 0 && removed.has(`${entry.port} ${entry.listener}`);
}

function listenerKeys(snapshot: Snapshot): Set<string> {
  return new Set(
    snapshot.ports.flatMap(({ port, listeners }) => listeners.map(({ name }) => `${port} ${name}`)),
  );
}
