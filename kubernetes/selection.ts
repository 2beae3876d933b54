import { isRecord, ProtocolError } from './errors.ts';
import {
  apiVersionOf,
  collectionPath,
  type KubernetesObject,
  type ResourceType,
  typeName,
} from './objects.ts';

/** Which objects to list and watch. */
export interface Selection {
  readonly type: ResourceType;
  /** One namespace; all of them when absent. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

/** A request in words: `list secrets in namespace chat`. */
export function inWords(verb: string, { type, namespace }: Selection): string {
  return `${verb} ${typeName(type)}${namespace === undefined ? '' : ` in namespace ${namespace}`}`;
}

export function pathOf(selection: Selection, parameters: Readonly<Record<string, string>>): string {
  const { type, namespace, labelSelector, fieldSelector } = selection;
  const query = new URLSearchParams(parameters);
  if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
  if (fieldSelector !== undefined) query.set('fieldSelector', fieldSelector);
  const text = query.toString();
  return `${collectionPath(type, namespace)}${text === '' ? '' : `?${text}`}`;
}

/**
 * Takes an object out of an answer. Items of a list come without their kind, so it is added.
 *
 * @throws ProtocolError when it has no name or version
 */
export function adopt<T extends KubernetesObject>(
  value: unknown,
  type: ResourceType,
  keepManagedFields: boolean,
): T {
  const metadata = isRecord(value) ? value.metadata : undefined;
  if (!isRecord(value) || !isRecord(metadata))
    throw new ProtocolError(`${typeName(type)}: an object without metadata`);
  if (typeof metadata.name !== 'string' || typeof metadata.resourceVersion !== 'string') {
    throw new ProtocolError(`${typeName(type)}: an object without name or resourceVersion`);
  }
  // Often half of an object, and of use only to whoever applies it.
  if (!keepManagedFields) delete metadata.managedFields;
  return Object.assign(value, { apiVersion: apiVersionOf(type), kind: type.kind }) as unknown as T;
}
