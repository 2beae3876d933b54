import type { KubernetesObject, ResourceType } from '../../kubernetes/index.ts';

export const SECRETS: ResourceType = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
};

export interface SecretObject extends KubernetesObject {
  readonly data?: Readonly<Record<string, string>>;
}

/** The values of a Secret, decoded. */
export function dataOf({ data = {} }: SecretObject): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
}

/** The same as the API takes it. */
export function encodeData(data: Readonly<Record<string, Buffer>>): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, value.toString('base64')]));
}
