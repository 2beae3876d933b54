import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Demand } from '../counter.ts';
import { Holdings } from './holdings.ts';
import type { Report, ReportedSlot } from './messages.ts';

function demand(key: string, maxCount: number, enforce = true): Demand {
  return { key, maxCount, enforce };
}

function report(sequence: number, slots: readonly ReportedSlot[], rest: Partial<Report> = {}): Report {
  const token = { uid: 'u', transitions: 1 };
  return { type: 'report', shard: 0, token, sequence, floor: 0, slots, unsettled: [], nextId: 10, ...rest };
}

test('a reservation that comes again changes nothing', () => {
  const holdings = new Holdings();
  assert.equal(holdings.reserve('a', 1, [demand('k', 1)], true).outcome, 'reserved');
  assert.equal(holdings.reserve('a', 1, [demand('k', 1)], true).outcome, 'reserved');
  assert.equal(holdings.count('k'), 1);
});

test('one that was given back, refused or settled takes nothing when it comes late', () => {
  const holdings = new Holdings();
  holdings.release('a', 1);
  assert.equal(holdings.reserve('a', 1, [demand('k', 1)], true).outcome, 'over');
  holdings.reserve('b', 1, [demand('k', 1)], true);
  assert.equal(holdings.reserve('a', 2, [demand('k', 1)], true).outcome, 'rejected');
  holdings.release('b', 1);
  assert.equal(holdings.reserve('a', 2, [demand('k', 1)], true).outcome, 'over');
  holdings.note('a', 5, 3);
  assert.equal(holdings.reserve('a', 3, [demand('k', 1)], true).outcome, 'over');
  assert.equal(holdings.reserve('a', 4, [demand('k', 1)], true).outcome, 'reserved');
});

test('no room but for unconfirmed ones is busy, and a rejection once they are confirmed', () => {
  const holdings = new Holdings();
  holdings.reserve('a', 1, [demand('k', 1)], false);
  assert.equal(holdings.reserve('b', 1, [demand('k', 1)], true).outcome, 'busy');
  holdings.confirm('a', 1);
  const refused = holdings.reserve('b', 2, [demand('x', 9), demand('k', 1)], true);
  assert.deepEqual(refused, { outcome: 'rejected', violated: 1, exceeded: [] });
  assert.equal(holdings.count('x'), 0);
});

test('a member leaves as a block', () => {
  const holdings = new Holdings();
  holdings.reserve('a', 1, [demand('k', 3), demand('l', 3)], true);
  holdings.reserve('a', 2, [demand('k', 3)], false);
  holdings.reserve('b', 1, [demand('k', 3)], true);
  holdings.drop('a');
  assert.deepEqual([...holdings.counts()], [['k', 1]]);
});

test('a report puts a member right, but for what is under way', () => {
  const holdings = new Holdings();
  for (const id of [1, 2, 3, 12]) holdings.reserve('a', id, [demand('k', 9)], true);
  const held = [
    { id: 1, keys: ['k'], firm: true },
    { id: 4, keys: ['l'], firm: true },
  ];
  assert.equal(holdings.applyReport('a', report(7, held, { unsettled: [3] })), 2);
  assert.equal(holdings.count('k'), 3);
  assert.equal(holdings.count('l'), 1);
});

test('a report that something else of the member has overtaken is dropped', () => {
  const holdings = new Holdings();
  holdings.note('a', 8, 0);
  assert.equal(holdings.applyReport('a', report(7, [{ id: 1, keys: ['k'], firm: true }])), -1);
  assert.equal(holdings.count('k'), 0);
});

test('a successor knows all that the owner before it knew', () => {
  const holdings = new Holdings();
  holdings.reserve('a', 1, [demand('k', 2)], false);
  holdings.reserve('a', 2, [demand('k', 1)], true);
  holdings.release('a', 3);
  const copy = Holdings.import(structuredClone(holdings.export()));
  assert.deepEqual(copy.export(), holdings.export());
  assert.equal(copy.reserve('a', 3, [demand('k', 9)], true).outcome, 'over');
});
