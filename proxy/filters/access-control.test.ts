import assert from 'node:assert/strict';
import test from 'node:test';
import { compileAccessControl } from './access-control.ts';

test('deny wins over allow, and an empty allow is everyone', () => {
  const cases = [
    [['10.0.0.0/8'], [], { '10.1.2.3': true, '11.0.0.1': false, '2001:db8::1': false }],
    [[], ['10.0.0.0/8', '2001:db8::/32'], { '10.1.2.3': false, '11.0.0.1': true, '2001:db8::1': false }],
    [
      ['10.0.0.0/8', '2001:db8::/32'],
      ['10.9.0.0/16'],
      { '10.9.1.1': false, '10.8.1.1': true, '2001:db8:1::': true },
    ],
    [['192.0.2.7'], [], { '192.0.2.7': true, '192.0.2.8': false }],
    [['0.0.0.0/0'], [], { '192.0.2.7': true, '::1': false }],
    [['::1'], [], { '::1': true, '::2': false }],
  ] as const;
  for (const [allow, deny, expected] of cases) {
    const list = compileAccessControl({ allow, deny })!;
    for (const [address, permitted] of Object.entries(expected)) {
      assert.equal(list.permits(address), permitted, `${allow} ${deny} ${address}`);
    }
  }
});

test('nothing to check is nothing', () => {
  assert.equal(compileAccessControl(null), null);
  assert.equal(compileAccessControl({ allow: [], deny: [] }), null);
});
