import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalQuantity } from './quantity.ts';
import { QUANTITIES } from './testing/quantities.ts';

test('a quantity is written as the API server writes it', () => {
  for (const [written, stored] of QUANTITIES) assert.equal(canonicalQuantity(written), stored, `${written}`);
});

test('what is no quantity stays as it is, for the API server to refuse', () => {
  for (const text of ['', '.', '+', 'Mi', '1 Mi', '1mi', '1e', '1e+', '0x10', '1_000', '1e1.5', '1e9999']) {
    assert.equal(canonicalQuantity(text), text);
  }
});

test('property: the written form is written as itself, and whole numbers keep their value', () => {
  const suffixes = ['', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3', 'E2'];
  fc.assert(
    fc.property(fc.nat(1e6), fc.constantFrom(...suffixes), (number, suffix) => {
      const canonical = canonicalQuantity(`${number}${suffix}`);
      assert.equal(canonicalQuantity(canonical), canonical);
      assert.equal(thousandths(canonical), thousandths(`${number}${suffix}`));
    }),
  );
});

/** Of whole numbers, told another way. */
function thousandths(text: string): bigint {
  const [, digits = '', suffix = ''] = /^([0-9]+)(.*)$/.exec(text)!;
  const powers: Record<string, bigint> = {
    m: 1n,
    '': 10n ** 3n,
    k: 10n ** 6n,
    M: 10n ** 9n,
    G: 10n ** 12n,
    T: 10n ** 15n,
    Ki: 1000n * 2n ** 10n,
    Mi: 1000n * 2n ** 20n,
    Gi: 1000n * 2n ** 30n,
    Ti: 1000n * 2n ** 40n,
  };
  const power = /^[eE]/.test(suffix) ? 10n ** BigInt(3 + Number(suffix.slice(1))) : powers[suffix];
  assert.ok(power !== undefined, text);
  return BigInt(digits) * power;
}
