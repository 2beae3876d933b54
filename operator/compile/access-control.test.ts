import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { accessControl, bothAllow } from './access-control.ts';

test('nothing written lets everyone in', () => {
  assert.equal(accessControl(undefined), null);
  assert.equal(accessControl({ allow: [], deny: [] }), null);
  assert.deepEqual(accessControl({ deny: ['::/0'] }), { allow: [], deny: ['::/0'] });
});

test('the narrower of two overlapping blocks is what both allow', () => {
  assert.deepEqual(
    bothAllow(
      { allow: ['10.0.0.0/8', '2001:db8::/32'], deny: ['10.9.0.0/16'] },
      { allow: ['10.1.0.0/16', '192.168.0.0/16', '2001:db8:1::/48'], deny: [] },
    ),
    { allow: ['10.1.0.0/16', '2001:db8:1::/48'], deny: ['10.9.0.0/16'] },
  );
});

test('two lists without a common address let nobody in', () => {
  assert.deepEqual(bothAllow({ allow: ['10.0.0.0/8'], deny: [] }, { allow: ['192.168.0.0/16'], deny: [] }), {
    allow: [],
    deny: ['0.0.0.0/0', '::/0'],
  });
});

test('an address is let in by both exactly when each lets it in', () => {
  const block4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([a, n]) => `${a}/${n}`);
  const block6 = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([a, n]) => `${a}/${n}`);
  const blocks = fc.array(fc.oneof(block4, block6), { maxLength: 3 });
  const written = fc.record({ allow: blocks, deny: blocks });
  const near = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(written, written, near, fc.nat(), (left, right, random, pick) => {
      // An address out of one of the lists hits more often than a random one.
      const known = [...left.allow, ...right.allow].map((block) => block.slice(0, block.lastIndexOf('/')));
      const address = known[pick % (known.length + 1)] ?? random;
      const both = bothAllow(accessControl(left), accessControl(right));
      const expected = letsIn(accessControl(left), address) && letsIn(accessControl(right), address);
      assert.equal(letsIn(both, address), expected);
    }),
    { numRuns: 500 },
  );
});

function letsIn(control: ReturnType<typeof accessControl>, address: string): boolean {
  if (control === null) return true;
  if (contains(control.deny, address)) return false;
  return control.allow.length === 0 || contains(control.allow, address);
}

function contains(blocks: readonly string[], address: string): boolean {
  const list = new BlockList();
  for (const block of blocks) {
    const [network = '', length] = block.split('/');
    // BlockList itself lets some IPv6 addresses fall into IPv4 blocks.
    if (network.includes(':') !== address.includes(':')) continue;
    list.addSubnet(network, Number(length), network.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list.check(address, address.includes(':') ? 'ipv6' : 'ipv4');
}
