/** Which kinds Sluice reads, which it knows to leave alone, and what to say about the rest. */
import { anyOf, describeValue } from './diagnostics.ts';
import { nearest } from './suggest.ts';
import type { Kind } from './types.ts';

export const group = 'sluice.dev';
export const apiVersion = `${group}/v1alpha1`;

/** The versions of each kind that are read, the newest first. */
const apiVersions: Record<Kind, readonly [string, ...string[]]> = {
  EdgeGateway: [apiVersion],
  BackendPool: [apiVersion],
  FirewallRuleList: [apiVersion],
  Secret: ['v1'],
  ConfigMap: ['v1'],
  Service: ['v1'],
  Ingress: ['networking.k8s.io/v1'],
  IngressClass: ['networking.k8s.io/v1'],
  ReferenceGrant: ['gateway.networking.k8s.io/v1', 'gateway.networking.k8s.io/v1beta1'],
};

const kinds = Object.keys(apiVersions) as Kind[];
const ownKinds = kinds.filter(isOwnKind);

/** Whether the kind is of our API group. */
export function isOwnKind(kind: Kind): boolean {
  return apiVersions[kind][0] === apiVersion;
}

/** Whether objects of the kind belong to the cluster rather than to a namespace. */
export function isClusterScoped(kind: Kind): boolean {
  return kind === 'IngressClass';
}

/** The core API group is closed: a kind that is not here does not exist. */
const coreKinds = [
  ...['Binding', 'ComponentStatus', 'ConfigMap', 'Endpoints', 'Event', 'LimitRange', 'List', 'Namespace'],
  ...['Node', 'PersistentVolume', 'PersistentVolumeClaim', 'Pod', 'PodTemplate', 'ReplicationController'],
  ...['ResourceQuota', 'Secret', 'Service', 'ServiceAccount'],
];

/**
 * Groups of Kubernetes itself whose objects no gateway reads anywhere: what runs behind it, and who may do what. That
 * they have no effect here surprises nobody.
 */
const clusterGroups = [
  ...['apps', 'autoscaling', 'batch', 'policy', 'apiextensions.k8s.io', 'admissionregistration.k8s.io'],
  ...['coordination.k8s.io', 'discovery.k8s.io', 'networking.k8s.io', 'rbac.authorization.k8s.io'],
  ...['scheduling.k8s.io', 'storage.k8s.io'],
];

export type Classified =
  | { is: 'read'; kind: Kind }
  | { is: 'list' }
  /** Left out without a word. */
  | { is: 'unrelated' }
  /** Left out, which may be a surprise. */
  | { is: 'skipped' }
  | { is: 'unknown'; field: 'apiVersion' | 'kind'; found: string; expected: string };

/**
 * What to do with a document of this version and kind. Kinds of other groups are skipped: the same files go
 * to `kubectl apply`, and there is no telling which custom resources a cluster has.
 */
export function classify(version: string, kind: string): Classified {
  const read = kinds.find((known) => known === kind);
  if (read && apiVersions[read].includes(version)) return { is: 'read', kind: read };

  const writtenGroup = groupOf(version);
  const isOurs = writtenGroup === group || version === group;
  if (read) {
    // Another project may have a kind of the same name; a group that is nearly ours is a mistake.
    const [expected] = apiVersions[read];
    const isMeant =
      writtenGroup === '' ||
      isOurs ||
      writtenGroup === groupOf(expected) ||
      (isOwnKind(read) && nearest(writtenGroup, [group]));
    if (!isMeant) return { is: 'skipped' };
    return { is: 'unknown', field: 'apiVersion', found: describeValue(version), expected };
  }
  if (isOurs) return unknownKind(kind, ownKinds);
  if (version !== 'v1') return { is: clusterGroups.includes(writtenGroup) ? 'unrelated' : 'skipped' };
  if (kind === 'List') return { is: 'list' };
  return coreKinds.includes(kind) ? { is: 'unrelated' } : unknownKind(kind, coreKinds);
}

function groupOf(version: string): string {
  return version.includes('/') ? version.slice(0, version.indexOf('/')) : '';
}

function unknownKind(kind: string, known: readonly string[]): Classified {
  const suggestion = nearest(kind, known);
  const expected = suggestion ? `${suggestion} (did you mean that?)` : anyOf(known);
  return { is: 'unknown', field: 'kind', found: describeValue(kind), expected };
}
