/** What every Kubernetes object has, and how its kind is addressed at the API server. */

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
  managedFields?: ManagedFields[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Which fields one manager owns. */
export interface ManagedFields {
  manager?: string;
  operation?: string;
  subresource?: string;
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: FieldSet;
}

/**
 * A set of fields: `f:name` leads to a field, `k:{…}` to the list item with these keys, `v:…` to the list item of
 * this value, `i:n` to the n-th item; `.` is the place itself; an empty set is a field with all that is in it.
 */
export interface FieldSet {
  [step: string]: FieldSet;
}

export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/** A resource type as the API server's paths name it. */
export interface ResourceType {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Lower-case plural, such as `edgegateways`. */
  readonly plural: string;
  readonly namespaced: boolean;
}

/** `v1`, `apps/v1`. */
export function apiVersionOf({ group, version }: ResourceType): string {
  return group === '' ? version : `${group}/${version}`;
}

/** `secrets`, `deployments.apps`: for people. */
export function typeName({ group, plural }: ResourceType): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** The path of a collection; without a namespace, that of all namespaces. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${type.plural}`;
}

/** The path of one object. */
export function objectPath(type: ResourceType, namespace: string | undefined, name: string): string {
  return `${collectionPath(type, type.namespaced ? namespace : undefined)}/${encodeURIComponent(name)}`;
}

/** `namespace/name`, or the bare name of an object without a namespace. Neither part can hold a slash. */
export function keyOf({ metadata }: Pick<KubernetesObject, 'metadata'>): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

/**
 * Which of two resourceVersions is newer: they are integers of any length that grow with every change of a type
 * (Kubernetes 1.35 made this part of the API, after it had been so in fact).
 *
 * @returns below, equal to or above 0; `null` when a server uses something else and there is no telling
 */
export function compareResourceVersions(a: string, b: string): number | null {
  if (!isInteger(a) || !isInteger(b)) return a === b ? 0 : null;
  if (a.length !== b.length) return a.length - b.length;
  return a === b ? 0 : a < b ? -1 : 1;
}

function isInteger(text: string): boolean {
  return /^(0|[1-9][0-9]*)$/.test(text);
}
