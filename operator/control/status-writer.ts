import {
  ApiError,
  Applier,
  type Clock,
  type KubernetesObject,
  type Transport,
} from '../../kubernetes/index.ts';
import { compareResourceVersions } from '../../kubernetes/objects.ts';
import { FIELD_MANAGER } from '../infrastructure/names.ts';
import type { Kind } from '../resources/index.ts';
import type { ClusterSource } from '../sources/cluster/cluster-source.ts';
import { READ_TYPES } from '../sources/cluster/types.ts';
import { changesOf, type ObjectStatus, withTransitionTimes } from '../status/index.ts';
import type { EventRecorder } from './events.ts';

export interface StatusWriterOptions {
  readonly transport: Transport;
  readonly source: ClusterSource;
  readonly events: EventRecorder;
  readonly clock: Clock;
  /** By `Kind/namespace/name`. */
  readonly wanted: (key: string) => ObjectStatus | undefined;
}

type StatusObject = KubernetesObject & { readonly status?: object };

/** Writes the status of one object, and an Event for what changed in it. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #applier: Applier;
  /** What the API server answered last, until the store shows it. */
  readonly #written = new Map<string, StatusObject>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.#applier = new Applier(options.transport, FIELD_MANAGER);
  }

  /**
   * @param key `Kind/namespace/name`
   * @throws KubernetesError
   */
  async reconcile(key: string): Promise<void> {
    const { source, clock, events } = this.#options;
    const status = this.#options.wanted(key);
    const [kind, name] = split(key);
    const stored = source.get(kind, name) as StatusObject | undefined;
    if (status === undefined || stored === undefined) return;
    const live = this.#newest(key, stored);
    const wanted = withTransitionTimes(status, live.status, clock.epochMs());
    const { name: own, namespace, uid } = live.metadata;
    const metadata = {
      name: own,
      ...(namespace !== undefined && { namespace }),
      // Another object of this name is not to get it.
      ...(uid !== undefined && { uid }),
    };
    try {
      const result = await this.#applier.apply(READ_TYPES[kind], { metadata, status: wanted }, live, {
        subresource: 'status',
        force: true,
      });
      if (result.outcome !== 'applied') return;
      this.#written.set(key, result.object);
    } catch (error) {
      // Gone, or another object by now: its own change brings it here again.
      if (error instanceof ApiError && (error.notFound || error.conflict)) return;
      throw error;
    }
    for (const happening of changesOf(live.status, wanted)) await events.record(live, happening);
  }

  /** For an object that is gone. */
  forget(key: string): void {
    this.#written.delete(key);
    const [kind, name] = split(key);
    const [namespace, own = ''] = name.split('/');
    this.#applier.forget(READ_TYPES[kind], { metadata: { name: own, ...(namespace && { namespace }) } });
  }

  /** Transition times are those of the newest status, which the store may not show yet. */
  #newest(key: string, stored: StatusObject): StatusObject {
    const written = this.#written.get(key);
    if (written === undefined || written.metadata.uid !== stored.metadata.uid) return stored;
    const { resourceVersion: ours = '' } = written.metadata;
    if ((compareResourceVersions(ours, stored.metadata.resourceVersion ?? '') ?? 0) > 0) return written;
    this.#written.delete(key);
    return stored;
  }
}

function split(key: string): [Kind, string] {
  const slash = key.indexOf('/');
  return [key.slice(0, slash) as Kind, key.slice(slash + 1)];
}
