import {
  type Clock,
  type KubernetesObject,
  Reflector,
  type ReflectorOptions,
  type ResourceType,
  type Transport,
  typeName,
} from '../../kubernetes/index.ts';
import { type GatewayName, labelValue, MANAGED_BY } from '../infrastructure/names.ts';

export interface OwnedObjectsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: ReflectorOptions['log'];
  readonly types: readonly ResourceType[];
  /** `null` is all of them. */
  readonly namespaces: readonly string[] | null;
  /** Told of each object that is new, changed or gone, by the group of its gateway (see {@link gatewayGroup}). */
  readonly onChange: (group: string) => void;
}

export interface OwnedObject {
  readonly type: ResourceType;
  readonly object: KubernetesObject;
}

/** What the labels of a gateway's objects say of whose they are: the same for all objects of one gateway. */
export function gatewayGroup({ namespace = 'default', name }: GatewayName): string {
  return `${labelValue(namespace)}/${labelValue(name)}`;
}

function groupOf({ metadata: { labels } }: KubernetesObject): string {
  return `${labels?.['sluice.dev/gateway-namespace'] ?? ''}/${labels?.['sluice.dev/gateway'] ?? ''}`;
}

/** What the operator has made in the cluster, as the cluster shows it: all that bears its label. */
export class OwnedObjects {
  readonly #reflectors: readonly {
    readonly type: ResourceType;
    readonly reflector: Reflector<KubernetesObject>;
  }[];
  /** By type and key. */
  readonly #objects = new Map<string, OwnedObject>();
  /** The same by gateway. */
  readonly #groups = new Map<string, Map<string, OwnedObject>>();

  constructor(options: OwnedObjectsOptions) {
    const { types, namespaces } = options;
    this.#reflectors = types.flatMap((type) =>
      (namespaces ?? [null]).map((namespace) => {
        const reflector: Reflector<KubernetesObject> = new Reflector<KubernetesObject>({
          ...options,
          type,
          ...(namespace !== null && { namespace }),
          labelSelector: MANAGED_BY,
          keepManagedFields: true,
          onChange: (key) => this.#changed(type, key, reflector.store.get(key), options.onChange),
        });
        return { type, reflector };
      }),
    );
  }

  start(): void {
    for (const { reflector } of this.#reflectors) reflector.start();
  }

  async synced(): Promise<void> {
    await Promise.all(this.#reflectors.map(({ reflector }) => reflector.synced));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map(({ reflector }) => reflector.stop()));
  }

  /** @param key `namespace/name` */
  get(type: ResourceType, key: string): KubernetesObject | undefined {
    return this.#objects.get(`${typeName(type)} ${key}`)?.object;
  }

  /** The objects of one gateway. */
  of(gateway: GatewayName): readonly OwnedObject[] {
    return [...(this.#groups.get(gatewayGroup(gateway))?.values() ?? [])];
  }

  /** The gateways that have objects, each by its {@link gatewayGroup}. */
  groups(): ReadonlyMap<string, ReadonlyMap<string, OwnedObject>> {
    return this.#groups;
  }

  states(): readonly {
    readonly type: string;
    readonly stalenessMs: number;
    readonly error: string | null;
  }[] {
    return this.#reflectors.map(({ type, reflector }) => ({
      type: typeName(type),
      stalenessMs: reflector.stalenessMs,
      error: reflector.error,
    }));
  }

  #changed(
    type: ResourceType,
    key: string,
    object: KubernetesObject | undefined,
    tell: (group: string) => void,
  ): void {
    const id = `${typeName(type)} ${key}`;
    const before = this.#objects.get(id);
    if (before !== undefined) {
      const group = groupOf(before.object);
      const members = this.#groups.get(group);
      members?.delete(id);
      if (members?.size === 0) this.#groups.delete(group);
      this.#objects.delete(id);
      if (object === undefined || groupOf(object) !== group) tell(group);
    }
    if (object === undefined) return;
    const owned = { type, object };
    const group = groupOf(object);
    const members = this.#groups.get(group) ?? new Map<string, OwnedObject>();
    members.set(id, owned);
    this.#groups.set(group, members);
    this.#objects.set(id, owned);
    tell(group);
  }
}
