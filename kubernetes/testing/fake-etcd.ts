import type { KubernetesObject } from '../objects.ts';

/** One change of one object. */
export interface Change {
  readonly revision: number;
  readonly collection: string;
  readonly before: KubernetesObject | null;
  /** `null` for a removal. */
  readonly after: KubernetesObject | null;
  /** What a watch shows: for a removal the last state, with the removal's revision. */
  readonly shown: KubernetesObject;
}

/** Objects with one growing revision and a history that can be compacted. */
export class FakeEtcd {
  revision = 100;
  /** Nothing at or before this revision can be read or watched from. */
  compacted = 0;
  readonly #objects = new Map<string, KubernetesObject>();
  #history: Change[] = [];
  #uids = 0;
  readonly #onChange: (change: Change) => void;

  constructor(onChange: (change: Change) => void) {
    this.#onChange = onChange;
  }

  get(collection: string, namespace: string | undefined, name: string): KubernetesObject | null {
    return this.#objects.get(keyIn(collection, namespace, name)) ?? null;
  }

  /** Sorted as etcd sorts. */
  list(collection: string, namespace?: string): KubernetesObject[] {
    const prefix = namespace === undefined ? `${collection}|` : `${collection}|${namespace}/`;
    const found = [...this.#objects].filter(([key]) => key.startsWith(prefix));
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  put(collection: string, object: KubernetesObject): KubernetesObject {
    const key = keyIn(collection, object.metadata.namespace, object.metadata.name);
    const before = this.#objects.get(key) ?? null;
    const revision = ++this.revision;
    const uid = before?.metadata.uid ?? `uid-${++this.#uids}`;
    const metadata = { ...object.metadata, uid, resourceVersion: String(revision) };
    const after = structuredClone({ ...object, metadata });
    this.#objects.set(key, after);
    this.#record({ revision, collection, before, after, shown: after });
    return after;
  }

  delete(collection: string, namespace: string | undefined, name: string): KubernetesObject | null {
    const key = keyIn(collection, namespace, name);
    const before = this.#objects.get(key);
    if (before === undefined) return null;
    const revision = ++this.revision;
    this.#objects.delete(key);
    const shown = { ...before, metadata: { ...before.metadata, resourceVersion: String(revision) } };
    this.#record({ revision, collection, before, after: null, shown });
    return shown;
  }

  changesAfter(revision: number): readonly Change[] {
    return this.#history.filter((change) => change.revision > revision);
  }

  /** Forgets all history up to now. */
  compact(): void {
    this.compacted = this.revision;
    this.#history = [];
  }

  #record(change: Change): void {
    this.#history.push(change);
    this.#onChange(change);
  }
}

function keyIn(collection: string, namespace: string | undefined, name: string): string {
  return `${collection}|${namespace === undefined ? '' : `${namespace}/`}${name}`;
}
