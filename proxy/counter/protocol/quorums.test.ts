import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimQuorum, holdQuorum } from './lease.ts';
import { ranked, shardOfKey } from './placement.ts';

test('voters that carry a holder and voters that agree to a claim overlap', () => {
  for (let voters = 1; voters <= 50; voters++) {
    assert.ok(holdQuorum(voters) + claimQuorum(voters) > voters);
    assert.ok(holdQuorum(voters) <= voters && claimQuorum(voters) >= 1);
  }
});

test('when a member leaves, only what it had moves', () => {
  const members = ['a', 'b', 'c', 'd', 'e'];
  for (let shard = 0; shard < 100; shard++) {
    const first = ranked(`shard/${shard}`, members)[0];
    const without = members.filter((member) => member !== 'c');
    const next = ranked(`shard/${shard}`, without)[0];
    if (first !== 'c') assert.equal(next, first);
  }
});

test('keys spread over the shards', () => {
  const counts = [0, 0, 0, 0];
  for (let at = 0; at < 4000; at++) counts[shardOfKey(`rule user${at}`, 4)]!++;
  for (const count of counts) assert.ok(count > 850 && count < 1150, `${counts}`);
});
