import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { rule, snapshot as snapshotWith } from '../../test/support/snapshots.ts';
import { encodeSnapshot, snapshotHash } from './encoding.ts';
import { Private } from './private.ts';
import type { Snapshot } from './snapshot.ts';
import {
  MAX_PARTS,
  readStoredSnapshot,
  type SecretData,
  type Slot,
  type StoredSnapshot,
  StoredSnapshotError,
  type StoredSnapshotReason,
  storedManifest,
  storeSnapshot,
} from './stored-snapshot.ts';

const MARK = 'DO-NOT-PRINT';

/** A snapshot of about so many bytes that hardly compress. */
function snapshotOf(seed: string, bytes = 0): Snapshot {
  const key = Array.from({ length: Math.ceil(bytes / 32) }, (_, index) =>
    createHash('sha256').update(`${seed} ${index}`).digest('base64'),
  ).join('');
  const content = snapshotWith({
    rules: [rule(seed)],
    certificates: [
      { id: 'default/tls', chainPem: MARK, key: new Private(MARK + key), dnsNames: [], notAfterMs: 0 },
    ],
  });
  return { ...content, hash: snapshotHash(content) };
}

function partOf({ parts }: StoredSnapshot): (suffix: string) => Promise<SecretData | null> {
  return async (suffix) => parts.find((part) => part.suffix === suffix)?.data ?? null;
}

const read = (stored: StoredSnapshot) => readStoredSnapshot(stored.index, partOf(stored));

const small = snapshotOf('small');
const large = snapshotOf('large', 10_000);
const whole = storeSnapshot(small, { previousSlot: null });
const split = storeSnapshot(large, { previousSlot: null, maxSecretBytes: 4000 });

async function refused(
  index: SecretData,
  part: (suffix: string) => Promise<SecretData | null>,
  reason: StoredSnapshotReason,
  message: RegExp,
): Promise<void> {
  await assert.rejects(readStoredSnapshot(index, part), (error: unknown) => {
    assert.ok(error instanceof StoredSnapshotError);
    assert.equal(error.reason, reason);
    assert.match(error.message, message);
    assert.match(error.message, /found .*expected /);
    assert.doesNotMatch(inspect(error, { depth: 9 }), new RegExp(MARK));
    return true;
  });
}

const manifestWith = (stored: StoredSnapshot, changes: object): SecretData => {
  const manifest = { ...JSON.parse(stored.index['snapshot.json']!.toString()), ...changes };
  return { ...stored.index, 'snapshot.json': Buffer.from(JSON.stringify(manifest)) };
};

/** An index whose manifest tells the truth about a content that is no snapshot of ours. */
const indexOf = (text: string, changes: object = {}): SecretData => ({
  ...manifestWith(whole, { bytes: Buffer.byteLength(text), ...changes }),
  'snapshot.gz': gzipSync(text),
});

test('a snapshot that fits is in the index, private values included', async () => {
  assert.deepEqual(whole.parts, []);
  assert.equal(whole.hash, small.hash);
  assert.deepEqual(storedManifest(whole.index), { hash: small.hash, slot: null, parts: 0 });
  const found = await read(whole);
  assert.equal(encodeSnapshot(found), encodeSnapshot(small));
  assert.equal(found.certificates[0]?.key.reveal(), MARK);
});

test('one that does not fit is cut into parts of the slot that is not in use', async () => {
  assert.ok(split.parts.length >= 2);
  assert.deepEqual(storedManifest(split.index), { hash: large.hash, slot: 'a', parts: split.parts.length });
  assert.deepEqual(
    split.parts.map(({ suffix }) => suffix),
    split.parts.map((_, number) => `a${number}`),
  );
  assert.equal(encodeSnapshot(await read(split)), encodeSnapshot(large));
  let previousSlot: Slot | null = null;
  for (const expected of ['a', 'b', 'a', 'b']) {
    const { index, parts } = storeSnapshot(large, { previousSlot, maxSecretBytes: 4000 });
    previousSlot = storedManifest(index).slot;
    assert.equal(previousSlot, expected);
    assert.ok(parts.every(({ suffix }) => suffix.startsWith(expected)));
  }
});

test('no Secret of it is larger than an API server takes', () => {
  const huge = storeSnapshot(snapshotOf('huge', 3_000_000), { previousSlot: null });
  assert.ok(huge.parts.length > 1);
  for (const data of [huge.index, ...huge.parts.map((part) => part.data)]) {
    const bytes = Object.values(data).reduce((sum, value) => sum + value.length, 0);
    assert.ok(bytes < 1024 * 1024 - 1024, `${bytes} bytes`);
  }
});

