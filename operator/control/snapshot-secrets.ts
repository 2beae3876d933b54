import { randomBytes } from 'node:crypto';
import type { AppliedObject } from '../../kubernetes/index.ts';
import type { Snapshot } from '../../proxy/config/snapshot.ts';
import {
  AFFINITY_KEY,
  AFFINITY_KEY_BYTES,
  affinityKeyOf,
  type Slot,
  type StoredManifest,
  type StoredSnapshot,
  StoredSnapshotError,
  storedManifest,
  storeSnapshot,
} from '../../proxy/config/stored-snapshot.ts';
import { dataOf, encodeData, type Secret } from '../../proxy/pod/secret.ts';
import { gatewayLabels, snapshotPartName, snapshotSecretName } from '../infrastructure/names.ts';
import { ownerReferenceOf } from '../infrastructure/owner.ts';
import type { EdgeGateway } from '../resources/index.ts';

const TYPE = 'sluice.dev/snapshot';

/** The Secrets that hold a gateway's snapshot, in the order in which they are to be written: the index is the swap. */
export interface SnapshotSecrets {
  readonly hash: string;
  readonly parts: readonly AppliedObject[];
  readonly index: AppliedObject;
  /** Names of the Secrets that the new index leads to, its own included. */
  readonly names: ReadonlySet<string>;
  /** Suffixes of the parts. */
  readonly suffixes: readonly string[];
}

/** Makes the Secrets of snapshots. Keeps what it made last for each gateway, as compressing takes time. */
export class SnapshotStore {
  readonly #last = new Map<string, { readonly slot: Slot | null; readonly stored: StoredSnapshot }>();
  /** Drawn once for each gateway. Where a Secret shows another, that one holds. */
  readonly #affinityKeys = new Map<string, Buffer>();

  /**
   * @param live the index Secret as the cluster shows it
   * @throws StoredSnapshotError when the snapshot is too large
   */
  secretsOf(gateway: EdgeGateway, snapshot: Snapshot, live: Secret | undefined): SnapshotSecrets {
    const { name, namespace = 'default', uid = '' } = gateway.metadata;
    const manifest = live === undefined ? null : manifestOf(live);
    const stored = this.#store(uid, snapshot, manifest);
    const affinityKey = this.#affinityKey(uid, live);
    const labels = gatewayLabels(gateway.metadata);
    const ownerReferences = [ownerReferenceOf(gateway)];
    const secret = (secretName: string, data: Readonly<Record<string, Buffer>>): AppliedObject => ({
      metadata: { name: secretName, namespace, labels, ownerReferences } as AppliedObject['metadata'],
      type: TYPE,
      data: encodeData(data),
    });
    const parts = stored.parts.map(({ suffix, data }) => secret(snapshotPartName(name, suffix), data));
    const index = secret(snapshotSecretName(name), { ...stored.index, [AFFINITY_KEY]: affinityKey });
    return {
      hash: stored.hash,
      parts,
      index,
      names: new Set([...parts, index].map(({ metadata }) => metadata.name)),
      suffixes: stored.parts.map(({ suffix }) => suffix),
    };
  }

  /** For a gateway that is gone. */
  forget(uid: string): void {
    this.#last.delete(uid);
    this.#affinityKeys.delete(uid);
  }

  #store(uid: string, snapshot: Snapshot, manifest: StoredManifest | null): StoredSnapshot {
    const last = this.#last.get(uid);
    // What is in force already is made again in the same place, so that it can be compared.
    const isInForce = manifest?.hash === snapshot.hash;
    const previousSlot = isInForce ? otherSlot(manifest.slot) : (manifest?.slot ?? null);
    if (last?.stored.hash === snapshot.hash && last.slot === previousSlot) return last.stored;
    const stored = storeSnapshot(snapshot, { previousSlot });
    this.#last.set(uid, { slot: previousSlot, stored });
    return stored;
  }

  #affinityKey(uid: string, live: Secret | undefined): Buffer {
    const shown = live === undefined ? null : affinityKeyOf(dataOf(live));
    const key = Buffer.from(shown ?? this.#affinityKeys.get(uid) ?? randomBytes(AFFINITY_KEY_BYTES));
    this.#affinityKeys.set(uid, key);
    return key;
  }
}

/** What an index Secret says that it leads to; `null` where it cannot be read. */
export function manifestOf(secret: Secret): StoredManifest | null {
  try {
    return storedManifest(dataOf(secret));
  } catch (error) {
    if (error instanceof StoredSnapshotError) return null;
    throw error;
  }
}

function otherSlot(slot: Slot | null): Slot | null {
  return slot === null ? null : slot === 'a' ? 'b' : 'a';
}
