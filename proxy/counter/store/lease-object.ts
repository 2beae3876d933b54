/** How a Lease of the counter lies in a Lease of Kubernetes: what people look at in its spec, the rest as a note. */
import { createHash } from 'node:crypto';
import type { Lease, LeaseSpec } from '../../../kubernetes/lease.ts';
import type { ObjectMeta, OwnerReference } from '../../../kubernetes/objects.ts';
import { isIncarnation } from '../link/codec.ts';
import {
  type Incarnation,
  type LeaseDraft,
  type LeaseName,
  type LeaseRecord,
  memberLease,
  memberOf,
  type Phase,
  shardLease,
  shardOfLease,
} from '../protocol/lease.ts';
import { type Settings, termsOf } from '../protocol/settings.ts';

export const COUNTER_ANNOTATION = 'sluice.dev/counter';
/** Of the note. A higher one is of a later release, and left alone. */
const FORMAT = 1;
const PHASES: readonly string[] = ['held', 'released', 'ended'] satisfies Phase[];
/** Names in a list; Kubernetes takes 256 KiB of annotations. */
const MAX_NAMES = 4_096;

/** What a member leaves with its Lease, beside the protocol's own. */
export interface Traces {
  /** Where its links listen. */
  readonly address: string;
  readonly pod: { readonly name: string; readonly uid: string };
}

/** The note. `terms` stands for the settings, which must be the same for all. */
interface Note extends Omit<LeaseDraft, 'holder' | 'transitions'> {
  readonly format: number;
  readonly terms: string;
  readonly traces: Traces | null;
}

export type Decoded =
  | { readonly kind: 'lease'; readonly record: LeaseRecord; readonly traces: Traces | null }
  /** Of members with other settings: they must be gone before others can count by these. */
  | {
      readonly kind: 'foreign';
      readonly problem: string;
      readonly phase: Phase;
      readonly traces: Traces | null;
    }
  /** Of a later release: not ours to understand. */
  | { readonly kind: 'newer'; readonly problem: string }
  /** Somebody has edited it: worth no more than one that is not there. */
  | { readonly kind: 'garbled'; readonly problem: string };

export function objectNameOf(prefix: string, name: LeaseName): string {
  const member = memberOf(name);
  return member === null ? `${prefix}-shard-${shardOfLease(name)}` : `${prefix}-member-${member}`;
}

/** `null` for an object that is none of the counter's. */
export function leaseNameOf(prefix: string, objectName: string): LeaseName | null {
  const shard = `${prefix}-shard-`;
  const member = `${prefix}-member-`;
  if (objectName.startsWith(shard)) {
    const number = objectName.slice(shard.length);
    return /^(0|[1-9]\d{0,2})$/.test(number) ? shardLease(Number(number)) : null;
  }
  if (!objectName.startsWith(member)) return null;
  const incarnation = objectName.slice(member.length);
  return isIncarnation(incarnation) ? memberLease(incarnation) : null;
}

/**
 * @param before the object as it was; absent for a new one
 * @param epochMs for people: nothing is decided by it
 */
export function encodeLease(
  draft: LeaseDraft,
  traces: Traces | null,
  settings: Settings,
  before: Lease | null,
  epochMs: number,
): { readonly annotation: string; readonly spec: LeaseSpec } {
  const { holder, transitions } = draft;
  const note: Note = { format: FORMAT, terms: termsHash(settings), ...noteOf(draft), traces };
  const now = new Date(epochMs).toISOString().replace('Z', '000Z');
  const isSameHolder = before?.spec?.holderIdentity === holder;
  return {
    annotation: JSON.stringify(note),
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: Math.max(1, Math.ceil(settings.leaseDurationMs / 1000)),
      acquireTime: (isSameHolder ? before?.spec?.acquireTime : undefined) ?? now,
      renewTime: now,
      leaseTransitions: transitions,
    },
  };
}

/** A shard that nobody has owned yet: free from the start, in a store that is known to be new. */
export const FREE_SHARD: LeaseDraft = {
  phase: 'released',
  holder: '',
  transitions: 0,
  revision: 0,
  voters: [],
  members: [],
  handover: '',
  draining: false,
  replaces: '',
  restored: false,
};

