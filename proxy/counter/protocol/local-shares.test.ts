import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { staticShare } from './local-shares.ts';

test('the shares of all members add up to the maximum', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.nat(1000),
      fc.uniqueArray(fc.string(), { minLength: 1 }),
      (key, max, members) => {
        const shares = members.map((self) => staticShare(key, max, members, self));
        assert.equal(
          shares.reduce((sum, share) => sum + share, 0),
          max,
        );
        assert.ok(Math.max(...shares) - Math.min(...shares) <= 1);
      },
    ),
  );
});

test('who is not among the members has no share', () => {
  assert.equal(staticShare('k', 10, ['a', 'b'], 'c'), 0);
});
