import assert from 'node:assert/strict';
import type { OwnerReference } from '../../kubernetes/index.ts';
import type { EdgeGateway } from '../resources/types.ts';

/**
 * Makes an object in the gateway's namespace go when the gateway goes.
 *
 * @param gateway as the API server has it, with its uid
 */
export function ownerReferenceOf({ apiVersion, kind, metadata }: EdgeGateway): OwnerReference {
  const { name, namespace = 'default', uid } = metadata;
  assert.ok(uid !== undefined, `${kind} ${namespace}/${name}: found no uid, expected one`);
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}