test('one that is too large for all parts together is refused by name', () => {
  const least = Math.ceil(gzipSync(encodeSnapshot(large)).length / MAX_PARTS);
  assert.equal(storeSnapshot(large, { previousSlot: null, maxSecretBytes: least }).parts.length, MAX_PARTS);
  assert.throws(
    () => storeSnapshot(large, { previousSlot: null, maxSecretBytes: least - 1 }),
    (error: unknown) =>
      error instanceof StoredSnapshotError &&
      error.reason === 'TooLarge' &&
      /found \d+ bytes when compressed, expected at most \d+ \(16 Secrets of \d+\)/.test(error.message),
  );
});

test('the same snapshot is stored as the same bytes', () => {
  assert.deepEqual(storeSnapshot(large, { previousSlot: null, maxSecretBytes: 4000 }), split);
});

test('property: what is stored is what is read, however it is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary', maxLength: 50 }),
      fc.nat(3000),
      fc.integer({ min: 400, max: 5000 }),
      fc.constantFrom<Slot | null>('a', 'b', null),
      async (text, bytes, maxSecretBytes, previousSlot) => {
        const snapshot = snapshotOf(text, bytes);
        const stored = storeSnapshot(snapshot, { previousSlot, maxSecretBytes });
        const { slot, parts } = storedManifest(stored.index);
        assert.equal(stored.parts.length, parts);
        assert.ok(slot === null || slot !== previousSlot);
        assert.ok(stored.parts.every(({ data }) => data['snapshot.gz']!.length <= maxSecretBytes));
        assert.equal(encodeSnapshot(await read(stored)), encodeSnapshot(snapshot));
      },
    ),
    { numRuns: 100 },
  );
});

test('property: a reader gets one whole snapshot or an error, whatever is written while it reads', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(6), { maxLength: 40 }),
      fc.infiniteStream(fc.boolean()),
      async (sizes, moves) => {
        // The Secrets, and the writer's steps: parts first, then the index, then the old parts go.
        const parts = new Map<string, SecretData>();
        let index: SecretData = whole.index;
        function* steps() {
          for (const [number, size] of sizes.entries()) {
            const { slot: previousSlot } = storedManifest(index);
            const snapshot = snapshotOf(`${number}`, size * 400);
            const stored = storeSnapshot(snapshot, { previousSlot, maxSecretBytes: 1000 });
            for (const { suffix, data } of stored.parts) yield parts.set(suffix, data);
            index = stored.index;
            yield;
            const { slot } = storedManifest(index);
            for (const suffix of parts.keys()) if (suffix[0] !== slot) yield parts.delete(suffix);
          }
        }
        const writer = steps();
        const write = (): void => {
          while (moves.next().value) if (writer.next().done) return;
        };
        for (let attempt = 0; attempt < 20; attempt += 1) {
          write();
          const { hash } = storedManifest(index);
          try {
            const found = await readStoredSnapshot(index, async (suffix) => {
              write();
              return parts.get(suffix) ?? null;
            });
            assert.equal(snapshotHash(found), hash);
          } catch (error) {
            assert.ok(error instanceof StoredSnapshotError && error.reason === 'Incomplete', String(error));
          }
        }
        // Once nothing is written any more, it can be read.
        while (!writer.next().done);
        const last = await readStoredSnapshot(index, async (suffix) => parts.get(suffix) ?? null);
        assert.equal(last.hash, storedManifest(index).hash);
      },
    ),
    { numRuns: 100 },
  );
});

test('parts of another snapshot, and parts that are not there, are noticed', async () => {
  const other = storeSnapshot(snapshotOf('other', 10_000), { previousSlot: null, maxSecretBytes: 4000 });
  await refused(split.index, partOf(other), 'Incomplete', /found part a0 of snapshot [0-9a-f]{64}, expected/);
  const missing = async (suffix: string) => (suffix === 'a1' ? null : partOf(split)(suffix));
  await refused(split.index, missing, 'Incomplete', /found no part a1, expected \d parts/);
  const bare = async () => ({ 'snapshot.gz': Buffer.from(MARK) });
  await refused(split.index, bare, 'Malformed', /found a part a0 without snapshot.gz or part-of/);
  await assert.rejects(
    readStoredSnapshot(split.index, () => Promise.reject(new Error('no connection'))),
    /no connection/,
  );
});

