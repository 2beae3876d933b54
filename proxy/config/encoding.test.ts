import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { decodeSnapshot, encodeSnapshot, printableSnapshot, snapshotHash } from './encoding.ts';
import { Private } from './private.ts';
import type { Snapshot } from './snapshot.ts';

const snapshot = {
  format: 1,
  gateway: { namespace: 'default', name: 'chat' },
  hash: '',
  certificates: [{ id: 'default/tls', key: new Private('KEY') }],
} as unknown as Snapshot;

test('a private value is shown by no printer and survives encoding', () => {
  for (const shown of [inspect(snapshot, { depth: 9 }), JSON.stringify(snapshot), `${new Private('KEY')}`]) {
    assert.doesNotMatch(shown, /KEY/);
    assert.match(shown, /\[private\]/);
  }
  assert.doesNotMatch(JSON.stringify(printableSnapshot(snapshot)), /KEY/);
  const decoded = decodeSnapshot(encodeSnapshot(snapshot));
  assert.equal(decoded.certificates[0]?.key.reveal(), 'KEY');
});

test('of the URI of a key set only what is no secret is printed', () => {
  const keys = { type: 'JwksUri', uri: 'https://keys.example.com/v1?code=SECRET' };
  const content = { ...snapshot, authentications: [{ providers: [{ keys }] }] } as unknown as Snapshot;
  const printed = JSON.stringify(printableSnapshot(content));
  assert.match(printed, /"https:\/\/keys\.example\.com\/v1\?\[private\]"/);
  assert.doesNotMatch(printed, /SECRET/);
  assert.match(encodeSnapshot(content), /SECRET/);
});

test('the hash does not depend on key order and does depend on private values', () => {
  const reordered = Object.fromEntries(Object.entries(snapshot).reverse()) as unknown as Snapshot;
  assert.equal(snapshotHash(reordered), snapshotHash(snapshot));
  const rotated = { ...snapshot, certificates: [{ id: 'default/tls', key: new Private('OTHER') }] };
  assert.notEqual(snapshotHash(rotated as unknown as Snapshot), snapshotHash(snapshot));
});

test('an unknown format is refused by name', () => {
  assert.throws(() => decodeSnapshot('{"format":99}'), /found format 99, expected 1/);
});
