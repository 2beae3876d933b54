/**
 * What the objects are called that a gateway's pods consist of, and the labels by which they are found again.
 * Nothing here changes from one version to the next: a Deployment's selector cannot be changed, and objects of
 * another name would be new objects.
 */
import { createHash } from 'node:crypto';

/** The metadata of an EdgeGateway, or a snapshot's `gateway`. */
export interface GatewayName {
  readonly name: string;
  /** `default`, unless given. */
  readonly namespace?: string;
}

/** Owns the fields that the operator applies. */
export const FIELD_MANAGER = 'sluice-operator';

/** Who answers for classes of gateways and Ingresses, and for the conditions of what is attached to them. */
export const CONTROLLER_NAME = 'sluice.dev/gateway-controller';

/** Selects every object that the operator made. */
export const MANAGED_BY = `app.kubernetes.io/managed-by=${FIELD_MANAGER}`;

const MAX_LABEL_LENGTH = 63;
/** Leaves room for what is appended, here and by Kubernetes. */
const MAX_OBJECT_NAME_LENGTH = 52;
const PREFIX = 'sluice-';

/** The labels of every object of a gateway. */
export function gatewayLabels(gateway: GatewayName): Record<string, string> {
  return { ...selectorLabels(gateway), 'app.kubernetes.io/managed-by': FIELD_MANAGER };
}

/** The labels by which the pods of a gateway are selected. */
export function selectorLabels({ namespace = 'default', name }: GatewayName): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'sluice',
    'app.kubernetes.io/component': 'proxy',
    'sluice.dev/gateway': labelValue(name),
    'sluice.dev/gateway-namespace': labelValue(namespace),
  };
}

/** Label selector text for the objects of one gateway. */
export function gatewaySelector(gateway: GatewayName): string {
  return Object.entries(gatewayLabels(gateway))
    .map(([label, value]) => `${label}=${value}`)
    .join(',');
}

/** The name as a label's value: itself where it fits. */
export function labelValue(name: string): string {
  return fit(name, name, MAX_LABEL_LENGTH);
}

/** What the Deployment, the Service and all the rest of a gateway are called, in its own namespace. */
export function objectName(gatewayName: string): string {
  const label = gatewayName.replaceAll('.', '-');
  return PREFIX + fit(gatewayName, label, MAX_OBJECT_NAME_LENGTH - PREFIX.length);
}

/** What the Role and the RoleBinding of a gateway are called in the namespaces of other people's Services. */
export function foreignObjectName({ namespace = 'default', name }: GatewayName): string {
  return `sluice:${namespace}:${labelValue(name)}`;
}

/** The Secret with the index of a gateway's stored snapshot. */
export function snapshotSecretName(gatewayName: string): string {
  return `${objectName(gatewayName)}-snapshot`;
}

/** @param suffix of a part of a stored snapshot, such as `a0` */
export function snapshotPartName(gatewayName: string, suffix: string): string {
  return `${snapshotSecretName(gatewayName)}-${suffix}`;
}

/**
 * Two names never have one form: a name that was changed ends in a hash, as does one that only looks as if it had
 * been changed.
 *
 * @param form the name in characters that are allowed
 */
function fit(name: string, form: string, maxLength: number): string {
  if (form === name && name.length <= maxLength && !/-x[0-9a-f]{8}$/.test(name)) return name;
  const suffix = `-x${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
  return form.slice(0, maxLength - suffix.length).replace(/[-.]+$/, '') + suffix;
}
