/** Where things are in a pod: the operator makes pods by it, and the proxy in them goes by it. */

/** The whole of the admin endpoints, which show users: on loopback only. */
export const ADMIN_PORT = 9901;
/** `/healthz`, `/readyz`, `/metrics` and `/report`, for the cluster. */
export const STATUS_PORT = 9902;
/** No listener can have these. */
export const PORTS_OF_PODS: readonly number[] = [ADMIN_PORT, STATUS_PORT];
/** The index of the stored snapshot, for a start while the API server is away. */
export const SNAPSHOT_VOLUME = '/var/run/sluice/snapshot';