test('content that is not what the index names is refused', async () => {
  const none = partOf(whole);
  const [a, b] = split.parts.map(({ data }) => data);
  const swapped = async (suffix: string) =>
    suffix === 'a0' ? b! : suffix === 'a1' ? a! : partOf(split)(suffix);
  await refused(split.index, swapped, 'Malformed', /found damaged compression/);

  const otherHash = manifestWith(whole, { hash: '0'.repeat(64) });
  await refused(otherHash, none, 'Malformed', /found content with hash [0-9a-f]{64}, expected 0{64}/);
  const changed = { ...small, rules: [] };
  await refused(indexOf(encodeSnapshot(changed)), none, 'Malformed', /found content with hash/);

  const content = whole.index['snapshot.gz']!;
  for (const end of [0, 1, 10, content.length - 9, content.length - 1]) {
    const truncated = { ...whole.index, 'snapshot.gz': content.subarray(0, end) };
    await refused(truncated, none, 'Malformed', /found damaged compression in \d+ compressed bytes/);
  }
  const plain = { ...whole.index, 'snapshot.gz': Buffer.from(MARK) };
  await refused(plain, none, 'Malformed', /found damaged compression/);
  const { 'snapshot.gz': _, ...without } = whole.index;
  await refused(without, none, 'Malformed', /found no key snapshot.gz/);
});

test('no more is decompressed than the index announces, and it may not announce anything', async () => {
  const bomb = { ...whole.index, 'snapshot.gz': gzipSync(Buffer.alloc(64 * 1024 * 1024)) };
  const before = process.memoryUsage().arrayBuffers;
  await refused(bomb, partOf(whole), 'Malformed', /found more than \d{4} bytes of text/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
  await refused(
    manifestWith(whole, { bytes: 1e12 }),
    partOf(whole),
    'Malformed',
    /found 1000000000000 as bytes/,
  );
  await refused(
    manifestWith(whole, { bytes: 1e6 }),
    partOf(whole),
    'Malformed',
    /bytes of text, expected 1000000/,
  );
});

test('what is no snapshot, or one of another version, is refused', async () => {
  const none = partOf(whole);
  await refused(
    indexOf(`{"${MARK}`),
    none,
    'Malformed',
    /the snapshot: found \d+ characters that are no JSON/,
  );
  await refused(indexOf(`"${MARK}"`), none, 'Malformed', /the snapshot: found a string of 12 characters/);
  await refused(indexOf('{"format":2}'), none, 'OtherFormat', /the snapshot: found format 2, expected 1/);
  await refused(
    indexOf(`{"format":"${MARK}"}`),
    none,
    'OtherFormat',
    /found format a string of 12 characters/,
  );
  const deep = `{"format":1,"rules":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
  await refused(indexOf(deep), none, 'Malformed', /found /);
});

test('a manifest is checked field by field', async () => {
  const cases: readonly [SecretData, StoredSnapshotReason, RegExp][] = [
    [{}, 'Malformed', /found no key snapshot.json/],
    [
      { 'snapshot.json': Buffer.from(`{${MARK}`) },
      'Malformed',
      /snapshot.json: found 13 characters that are no JSON/,
    ],
    [{ 'snapshot.json': Buffer.from('[]') }, 'Malformed', /snapshot.json: found a list, expected an object/],
    [manifestWith(whole, { format: 2 }), 'OtherFormat', /snapshot.json: found format 2, expected 1/],
    [manifestWith(whole, { format: undefined }), 'OtherFormat', /found format undefined, expected 1/],
    [manifestWith(whole, { hash: MARK }), 'Malformed', /found a string of 12 characters as hash/],
    [manifestWith(whole, { slot: MARK }), 'Malformed', /found a string of 12 characters as slot/],
    [manifestWith(whole, { parts: 1 }), 'Malformed', /found 1 as parts, expected 0 to 0/],
    [manifestWith(split, { parts: 0 }), 'Malformed', /found 0 as parts, expected 1 to 16/],
    [manifestWith(split, { parts: 17 }), 'Malformed', /found 17 as parts/],
    [manifestWith(split, { parts: [MARK] }), 'Malformed', /found a list as parts/],
    [manifestWith(split, { bytes: null }), 'Malformed', /found null as bytes/],
  ];
  for (const [index, reason, message] of cases) {
    assert.throws(() => storedManifest(index), { name: 'StoredSnapshotError', reason, message });
    await refused(index, partOf(split), reason, message);
  }
});

test('property: no bytes whatever end in anything but a snapshot or a StoredSnapshotError', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.uint8Array({ maxLength: 8 }),
      fc.boolean(),
      async (at, bytes, isManifest) => {
        const key = isManifest ? 'snapshot.json' : 'snapshot.gz';
        const content = whole.index[key]!;
        const start = at % content.length;
        const damaged = Buffer.concat([content.subarray(0, start), bytes, content.subarray(start + 4)]);
        try {
          const found = await readStoredSnapshot({ ...whole.index, [key]: damaged }, partOf(whole));
          assert.equal(snapshotHash(found), small.hash);
        } catch (error) {
          assert.ok(error instanceof StoredSnapshotError, String(error));
          assert.doesNotMatch(inspect(error), new RegExp(MARK));
        }
      },
    ),
    { numRuns: 300 },
  );
});
