/**
 * How a snapshot lies in Secrets: compressed, in the index Secret itself where it fits, else cut into parts with a
 * Secret each.
 *
 * There are two sets of places for parts, the slots `a` and `b`. A new snapshot's parts go into the slot that the index
 * in force does not use, then the index is replaced, which is the swap; then the old parts may go. Whoever reads the
 * index and then parts that have meanwhile been written anew notices, since a part says which snapshot it belongs to and
 * the hash of the whole is checked.
 *
 * Snapshots hold keys: errors tell of sizes and hashes, never of content.
 */
import { promisify } from 'node:util';
import { gunzip, gzipSync } from 'node:zlib';
import { decodeSnapshot, encodeSnapshot, snapshotHash } from './encoding.ts';
import { SNAPSHOT_FORMAT, type Snapshot } from './snapshot.ts';

/** Raised when an older proxy could misread how a newer snapshot is stored. */
const STORED_FORMAT = 1;
export const MAX_PARTS = 16;
/** An API server takes 1 MiB for all values of a Secret together; the index has more than the snapshot in it. */
const MAX_SECRET_BYTES = 960 * 1024;
/** Of the text of a snapshot. */
const MAX_SNAPSHOT_BYTES = 128 * 1024 * 1024;

const MANIFEST = 'snapshot.json';
const CONTENT = 'snapshot.gz';
/** In a part: the hash of the snapshot that it belongs to. */
const PART_OF = 'part-of';

/** In the index beside the snapshot: keys the values of affinity cookies, the same for all pods and for ever. */
export const AFFINITY_KEY = 'affinity-key';
export const AFFINITY_KEY_BYTES = 32;

export type Slot = 'a' | 'b';

/** The data of one Secret. */
export type SecretData = Readonly<Record<string, Buffer>>;

/** Data of the Secrets: keys → bytes. */
export interface StoredSnapshot {
  readonly hash: string;
  readonly index: SecretData;
  /** Empty when the snapshot fits into the index. Suffixes are those of the Secrets' names: a slot and a number. */
  readonly parts: readonly { readonly suffix: string; readonly data: SecretData }[];
}

/** What the index says of the snapshot. */
export interface StoredManifest {
  readonly hash: string;
  /** `null` when the index itself holds the snapshot. */
  readonly slot: Slot | null;
  readonly parts: number;
}

interface Manifest extends StoredManifest {
  readonly format: typeof STORED_FORMAT;
  /** Of the snapshot's text. */
  readonly bytes: number;
}

/**
 * - `TooLarge`: the snapshot cannot be stored.
 * - `Malformed`: what is stored is not as it should be, and reading it again will not help.
 * - `OtherFormat`: it was written by another version, in a way that this one does not know.
 * - `Incomplete`: parts are missing, or belong to another snapshot than the index: reading all of it again may help.
 */
export type StoredSnapshotReason = 'TooLarge' | 'Malformed' | 'OtherFormat' | 'Incomplete';

export class StoredSnapshotError extends Error {
  readonly reason: StoredSnapshotReason;

  constructor(reason: StoredSnapshotReason, message: string) {
    super(message);
    this.name = 'StoredSnapshotError';
    this.reason = reason;
  }
}

/**
 * @throws StoredSnapshotError `TooLarge`
 */
export function storeSnapshot(
  snapshot: Snapshot,
  options: {
    /** How much of the snapshot goes into one Secret. */
    readonly maxSecretBytes?: number;
    /** The slot that the index in force uses, so that its parts stay until the swap. */
    readonly previousSlot: Slot | null;
  },
): StoredSnapshot {
  const { maxSecretBytes = MAX_SECRET_BYTES, previousSlot } = options;
  const { hash } = snapshot;
  const text = Buffer.from(encodeSnapshot(snapshot));
  if (text.length > MAX_SNAPSHOT_BYTES) {
    throw tooLarge(hash, `${text.length} bytes`, `at most ${MAX_SNAPSHOT_BYTES}`);
  }
  const content = gzipSync(text);
  const isWhole = content.length <= maxSecretBytes;
  const parts = isWhole ? 0 : Math.ceil(content.length / maxSecretBytes);
  if (parts > MAX_PARTS) {
    const limit = `at most ${MAX_PARTS * maxSecretBytes} (${MAX_PARTS} Secrets of ${maxSecretBytes})`;
    throw tooLarge(hash, `${content.length} bytes when compressed`, limit);
  }
  const slot = isWhole ? null : previousSlot === 'a' ? 'b' : 'a';
  const manifest: Manifest = { format: STORED_FORMAT, hash, slot, parts, bytes: text.length };
  return {
    hash,
    index: { [MANIFEST]: Buffer.from(JSON.stringify(manifest)), ...(isWhole && { [CONTENT]: content }) },
    parts: Array.from({ length: parts }, (_, number) => ({
      suffix: `${slot}${number}`,
      data: {
        [PART_OF]: Buffer.from(hash),
        [CONTENT]: content.subarray(number * maxSecretBytes, (number + 1) * maxSecretBytes),
      },
    })),
  };
}

/** `null` when the index has none, or one that cannot be used. */
export function affinityKeyOf(index: SecretData): Uint8Array | null {
  const key = index[AFFINITY_KEY];
  return key?.length === AFFINITY_KEY_BYTES ? new Uint8Array(key) : null;
}

/**
 * What the index says, without a look at the snapshot.
 *
 * @throws StoredSnapshotError
 */
