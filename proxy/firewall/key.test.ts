import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CountRule } from '../config/snapshot.ts';
import { clientNetwork } from './client-network.ts';
import { describeKey, keyOf, keyPrefix } from './key.ts';

const types = ['ThrottleByUserIdRule', 'ThrottleByJwtCustomClaimRule', 'ThrottleByClientIpRule'] as const;

function keyFor(ruleList: string, type: CountRule['type'], claimName: string | null, value: string): string {
  return keyOf(keyPrefix(ruleList, { type, name: 'n', claimName, maxCount: 1 }), value);
}

const awkward = fc.oneof(
  fc.string({ unit: fc.constantFrom('"', '\\', ']', '[', ',', '=', '#', 'a', '\u0000'), maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
);
const parts = fc.tuple(
  awkward,
  fc.constantFrom(...types),
  fc.option(awkward),
  fc.oneof(awkward, fc.string({ minLength: 120, maxLength: 140 })),
);

test('a key tells what it was made of, so different things have different keys', () => {
  fc.assert(
    fc.property(parts, ([ruleList, ruleType, claimName, value]) => {
      const described = describeKey(keyFor(ruleList, ruleType, claimName, value));
      const kept = value.length <= 128 ? value : described.value;
      assert.deepEqual(described, { ruleList, ruleType, claimName, value: kept });
    }),
    { numRuns: 2000 },
  );
});

test('a long value is hashed, and no short value can pass for its hash', () => {
  const long = keyFor('default/a', 'ThrottleByUserIdRule', null, 'x'.repeat(16_000));
  assert(long.length < 120);
  const { value } = describeKey(long);
  assert.match(value, /^sha256:/);
  assert.notEqual(keyFor('default/a', 'ThrottleByUserIdRule', null, value), long);
  assert.notEqual(keyFor('default/a', 'ThrottleByUserIdRule', null, value.slice(7)), long);
});

test('IPv4 addresses count one by one, IPv6 addresses by their /64', () => {
  const rows = [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8::1:2:3:4:5', '2001:db8:0:1::/64'],
    ['2001:db8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4::/64'],
    ['1:2:3::', '1:2:3:0::/64'],
  ] as const;
  for (const [address, network] of rows) assert.equal(clientNetwork(address), network, address);
});
