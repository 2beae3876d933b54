import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubernetesObject, ResourceType } from '../../kubernetes/index.ts';
import type { SecretData } from '../config/stored-snapshot.ts';

export const SECRETS: ResourceType = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
};

export interface Secret extends KubernetesObject {
  /** Values in base64. */
  readonly data?: Readonly<Record<string, string>> | null;
}

/** The values, decoded. */
export function dataOf({ data }: Secret): SecretData {
  const entries = Object.entries(data ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, 'base64')]));
}

/** The same as the API takes it. */
export function encodeData(data: SecretData): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, value.toString('base64')]));
}

/** A Secret as the kubelet mounts it: a file for each key. `null` when there is none. */
export async function readSecretVolume(directory: string): Promise<SecretData | null> {
  try {
    // What begins with a dot belongs to how the kubelet swaps the files as one.
    const names = (await readdir(directory)).filter((name) => !name.startsWith('.'));
    if (names.length === 0) return null;
    const entries = names.map(async (name) => [name, await readFile(join(directory, name))] as const);
    return Object.fromEntries(await Promise.all(entries));
  } catch (error) {
    // Any other trouble with the volume is the same to whoever needs a snapshot: there is none to be had here.
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}
