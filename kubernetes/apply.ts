/** Server-side apply, sent only when it would change something. */
import { createHash } from 'node:crypto';
import { ApiError } from './errors.ts';
import { type Difference, differencesFrom } from './managed-fields.ts';
import { describe, REQUEST_TIMEOUT_MS, readObject } from './object-client.ts';
import {
  compareResourceVersions,
  type KubernetesObject,
  keyOf,
  objectPath,
  type ResourceType,
  typeName,
} from './objects.ts';
import type { Transport } from './transport.ts';

/** An object with just the fields that its manager wants to own. */
export interface AppliedObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid?: string };
  readonly [field: string]: unknown;
}

export interface ApplyOptions {
  /** `status` writes that; `''`, unless given, the rest. */
  readonly subresource?: 'status' | '';
  /** Takes fields from other managers; `false` unless given. */
  readonly force?: boolean;
}

export type ApplyOutcome =
  | { readonly outcome: 'unchanged' }
  /** `changed` are the paths that were different; empty for a new object. */
  | { readonly outcome: 'applied'; readonly object: KubernetesObject; readonly changed: readonly string[] }
  /** Nothing was written. */
  | { readonly outcome: 'conflict'; readonly conflicts: readonly FieldConflict[]; readonly message: string };

export interface FieldConflict {
  readonly field: string;
  /** Who owns it. */
  readonly manager: string;
}

interface Memory {
  readonly desiredHash: string;
  readonly resourceVersion: string;
  /** Differences that remained: values that the server writes in its own way, or adds defaults to. */
  readonly accepted: ReadonlySet<string>;
}

export class Applier {
  readonly #transport: Transport;
  readonly #manager: string;
  readonly #memories = new Map<string, Memory>();

  /** @param manager the name under which fields are owned */
  constructor(transport: Transport, manager: string) {
    this.#transport = transport;
    this.#manager = manager;
  }

  /**
   * Makes the object have these fields, and no longer those that were applied before and are not among them.
   *
   * @param desired values of `undefined` are left out; `apiVersion` and `kind` are added
   * @param live what a store shows of the object, with its managed fields; it may lag behind our own writes
   * @throws KubernetesError
   */
  async apply(
    type: ResourceType,
    desired: AppliedObject,
    live: KubernetesObject | undefined,
    options: ApplyOptions = {},
  ): Promise<ApplyOutcome> {
    const { subresource = '', force = false } = options;
    const apiVersion = type.group === '' ? type.version : `${type.group}/${type.version}`;
    const body = JSON.stringify({ ...desired, apiVersion, kind: type.kind });
    const wanted = JSON.parse(body) as KubernetesObject;
    const key = this.#key(type, desired, subresource);
    const desiredHash = hash(wanted);
    const memory = this.#memories.get(key);

    let changed: readonly string[] = [];
    if (live !== undefined) {
      if (memory?.desiredHash === desiredHash && isBehind(live, memory)) return { outcome: 'unchanged' };
      const differences = differencesFrom(live, wanted, this.#manager, subresource).filter(
        (difference) => !memory?.accepted.has(fingerprint(difference)),
      );
      if (differences.length === 0) return { outcome: 'unchanged' };
      changed = differences.map(({ path }) => path);
    }

    let object: KubernetesObject;
    try {
      object = await this.#send(type, desired, body, subresource, force);
    } catch (error) {
      const conflicts = error instanceof ApiError ? conflictsIn(error) : [];
      if (conflicts.length === 0) throw error;
      const words = conflicts.map(({ field, manager }) => `${field} belongs to "${manager}"`);
      const message = `${describe(type, desired.metadata)}: ${words.join(', ')}`;
      return { outcome: 'conflict', conflicts, message };
    }
    const remaining = differencesFrom(object, wanted, this.#manager, subresource);
    this.#memories.set(key, {
      desiredHash,
      resourceVersion: object.metadata.resourceVersion ?? '',
      accepted: new Set(remaining.map(fingerprint)),
    });
    return { outcome: 'applied', object, changed };
  }

  /** For an object that is gone: nothing is remembered of it. */
  forget(type: ResourceType, object: Pick<AppliedObject, 'metadata'>): void {
    this.#memories.delete(this.#key(type, object, ''));
    this.#memories.delete(this.#key(type, object, 'status'));
  }

  #key(type: ResourceType, object: Pick<AppliedObject, 'metadata'>, subresource: string): string {
    return `${typeName(type)}/${keyOf(object)}/${subresource}`;
  }

  async #send(
    type: ResourceType,
    { metadata }: AppliedObject,
    body: string,
    subresource: string,
    force: boolean,
  ): Promise<KubernetesObject> {
    const query = new URLSearchParams({
      fieldManager: this.#manager,
      force: String(force),
      fieldValidation: 'Strict',
    });
    const suffix = subresource === '' ? '' : `/${subresource}`;
    const request = {
      what: `apply ${describe(type, metadata)}${suffix}`,
      method: 'PATCH',
      path: `${objectPath(type, metadata.namespace, metadata.name)}${suffix}?${query}`,
      // JSON is YAML.
      contentType: 'application/apply-patch+yaml',
      body,
      headTimeoutMs: REQUEST_TIMEOUT_MS,
    } as const;
    return (await readObject(request, this.#transport, REQUEST_TIMEOUT_MS)) as KubernetesObject;
  }
}

/** The store has not yet heard of what we wrote last. */
function isBehind({ metadata }: KubernetesObject, { resourceVersion }: Memory): boolean {
  const order = compareResourceVersions(metadata.resourceVersion ?? '', resourceVersion);
  return order !== null && order < 0;
}

function conflictsIn({ causes }: ApiError): FieldConflict[] {
  return causes
    .filter(({ reason }) => reason === 'FieldManagerConflict')
    .map(({ field = '', message = '' }) => ({
      field,
      manager: /conflict with "([^"]*)"/.exec(message)?.[1] ?? message,
    }));
}

/** Values may be secret, and large: only their hashes are kept. */
function fingerprint({ path, wanted, found }: Difference): string {
  return `${path} ${hash(wanted)} ${hash(found)}`;
}

function hash(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(value) ?? 'undefined')
    .digest('base64');
}
