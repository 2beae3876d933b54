import {
  type Clock,
  type KubernetesObject,
  type ReadonlyStore,
  Reflector,
  type ReflectorOptions,
  type ResourceType,
  type Transport,
} from '../../../kubernetes/index.ts';
import { MANAGED_BY } from '../../infrastructure/names.ts';
import type { Kind, Resource } from '../../resources/index.ts';
import type { SourceState } from '../source.ts';
import { adopt } from './adopt.ts';
import { READ_TYPES } from './types.ts';

export interface ClusterSourceOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: ReflectorOptions['log'];
  /** `null` is all of them. */
  readonly namespaces: readonly string[] | null;
  /** Whether Ingresses and their classes are read; the classes need rights for the whole cluster. */
  readonly ingress: boolean;
  /** Told of each change, of what kind it is and of which object; called in the turn in which the store shows it. */
  readonly onChange: (kind: Kind, key: string) => void;
}

/** How a watch of the source is doing, for metrics and pages. */
export interface WatchState {
  readonly kind: Kind;
  readonly namespace: string | null;
  readonly stalenessMs: number;
  readonly error: string | null;
}

interface Watch {
  readonly kind: Kind;
  readonly namespace: string | null;
  readonly reflector: Reflector<KubernetesObject>;
}

/** What users write in a cluster, followed by one watch for each kind (and namespace, where these are limited). */
export class ClusterSource {
  readonly #watches: readonly Watch[];

  constructor(options: ClusterSourceOptions) {
    const { namespaces, ingress } = options;
    const kinds = (Object.keys(READ_TYPES) as Kind[]).filter(
      (kind) => ingress || (kind !== 'Ingress' && kind !== 'IngressClass'),
    );
    this.#watches = kinds.flatMap((kind) => {
      const type = READ_TYPES[kind];
      const scopes = namespaces === null || !type.namespaced ? [null] : namespaces;
      return scopes.map((namespace) => ({
        kind,
        namespace,
        reflector: new Reflector<KubernetesObject>({
          ...options,
          ...selectionOf(kind, type, namespace),
          onChange: (key) => options.onChange(kind, key),
        }),
      }));
    });
  }

  start(): void {
    for (const { reflector } of this.#watches) reflector.start();
  }

  /** Resolves when every kind has been listed once: before that nobody can tell what is missing. */
  async synced(): Promise<void> {
    await Promise.all(this.#watches.map(({ reflector }) => reflector.synced));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#watches.map(({ reflector }) => reflector.stop()));
  }

  /** Everything that is stored now; call it once {@link synced} has resolved. */
  state(): SourceState {
    const resources: Resource[] = [];
    for (const { reflector } of this.#watches) {
      for (const object of reflector.store.values()) resources.push(adopt(object));
    }
    return { resources, diagnostics: [], complete: true };
  }

  /** The object as last heard of, with its managed fields where these are kept. */
  get(kind: Kind, key: string): KubernetesObject | undefined {
    for (const store of this.#storesOf(kind)) {
      const object = store.get(key);
      if (object !== undefined) return object;
    }
    return undefined;
  }

  states(): readonly WatchState[] {
    return this.#watches.map(({ kind, namespace, reflector }) => ({
      kind,
      namespace,
      stalenessMs: reflector.stalenessMs,
      error: reflector.error,
    }));
  }

  #storesOf(kind: Kind): ReadonlyStore<KubernetesObject>[] {
    return this.#watches.filter((watch) => watch.kind === kind).map(({ reflector }) => reflector.store);
  }
}

/** Kinds whose status we write: what is ours in them is told from their managed fields. */
const WITH_STATUS: ReadonlySet<Kind> = new Set(['EdgeGateway', 'BackendPool', 'FirewallRuleList', 'Ingress']);

function selectionOf(
  kind: Kind,
  type: ResourceType,
  namespace: string | null,
): Pick<
  ReflectorOptions,
  'type' | 'namespace' | 'labelSelector' | 'fieldSelector' | 'optional' | 'keepManagedFields'
> {
  return {
    type,
    ...(namespace !== null && { namespace }),
    // What we make ourselves is no input.
    ...((kind === 'Secret' || kind === 'Service') && { labelSelector: MANAGED_BY.replace('=', '!=') }),
    // Helm keeps each release of each chart in a Secret: large, many, and never referred to.
    ...(kind === 'Secret' && { fieldSelector: 'type!=helm.sh/release.v1' }),
    ...(kind === 'ReferenceGrant' && { optional: true }),
    ...(WITH_STATUS.has(kind) && { keepManagedFields: true }),
  };
}
