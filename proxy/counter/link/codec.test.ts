import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeFrame, encodeFrame, FrameError, isIncarnation, type LinkMessage } from './codec.ts';

const LIMITS = { shards: 4, maxDemands: 3 };
const token = { uid: 'c0ffee', transitions: 7 };
const toOwner = { shard: 1, token, sequence: 12, floor: 3 };

/** One of every kind, with what is easily lost on the way. */
const MESSAGES: readonly LinkMessage[] = [
  { type: 'beat', sentMs: 12.625, leases: [{ name: 'shard/3', token, revision: 0 }] },
  { type: 'promised', sentMs: -4, names: ['member/pod-a.x1', 'shard/0'] },
  { type: 'claim', name: 'member/pod-a.x1', revision: 4 },
  { type: 'claimed', name: 'shard/2', revision: -1, agreed: false },
  { type: 'announce', shard: 0, owner: 'pod-b.x2', token, report: true },
  {
    type: 'report',
    ...toOwner,
    slots: [{ id: 9, keys: ['["a/b","ThrottleByUserIdRule",null]=äöü'], firm: false }],
    unsettled: [10],
    nextId: 11,
  },
  {
    type: 'reserve',
    ...toOwner,
    id: 5,
    demands: [{ key: 'k', maxCount: 0, enforce: false }],
    firm: true,
    sentMs: 0.5,
  },
  {
    type: 'decided',
    shard: 3,
    token,
    id: 5,
    outcome: 'rejected',
    violated: 0,
    exceeded: [1],
    sentMs: 0.5,
    validMs: 12,
  },
  {
    type: 'decided',
    shard: 3,
    token,
    id: 6,
    outcome: 'over',
    violated: -1,
    exceeded: [],
    sentMs: 0,
    validMs: 1,
  },
  { type: 'settle', ...toOwner, confirmed: [1], released: [2, 3] },
  { type: 'settled', shard: 1, token, confirmed: [], released: [3] },
  {
    type: 'handover',
    shard: 2,
    id: 'pod-a.x1.4',
    holdings: [
      {
        member: 'pod-a.x1',
        slots: [{ id: 1, keys: ['k', 'l'], firm: true }],
        finished: [2],
        floor: 0,
        sequence: 9,
      },
    ],
  },
  { type: 'handover-taken', shard: 2, id: 'pod-a.x1.4', taken: true },
  { type: 'outdated', shard: 1, token },
  { type: 'roster', members: ['pod-a.x1'], asks: true },
];

test('every kind of message comes out as it went in', () => {
  assert.deepEqual(decodeFrame(encodeFrame(MESSAGES), LIMITS), MESSAGES);
});

const refusals: readonly [what: string, frame: string, said: RegExp][] = [
  ['no JSON', '{', /no JSON/],
  ['no array', '{}', /frame: found a object, expected an array/],
  ['an unknown letter', '[["z"]]', /message: found a string/],
  ['a message without a letter', '[[]]', /letter of a message/],
  ['a missing element', '[["c","shard/1"]]', /message c: found 2, expected 3 elements/],
  ['an element too many', '[["c","shard/1",1,1]]', /expected 3 elements/],
  ['a shard that is not there', '[["o",4,"u",1]]', /shard: found 4, expected an integer from 0 to 3/],
  ['a shard Lease that is not there', '[["c","shard/4",1]]', /name: found a string, expected member/],
  ['a name with a slash', '[["c","member/a/b",1]]', /incarnation/],
  ['a number that is no integer', '[["o",1.5,"u",1]]', /shard: found 1.5/],
  ['a number beyond integers', '[["c","shard/1",1e300]]', /revision: found 1e\+300/],
  ['a time that is none', '[["p",null,[]]]', /sentMs: found null/],
  ['no demands', '[["v",1,"u",1,1,1,1,[],true,0]]', /demands: found 0, expected 1 to 3/],
  [
    'too many demands',
    '[["v",1,"u",1,1,1,1,[["k",1,true],["k",1,true],["k",1,true],["k",1,true]],true,0]]',
    /demands: found 4/,
  ],
  ['a rejection without a reason', '[["d",1,"u",1,1,1,-1,[],0,0]]', /violated: found -1/],
  ['a violated demand that cannot be', '[["d",1,"u",1,1,1,3,[],0,0]]', /violated: found 3/],
  ['slot 0', '[["s",1,"u",1,1,1,[0],[]]]', /confirmed: found 0/],
  [
    'a key that is too long',
    `[["r",1,"u",1,1,1,[[1,["${'k'.repeat(5000)}"],true]],[],2]]`,
    /keys.length: found 5000/,
  ],
];

for (const [what, frame, said] of refusals) {
  test(`a frame with ${what} is refused in words`, () => {
    assert.throws(
      () => decodeFrame(frame, LIMITS),
      (error) => {
        assert(error instanceof FrameError);
        assert.match(error.message, said);
        return true;
      },
    );
  });
}

test('what a refusal says holds nothing of the text that was found', () => {
  assert.throws(() => decodeFrame('[["c","alice@example.com",1]]', LIMITS), /^(?!.*alice).*$/);
});

test('garbled frames are decoded or refused, and never anything else', () => {
  const frame = encodeFrame(MESSAGES);
  fc.assert(
    fc.property(fc.nat(frame.length - 1), fc.string({ maxLength: 3 }), fc.nat(20), (at, put, cut) => {
      const garbled = frame.slice(0, at) + put + frame.slice(at + cut);
      try {
        decodeFrame(garbled, LIMITS);
      } catch (error) {
        assert(error instanceof FrameError, String(error));
      }
    }),
  );
  fc.assert(
    fc.property(fc.json(), (json) => {
      try {
        decodeFrame(json, LIMITS);
      } catch (error) {
        assert(error instanceof FrameError, String(error));
      }
    }),
  );
});

test('names of incarnations fit wherever they are written', () => {
  for (const good of ['a', 'sluice-chat-7d9f-x2x4.k3j9', '0']) assert(isIncarnation(good), good);
  for (const bad of ['', 'A', '-a', 'a.', 'a/b', 'a b', 'a\n', 'ä', 'a'.repeat(513)])
    assert(!isIncarnation(bad), bad);
});
