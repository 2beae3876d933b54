import type { KubernetesObject } from '../../kubernetes/index.ts';
import { FIELD_MANAGER } from '../infrastructure/names.ts';

/**
 * Whether the operator itself wrote the object: labels can be put on anything, by anybody, and are copied along with an
 * object; who applied which fields is kept by the API server.
 */
export function isMadeByOperator({ metadata }: KubernetesObject): boolean {
  return (metadata.managedFields ?? []).some(
    ({ manager, operation, subresource = '' }) =>
      manager === FIELD_MANAGER && operation === 'Apply' && subresource === '',
  );
}

/** @param uid of a gateway */
export function isOwnedBy(
  { metadata }: Pick<KubernetesObject, 'metadata'>,
  uid: string | undefined,
): boolean {
  const owners = metadata.ownerReferences ?? [];
  return uid !== undefined && owners.some((owner) => owner.controller === true && owner.uid === uid);
}
