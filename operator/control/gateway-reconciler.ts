import {
  type AppliedObject,
  KubernetesError,
  type KubernetesObject,
  keyOf,
  typeName,
} from '../../kubernetes/index.ts';
import type { Snapshot } from '../../proxy/config/snapshot.ts';
import { StoredSnapshotError } from '../../proxy/config/stored-snapshot.ts';
import { SECRETS, type Secret } from '../../proxy/pod/secret.ts';
import {
  type DesiredObject,
  type InfrastructureSettings,
  infrastructureOf,
} from '../infrastructure/infrastructure.ts';
import { snapshotPartName, snapshotSecretName } from '../infrastructure/names.ts';
import type { EdgeGateway } from '../resources/index.ts';
import type { ObjectSink } from './object-sink.ts';
import type { OwnedObjects } from './owned-objects.ts';
import { isMadeByOperator, isOwnedBy } from './ownership.ts';
import { type SnapshotSecrets, SnapshotStore } from './snapshot-secrets.ts';

/** A gateway as it is to be: what the compiler made of it. */
export interface CompiledGateway {
  readonly gateway: EdgeGateway;
  readonly snapshot: Snapshot;
}

/** These come first: pods that start, or read a new snapshot, need the rights for it. */
const RIGHTS = new Set(['ServiceAccount', 'Role', 'RoleBinding']);

export interface GatewayReconcilerOptions {
  readonly sink: ObjectSink;
  readonly owned: OwnedObjects;
  readonly settings: InfrastructureSettings;
  /** A gateway's snapshot and objects by `namespace/name`; `null` when there is nothing to serve. */
  readonly wanted: (key: string) => CompiledGateway | null;
}

/** Brings the objects of one gateway in line with what was compiled. */
export class GatewayReconciler {
  readonly #options: GatewayReconcilerOptions;
  readonly #snapshots = new SnapshotStore();

  constructor(options: GatewayReconcilerOptions) {
    this.#options = options;
  }

  /**
   * Rights → parts of the snapshot → its index, which is the swap → all else → what is no longer wanted. One object
   * that cannot be written keeps the others from nothing.
   *
   * @throws KubernetesError of the first object that could not be written
   */
  async reconcile(key: string): Promise<void> {
    const wanted = this.#options.wanted(key);
    if (wanted === null) return;
    const { gateway, snapshot } = wanted;
    const { owned, settings } = this.#options;
    const errors: KubernetesError[] = [];

    const indexKey = `${gateway.metadata.namespace}/${snapshotSecretName(gateway.metadata.name)}`;
    const live = owned.get(SECRETS, indexKey) as Secret | undefined;
    const secrets = this.#secretsOf(wanted, live, errors);
    const suffixes = this.#readableParts(gateway, secrets);
    const desired = infrastructureOf({ gateway, snapshot, parts: suffixes, settings });
    // Rights in other namespaces are for following Services there: what is wrong with these must not hold up the rest.
    const isFirst = ({ type, object }: DesiredObject): boolean =>
      RIGHTS.has(type.kind) && object.metadata.namespace === gateway.metadata.namespace;
    const rights = desired.filter(isFirst);
    const rest = desired.filter((object) => !isFirst(object));

    await this.#applyAll(rights, errors);
    if (secrets !== null && errors.length === 0) await this.#swap(secrets, errors);
    await this.#applyAll(rest, errors);
    if (errors.length === 0) await this.#prune(gateway, desired, secrets, errors);

    const [first] = errors;
    if (first !== undefined) throw first;
  }

  /** The gateway of this uid is gone. */
  forget(uid: string): void {
    this.#snapshots.forget(uid);
  }

  #secretsOf(
    { gateway, snapshot }: CompiledGateway,
    live: Secret | undefined,
    errors: KubernetesError[],
  ): SnapshotSecrets | null {
    try {
      return this.#snapshots.secretsOf(gateway, snapshot, live);
    } catch (error) {
      if (!(error instanceof StoredSnapshotError)) throw error;
      // What is stored stays in force.
      errors.push(new KubernetesError(error.message));
      return null;
    }
  }

  /** Suffixes of the parts that pods may have to read: those that are there, and those that are about to be. */
  #readableParts(gateway: EdgeGateway, secrets: SnapshotSecrets | null): string[] {
    const prefix = snapshotPartName(gateway.metadata.name, '');
    const there = this.#options.owned
      .of(gateway.metadata)
      .filter(({ type, object }) => typeName(type) === 'secrets' && object.metadata.name.startsWith(prefix))
      .map(({ object }) => object.metadata.name.slice(prefix.length));
    return [...new Set([...there, ...(secrets?.suffixes ?? [])])].sort();
  }

  async #swap({ parts, index }: SnapshotSecrets, errors: KubernetesError[]): Promise<void> {
    await this.#applyAll(
      parts.map((object) => ({ type: SECRETS, object })),
      errors,
    );
    // An index whose parts are not there would leave pods that start now with nothing.
    if (errors.length === 0) await this.#applyAll([{ type: SECRETS, object: index }], errors);
  }

  async #applyAll(objects: readonly DesiredObject[], errors: KubernetesError[]): Promise<void> {
    for (const { type, object } of objects) {
      try {
        await this.#options.sink.apply(type, object);
      } catch (error) {
        if (!(error instanceof KubernetesError)) throw error;
        errors.push(error);
      }
    }
  }

  /** Labels alone prove nothing: what is beside the gateway has it as its owner, what is elsewhere was made by us. */
  #isOurs({ metadata: { namespace, uid } }: EdgeGateway, object: KubernetesObject): boolean {
    if (!isMadeByOperator(object)) return false;
    return object.metadata.namespace !== namespace || isOwnedBy(object, uid);
  }

  async #prune(
    gateway: EdgeGateway,
    desired: readonly DesiredObject[],
    secrets: SnapshotSecrets | null,
    errors: KubernetesError[],
  ): Promise<void> {
    const wanted = new Set(desired.map(({ type, object }) => idOf(type.kind, object)));
    for (const { type, object } of this.#options.owned.of(gateway.metadata)) {
      if (type.kind === 'Pod' || !this.#isOurs(gateway, object)) continue;
      if (type.kind === 'Secret') {
        if (secrets === null || secrets.names.has(object.metadata.name)) continue;
      } else if (wanted.has(idOf(type.kind, object as unknown as AppliedObject))) continue;
      try {
        await this.#options.sink.remove(type, object);
      } catch (error) {
        if (!(error instanceof KubernetesError)) throw error;
        errors.push(error);
      }
    }
  }
}

function idOf(kind: string, object: AppliedObject): string {
  return `${kind} ${keyOf(object as unknown as KubernetesObject)}`;
}