export function storedManifest(index: SecretData): StoredManifest {
  const { hash, slot, parts } = readManifest(index);
  return { hash, slot, parts };
}

/**
 * Puts the snapshot together, and checks that it is the one that the index names.
 *
 * @param part the data of the Secret of a part, `null` when there is none; what it throws is passed on
 * @throws StoredSnapshotError
 */
export async function readStoredSnapshot(
  index: SecretData,
  part: (suffix: string) => Promise<SecretData | null>,
): Promise<Snapshot> {
  const manifest = readManifest(index);
  return decode(await decompress(await readContent(index, manifest, part), manifest), manifest);
}

async function readContent(
  index: SecretData,
  { hash, slot, parts }: Manifest,
  part: (suffix: string) => Promise<SecretData | null>,
): Promise<Buffer> {
  if (slot === null) {
    const content = index[CONTENT];
    if (content === undefined) throw malformed(`found no key ${CONTENT} in the index, expected the snapshot`);
    return content;
  }
  const suffixes = Array.from({ length: parts }, (_, number) => `${slot}${number}`);
  const contents = suffixes.map(async (suffix) => {
    const data = await part(suffix);
    if (data === null) throw incomplete(`found no part ${suffix}, expected ${parts} parts`);
    const [content, owner] = [data[CONTENT], data[PART_OF]?.toString('latin1')];
    if (content === undefined || owner === undefined || !isHash(owner)) {
      throw malformed(`found a part ${suffix} without ${CONTENT} or ${PART_OF}, expected both`);
    }
    if (owner !== hash) throw incomplete(`found part ${suffix} of snapshot ${owner}, expected ${hash}`);
    return content;
  });
  return Buffer.concat(await Promise.all(contents));
}

const gunzipAsync = promisify(gunzip);

async function decompress(content: Buffer, { bytes }: Manifest): Promise<string> {
  let text: Buffer;
  try {
    text = await gunzipAsync(content, { maxOutputLength: bytes });
  } catch (error) {
    const isLonger = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    const found = isLonger ? `more than ${bytes} bytes of text` : 'damaged compression';
    throw malformed(`found ${found} in ${content.length} compressed bytes, expected ${bytes} bytes of text`);
  }
  if (text.length !== bytes) throw malformed(`found ${text.length} bytes of text, expected ${bytes}`);
  return text.toString();
}

function decode(text: string, { hash }: Manifest): Snapshot {
  let snapshot: Snapshot;
  let found: string;
  try {
    snapshot = decodeSnapshot(text);
    found = snapshotHash(snapshot);
  } catch {
    // Messages from in there may quote what they found.
    const { format } = parse(text, 'the snapshot');
    if (format !== SNAPSHOT_FORMAT) throw otherFormat('the snapshot', format, SNAPSHOT_FORMAT);
    throw malformed('found a snapshot that cannot be decoded, expected what its own version wrote');
  }
  if (found !== hash) throw malformed(`found content with hash ${found}, expected ${hash}`);
  return snapshot;
}

function readManifest(index: SecretData): Manifest {
  const content = index[MANIFEST];
  if (content === undefined) throw malformed(`found no key ${MANIFEST} in the index, expected a manifest`);
  const { format, hash, slot, parts, bytes } = parse(content.toString(), MANIFEST);
  if (format !== STORED_FORMAT) throw otherFormat(MANIFEST, format, STORED_FORMAT);
  if (!isHash(hash)) throw malformed(`${MANIFEST}: found ${inWords(hash)} as hash, expected 64 hex digits`);
  if (slot !== null && slot !== 'a' && slot !== 'b') {
    throw malformed(`${MANIFEST}: found ${inWords(slot)} as slot, expected a, b or null`);
  }
  const [least, most] = slot === null ? [0, 0] : [1, MAX_PARTS];
  if (!isInteger(parts, least, most)) {
    throw malformed(`${MANIFEST}: found ${inWords(parts)} as parts, expected ${least} to ${most}`);
  }
  if (!isInteger(bytes, 1, MAX_SNAPSHOT_BYTES)) {
    throw malformed(`${MANIFEST}: found ${inWords(bytes)} as bytes, expected 1 to ${MAX_SNAPSHOT_BYTES}`);
  }
  return { format, hash, slot, parts, bytes };
}

/** The engine's own messages quote what they could not read. */
function parse(text: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed(`${what}: found ${text.length} characters that are no JSON, expected an object`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw malformed(`${what}: found ${inWords(value)}, expected an object`);
  }
  return value as Record<string, unknown>;
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function isInteger(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function inWords(value: unknown): string {
  if (typeof value === 'number' || value === undefined || value === null) return String(value);
  if (typeof value === 'string') return `a string of ${value.length} characters`;
  return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`;
}

function tooLarge(hash: string, found: string, expected: string): StoredSnapshotError {
  return new StoredSnapshotError('TooLarge', `snapshot ${hash}: found ${found}, expected ${expected}`);
}

function otherFormat(what: string, found: unknown, expected: number): StoredSnapshotError {
  const words = `stored snapshot: ${what}: found format ${inWords(found)}, expected ${expected}`;
  return new StoredSnapshotError('OtherFormat', words);
}

function malformed(message: string): StoredSnapshotError {
  return new StoredSnapshotError('Malformed', `stored snapshot: ${message}`);
}

function incomplete(message: string): StoredSnapshotError {
  return new StoredSnapshotError('Incomplete', `stored snapshot: ${message}`);
}