/**
 * The Leases of a gateway's shards, for whoever makes the gateway, and certainly for the first time: created once, its
 * pods count as soon as they are there. Without them the first start waits as after a deletion.
 */
export function newShardLeases(options: {
  readonly namespace: string;
  readonly prefix: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly owner?: OwnerReference;
  readonly settings: Settings;
}): Lease[] {
  const { namespace, prefix, labels, owner, settings } = options;
  const note: Note = { format: FORMAT, terms: termsHash(settings), ...noteOf(FREE_SHARD), traces: null };
  return Array.from({ length: settings.shards }, (_, shard) => ({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      namespace,
      name: objectNameOf(prefix, shardLease(shard)),
      labels: { ...labels },
      annotations: { [COUNTER_ANNOTATION]: JSON.stringify(note) },
      ...(owner !== undefined && { ownerReferences: [owner] }),
    },
    spec: {},
  }));
}

function noteOf({ holder: _holder, transitions: _transitions, ...rest }: LeaseDraft) {
  return rest;
}

export function decodeLease(name: LeaseName, lease: Lease, settings: Settings): Decoded {
  const { metadata, spec } = lease;
  const text = metadata.annotations?.[COUNTER_ANNOTATION];
  const garbled = (problem: string): Decoded => ({ kind: 'garbled', problem });
  let note: Partial<Note>;
  try {
    note = JSON.parse(text ?? 'null') as Partial<Note>;
  } catch {
    return garbled(`annotation ${COUNTER_ANNOTATION}: found no JSON`);
  }
  if (typeof note !== 'object' || note === null || typeof note.format !== 'number')
    return garbled(`annotation ${COUNTER_ANNOTATION}: found nothing that a member writes`);
  const { format, terms } = note;
  if (format > FORMAT)
    return { kind: 'newer', problem: `found format ${format}, expected ${FORMAT} at most` };
  const holder = spec?.holderIdentity ?? '';
  const transitions = spec?.leaseTransitions ?? 0;
  const { uid = '', resourceVersion = '' } = metadata;
  const { phase, revision, voters, members, handover, draining, replaces, restored, traces = null } = note;
  const isWell =
    isName(holder) &&
    isCount(transitions) &&
    PHASES.includes(phase ?? '') &&
    isCount(revision) &&
    areNames(voters) &&
    areNames(members) &&
    typeof handover === 'string' &&
    typeof draining === 'boolean' &&
    isName(replaces) &&
    typeof restored === 'boolean' &&
    areTraces(traces);
  if (!isWell) return garbled(`annotation ${COUNTER_ANNOTATION}: found values that no member writes`);
  if (terms !== termsHash(settings)) {
    const problem = 'found other settings of the counter, expected the same for all pods';
    return { kind: 'foreign', problem, phase: phase as Phase, traces };
  }
  return {
    kind: 'lease',
    record: {
      name,
      uid,
      resourceVersion,
      holder,
      transitions,
      phase: phase as Phase,
      revision: revision as number,
      voters: voters as Incarnation[],
      members: members as Incarnation[],
      handover,
      draining,
      replaces: replaces as Incarnation,
      restored,
    },
    traces,
  };
}

/** What of the object's metadata is written back, so that nobody else's labels are lost. */
export function keptMetadata(metadata: ObjectMeta): Omit<ObjectMeta, 'name' | 'namespace'> {
  const { labels, annotations, ownerReferences, finalizers } = metadata;
  return {
    ...(labels !== undefined && { labels }),
    ...(annotations !== undefined && { annotations }),
    ...(ownerReferences !== undefined && { ownerReferences }),
    ...(finalizers !== undefined && { finalizers }),
  };
}

function termsHash(settings: Settings): string {
  return createHash('sha256').update(termsOf(settings)).digest('base64url').slice(0, 16);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Of nobody, or of an incarnation. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && (value === '' || isIncarnation(value));
}

function areNames(value: unknown): value is string[] {
  return (
    Array.isArray(value) && value.length <= MAX_NAMES && value.every((name) => name !== '' && isName(name))
  );
}

function areTraces(value: Traces | null): boolean {
  if (value === null) return true;
  const isText = (text: unknown) => typeof text === 'string' && text.length <= 512;
  return (
    typeof value === 'object' && isText(value.address) && isText(value.pod?.name) && isText(value.pod?.uid)
  );
}
