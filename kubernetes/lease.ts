import { ObjectClient, type ObjectName } from './object-client.ts';
import type { KubernetesObject, ResourceType } from './objects.ts';
import type { Transport } from './transport.ts';

export const LEASES: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

export interface LeaseSpec {
  /** Empty when it was released. */
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  /** Wall-clock times, for people: nothing is decided by them. */
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

export interface Lease extends KubernetesObject {
  spec?: LeaseSpec;
}

/**
 * One Lease at the API server. Each call settles within a time limit of its own, with a `KubernetesError` if need
 * be; after one that is no `ApiError`, a write may have taken effect, or do so later.
 */
export interface LeaseApi {
  /** @returns `null` when there is none. */
  get(): Promise<Lease | null>;
  /** @throws ApiError `conflict` when there is one. */
  create(spec: LeaseSpec): Promise<Lease>;
  /**
   * Replaces the spec of exactly this state of exactly this Lease.
   *
   * @throws ApiError `conflict` when it has changed, or is another one or gone
   */
  update(lease: Lease, spec: LeaseSpec): Promise<Lease>;
}

export function leaseApi(
  transport: Transport,
  name: ObjectName & { namespace: string },
  timeoutMs: number,
): LeaseApi {
  const client = new ObjectClient<Lease>(transport, LEASES);
  const identity = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
  return {
    get: () => client.get(name, timeoutMs),
    create: (spec) => client.create({ ...identity, metadata: { ...name }, spec }, timeoutMs),
    // The whole metadata goes back: without the uid, an update of a Lease that is gone would create another.
    update: (lease, spec) => client.update({ ...identity, metadata: lease.metadata, spec }, timeoutMs),
  };
}
