import type { KubernetesObject } from '../../../kubernetes/index.ts';
import type { Resource, Source } from '../../resources/index.ts';

/** Objects of a cluster have no place in a file. */
const CLUSTER: Source = { file: '', locate: () => ({ line: 0, column: 0 }), admitted: true };

/** A store keeps an object until it changes, so each is turned into a resource once. */
const adopted = new WeakMap<KubernetesObject, Resource>();

/** An object of a cluster as the compiler takes it. Objects of types without namespaces have an empty one. */
export function adopt(object: KubernetesObject): Resource {
  const known = adopted.get(object);
  if (known !== undefined) return known;
  const { apiVersion, kind, metadata } = object;
  const resource = {
    apiVersion,
    kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    labels: metadata.labels ?? {},
    body: object,
    source: CLUSTER,
  } as unknown as Resource;
  adopted.set(object, resource);
  return resource;
}
