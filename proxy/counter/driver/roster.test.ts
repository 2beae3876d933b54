import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LeaseRecord, Phase } from '../protocol/lease.ts';
import { Roster } from './roster.ts';

function record(member: string, phase: Phase = 'held', replaces = ''): LeaseRecord {
  return {
    name: `member/${member}`,
    uid: 'u',
    resourceVersion: '1',
    phase,
    holder: member,
    transitions: 0,
    revision: 1,
    voters: [],
    members: [],
    handover: '',
    draining: false,
    replaces,
    restored: false,
  };
}

function rosterOf(self: string, others: readonly string[]): Roster {
  const roster = new Roster(self);
  for (const member of [self, ...others]) roster.see(record(member));
  return roster;
}

test('a member alone has all of it; with others nothing before they have said that they know it', () => {
  const alone = rosterOf('a', []);
  assert.equal(alone.share('k', 5), 5);
  const roster = rosterOf('a', ['b']);
  assert.equal(roster.share('k', 5), 0);
  assert.deepEqual(roster.unsure(), ['b']);
  roster.hear('b', ['b', 'c']);
  assert.equal(roster.share('k', 5), 0);
  roster.hear('b', ['b', 'a']);
  assert([2, 3].includes(roster.share('k', 5)));
  assert.deepEqual(roster.unsure(), []);
});

test('before its own Lease was shown there is no share: somebody may have joined before', () => {
  const roster = new Roster('a');
  assert.equal(roster.share('k', 5), 0);
});

test('a session that was ended stays counted, since its process may go on; one that is gone does not', () => {
  const roster = rosterOf('a', ['b']);
  roster.hear('b', ['a']);
  roster.see(record('b', 'ended'));
  assert(roster.share('k', 4) === 2);
  roster.see(record('b.2', 'held', 'b'));
  assert.equal(roster.share('k', 4), 0);
  roster.hear('b.2', ['a']);
  assert.equal(roster.share('k', 4), 2);
  roster.see(record('b.2', 'released'));
  assert.equal(roster.share('k', 4), 4);
  // A late watch shows what was there before.
  roster.see(record('b.2'));
  assert.equal(roster.share('k', 4), 4);
});

test('with very many members there are no shares, and nobody is asked', () => {
  const roster = rosterOf(
    'a',
    Array.from({ length: 64 }, (_, at) => `m${at}`),
  );
  assert.deepEqual(roster.unsure(), []);
  for (const member of roster.everybody()) roster.hear(member, ['a']);
  assert.equal(roster.share('k', 1_000), 0);
});

test('whatever each has seen of those that joined later, shares never add up to more than maxCount', () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const view = fc.subarray(names);
  const views = fc.tuple(view, view, view, view, view);
  fc.assert(
    fc.property(views, fc.nat(12), fc.string({ maxLength: 3 }), (seen, maxCount, key) => {
      const rosters = names.map((name, at) => rosterOf(name, [...names.slice(0, at), ...seen[at]!]));
      for (const roster of rosters)
        rosters.forEach((other, at) => {
          roster.hear(names[at]!, other.everybody());
        });
      const sum = rosters.reduce((total, roster) => total + roster.share(key, maxCount), 0);
      assert(sum <= maxCount, `${sum} of ${maxCount}`);
    }),
  );
});
