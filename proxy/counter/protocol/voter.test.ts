import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from './lease.ts';
import { Voter } from './voter.ts';

const first: Token = { uid: 'u', transitions: 1 };
const second: Token = { uid: 'u', transitions: 2 };

test('a promise keeps claims away until it has run out, and not longer', () => {
  const voter = new Voter(1000, 60_000);
  assert.equal(voter.onBeat('shard/0', first, 5, 0), true);
  assert.equal(voter.onClaim('shard/0', 5, 999).agreed, false);
  assert.equal(voter.onClaim('shard/0', 5, 1000).agreed, true);
});

test('who has agreed to a claim promises the old holder nothing, unless it shows a newer revision', () => {
  const voter = new Voter(1000, 60_000);
  voter.onBeat('shard/0', first, 5, 0);
  voter.onClaim('shard/0', 5, 2000);
  assert.equal(voter.onBeat('shard/0', first, 5, 50_000), false);
  assert.equal(voter.onBeat('shard/0', first, 6, 50_000), true);
});

test('a claim of an older revision than the holder has shown is answered with that', () => {
  const voter = new Voter(1000, 60_000);
  voter.onBeat('shard/0', first, 5, 0);
  assert.deepEqual(voter.onClaim('shard/0', 4, 2000), {
    type: 'claimed',
    name: 'shard/0',
    revision: 5,
    agreed: false,
  });
});

test('a higher token is promised at once, a lower one never again', () => {
  const voter = new Voter(1000, 60_000);
  voter.onBeat('shard/0', first, 5, 0);
  assert.equal(voter.onBeat('shard/0', second, 6, 10), true);
  assert.equal(voter.onBeat('shard/0', first, 9, 5000), false);
});

test('two that hold the same number of different Leases are not both promised', () => {
  const voter = new Voter(1000, 60_000);
  voter.onBeat('shard/0', first, 5, 0);
  assert.equal(voter.onBeat('shard/0', { uid: 'other', transitions: 1 }, 6, 10), false);
});
