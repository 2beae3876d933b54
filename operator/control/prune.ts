import { KubernetesError } from '../../kubernetes/index.ts';
import type { Log } from '../../proxy/telemetry/log.ts';
import type { ObjectSink } from './object-sink.ts';
import type { OwnedObjects } from './owned-objects.ts';
import { isMadeByOperator } from './ownership.ts';

/** All that gateways have in other namespaces. */
const LEFT_BEHIND = new Set(['Role', 'RoleBinding']);

/**
 * Removes what gateways that are gone have left in other namespaces. What is in their own has them as its owner, and
 * Kubernetes removes it.
 *
 * @param alive the groups of all gateways that there are
 */
export async function pruneAbandoned(
  owned: OwnedObjects,
  alive: ReadonlySet<string>,
  sink: ObjectSink,
  log: Log,
): Promise<void> {
  const abandoned = [...owned.groups()]
    .filter(([group]) => !alive.has(group))
    .flatMap(([, objects]) => [...objects.values()])
    .filter(({ type, object }) => LEFT_BEHIND.has(type.kind) && isMadeByOperator(object))
    .filter(({ object }) => (object.metadata.ownerReferences ?? []).length === 0);
  for (const { type, object } of abandoned) {
    try {
      await sink.remove(type, object);
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      log.warn(error.message);
    }
  }
}
