import assert from 'node:assert/strict';
import test from 'node:test';
import { isMirrored } from './mirror.ts';

test('mirrors its share', () => {
  const mirrored = (numerator: number, denominator: number, random: number) =>
    isMirrored({ pool: 'p', numerator, denominator }, () => random);
  assert.equal(mirrored(0, 100, 0), false);
  assert.equal(mirrored(100, 100, 0.9999), true);
  assert.equal(mirrored(1, 1, 0.9999), true);
  assert.equal(mirrored(25, 100, 0.2499), true);
  assert.equal(mirrored(25, 100, 0.25), false);
  assert.equal(mirrored(1, 3, 0.33), true);
});
