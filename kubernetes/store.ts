import { compareResourceVersions, type KubernetesObject, keyOf } from './objects.ts';

/** The objects of one type as last heard of. */
export interface ReadonlyStore<T> {
  readonly size: number;
  get(key: string): T | undefined;
  keys(): IterableIterator<string>;
  values(): IterableIterator<T>;
}

/** Keeps objects by key, and never lets an older state of an object take the place of a newer one. */
export class Store<T extends KubernetesObject> implements ReadonlyStore<T> {
  #objects = new Map<string, T>();

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** @returns whether this is news. */
  put(object: T): boolean {
    const key = keyOf(object);
    const known = this.#objects.get(key);
    if (known !== undefined && !isNewer(object, known)) return false;
    this.#objects.set(key, object);
    return true;
  }

  /**
   * @param object its last state, as the removal reported it
   * @returns whether this is news
   */
  remove(object: T): boolean {
    const key = keyOf(object);
    const known = this.#objects.get(key);
    if (known === undefined || isOlder(object, known)) return false;
    this.#objects.delete(key);
    return true;
  }

  /**
   * Takes over a complete list, which the caller knows to be the newest state there is.
   *
   * @returns keys of all that is new, changed or gone
   */
  replace(objects: readonly T[]): string[] {
    const before = this.#objects;
    const after = new Map(objects.map((object) => [keyOf(object), object]));
    const changed: string[] = [];
    for (const [key, object] of after) {
      const known = before.get(key);
      if (known === undefined || versionOf(known) !== versionOf(object)) changed.push(key);
      else after.set(key, known);
    }
    for (const key of before.keys()) if (!after.has(key)) changed.push(key);
    this.#objects = after;
    return changed;
  }
}

/** Where two versions cannot be compared, the order of arrival decides. */
function isNewer(object: KubernetesObject, known: KubernetesObject): boolean {
  const order = compareResourceVersions(versionOf(object), versionOf(known));
  return order === null || order > 0;
}

function isOlder(object: KubernetesObject, known: KubernetesObject): boolean {
  const order = compareResourceVersions(versionOf(object), versionOf(known));
  return order !== null && order < 0;
}

function versionOf({ metadata }: KubernetesObject): string {
  return metadata.resourceVersion ?? '';
}
