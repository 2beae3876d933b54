import type { Resource } from '../resources/index.ts';

type Secret = Extract<Resource, { kind: 'Secret' }>;
type ConfigMap = Extract<Resource, { kind: 'ConfigMap' }>;

/** The bytes under a key of a Secret or ConfigMap; `undefined` when it has no such key. */
export function dataOf(object: Secret | ConfigMap, key: string): Buffer | undefined {
  if (object.kind === 'Secret') {
    const plain = own(object.body.stringData, key);
    if (plain !== undefined) return Buffer.from(plain);
    return decoded(own(object.body.data, key));
  }
  const plain = own(object.body.data, key);
  return plain === undefined ? decoded(own(object.body.binaryData, key)) : Buffer.from(plain);
}

/** The keys that there are, for messages; their values stay out of them. */
export function keysOf(object: Secret | ConfigMap): string[] {
  const { data } = object.body;
  const more = object.kind === 'Secret' ? object.body.stringData : object.body.binaryData;
  return [...new Set([...Object.keys(data ?? {}), ...Object.keys(more ?? {})])].sort();
}

function own(record: Readonly<Record<string, string>> | undefined, key: string): string | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}

function decoded(base64: string | undefined): Buffer | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64');
}
