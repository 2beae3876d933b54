/** Talking to a Kubernetes API server: see README.md. */
export type { AppliedObject, ApplyOptions, ApplyOutcome, FieldConflict } from './apply.ts';
export { Applier } from './apply.ts';
export { type Clock, systemClock } from './clock.ts';
export type { Access, Credentials } from './credentials/access.ts';
export { type LoadOptions, loadCredentials } from './credentials/load.ts';
export { ApiError, CredentialsError, KubernetesError, ProtocolError, TransportError } from './errors.ts';
export {
  ELECTION_REQUEST_TIMEOUT_MS,
  ELECTION_TIMING,
  type ElectionTiming,
  LeaderElection,
  type LeaderElectionOptions,
} from './leader-election.ts';
export { LEASES, type Lease, type LeaseApi, leaseApi } from './lease.ts';
export { describe, ObjectClient, type ObjectName } from './object-client.ts';
export {
  apiVersionOf,
  collectionPath,
  type KubernetesObject,
  keyOf,
  type ObjectMeta,
  type OwnerReference,
  objectPath,
  type ResourceType,
  typeName,
} from './objects.ts';
export { Reflector, type ReflectorCounts, type ReflectorOptions } from './reflector.ts';
export type { Selection } from './selection.ts';
export type { ReadonlyStore } from './store.ts';
export type { ApiAnswer, ApiRequest, Transport } from './transport.ts';
export { UndiciTransport } from './undici-transport.ts';
export { type Failure, type Outcome, TerminalError, WorkQueue, type WorkQueueOptions } from './work-queue.ts';
