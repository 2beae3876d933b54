import { randomBytes } from 'node:crypto';
import type { FakeApiServer } from '../../../kubernetes/testing/fake-api-server.ts';
import { snapshotHash } from '../../config/encoding.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { type SecretData, type Slot, storeSnapshot } from '../../config/stored-snapshot.ts';
import { SECRETS } from '../secret.ts';

export const AFFINITY_KEY = randomBytes(32);

/** A snapshot with the hash that its content asks for. */
export function hashed(snapshot: Snapshot): Snapshot {
  return { ...snapshot, hash: snapshotHash(snapshot) };
}

export function putSecret(server: FakeApiServer, namespace: string, name: string, data: SecretData): void {
  const entries = Object.entries(data).map(([key, value]) => [key, value.toString('base64')]);
  server.put(SECRETS, { metadata: { namespace, name }, data: Object.fromEntries(entries) });
}

/** The index as the operator writes it. */
export function indexOf(snapshot: Snapshot): SecretData {
  return { ...storeSnapshot(snapshot, { previousSlot: null }).index, 'affinity-key': AFFINITY_KEY };
}

/** Stores a snapshot in parts, and returns what there is to write, so that a test can choose the order. */
export function inParts(snapshot: Snapshot, previousSlot: Slot | null) {
  const { index, parts } = storeSnapshot(snapshot, { previousSlot, maxSecretBytes: 200 });
  return { index: { ...index, 'affinity-key': AFFINITY_KEY }, parts };
}
