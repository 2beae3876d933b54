import {
  type AppliedObject,
  Applier,
  describe,
  KubernetesError,
  type KubernetesObject,
  keyOf,
  ObjectClient,
  type ResourceType,
  type Transport,
  typeName,
} from '../../kubernetes/index.ts';
import { FIELD_MANAGER } from '../infrastructure/names.ts';
import type { OwnedObjects } from './owned-objects.ts';
import { isMadeByOperator } from './ownership.ts';

/** Somebody else's object has the name that one of ours is to have. */
export class ForeignObjectError extends KubernetesError {}

const DEPLOYMENT = 'deployments.apps';
/** Holds the number of replicas while it passes from the operator to an autoscaler. */
const HANDOVER_MANAGER = `${FIELD_MANAGER}-handover`;

/** Writes the objects that the operator owns, and only where they differ from what is there. */
export class ObjectSink {
  readonly #transport: Transport;
  readonly #owned: OwnedObjects;
  readonly #applier: Applier;
  readonly #handover: Applier;

  constructor(transport: Transport, owned: OwnedObjects) {
    this.#transport = transport;
    this.#owned = owned;
    this.#applier = new Applier(transport, FIELD_MANAGER);
    this.#handover = new Applier(transport, HANDOVER_MANAGER);
  }

  /**
   * Makes the object as it is wanted; repairs what others have changed in it.
   *
   * @returns whether something was written
   * @throws KubernetesError
   */
  async apply(type: ResourceType, object: AppliedObject): Promise<boolean> {
    const live = this.#owned.get(type, keyOf(object as unknown as KubernetesObject));
    if (live === undefined || !isMadeByOperator(live)) await this.#refuseForeign(type, object);
    else if (typeName(type) === DEPLOYMENT) await this.#handOverReplicas(type, object, live);
    const { outcome } = await this.#applier.apply(type, object, live, { force: true });
    return outcome === 'applied';
  }

  /** Removes an object that is no longer wanted. */
  async remove(type: ResourceType, object: KubernetesObject): Promise<void> {
    const { uid = '' } = object.metadata;
    await new ObjectClient(this.#transport, type).delete(object.metadata, uid);
    this.#applier.forget(type, object as unknown as AppliedObject);
  }

  /** Somebody else's object may have this name, with our labels or without: then it is not ours to change. */
  async #refuseForeign(type: ResourceType, { metadata }: AppliedObject): Promise<void> {
    const found = await new ObjectClient<KubernetesObject>(this.#transport, type).get(metadata);
    if (found === null) return;
    // Written by us a moment ago and not yet in the store, or without the label that somebody took away.
    if (isMadeByOperator(found)) return;
    throw new ForeignObjectError(
      `${describe(type, metadata)}: found an object of this name that the operator did not make, expected none; rename or remove it`,
    );
  }

  /**
   * A field that its only owner applies no longer is reset: the Deployment of a gateway that gets an autoscaler would
   * fall to one replica. So another owner keeps the number until the autoscaler sets it.
   */
  async #handOverReplicas(type: ResourceType, desired: AppliedObject, live: KubernetesObject): Promise<void> {
    const wanted = desired.spec as { readonly replicas?: number } | undefined;
    const { replicas } = (live as { spec?: { replicas?: number } }).spec ?? {};
    const isOurs = live.metadata.managedFields?.some(
      ({ manager, fieldsV1 }) =>
        manager === FIELD_MANAGER && fieldsV1?.['f:spec']?.['f:replicas'] !== undefined,
    );
    if (wanted?.replicas !== undefined || replicas === undefined || isOurs !== true) return;
    const { name, namespace } = desired.metadata;
    const kept = { metadata: { name, ...(namespace !== undefined && { namespace }) }, spec: { replicas } };
    await this.#handover.apply(type, kept, live);
  }
}
