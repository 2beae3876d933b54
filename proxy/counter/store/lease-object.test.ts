import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lease } from '../../../kubernetes/lease.ts';
import type { LeaseDraft } from '../protocol/lease.ts';
import { DEFAULT_SETTINGS } from '../protocol/settings.ts';
import {
  COUNTER_ANNOTATION,
  decodeLease,
  encodeLease,
  FREE_SHARD,
  leaseNameOf,
  newShardLeases,
  objectNameOf,
} from './lease-object.ts';

const DRAFT: LeaseDraft = {
  phase: 'held',
  holder: 'pod-a.x1',
  transitions: 7,
  revision: 42,
  voters: ['pod-a.x1', 'pod-b.x2'],
  members: ['pod-a.x1'],
  handover: 'pod-c.x3.1',
  draining: true,
  replaces: 'pod-a.x0',
  restored: true,
};
const TRACES = { address: '10.0.0.7:9903', pod: { name: 'pod-a', uid: 'p1' } };

function leaseOf(draft: LeaseDraft, settings = DEFAULT_SETTINGS): Lease {
  const { annotation, spec } = encodeLease(draft, TRACES, settings, null, 0);
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: 'x',
      uid: 'u1',
      resourceVersion: '9',
      annotations: { [COUNTER_ANNOTATION]: annotation },
    },
    spec,
  };
}

/** The Lease after somebody's edit of the note. */
function edited(change: (note: Record<string, unknown>) => void): Lease {
  const lease = leaseOf(DRAFT);
  const note = JSON.parse(lease.metadata.annotations![COUNTER_ANNOTATION]!);
  change(note);
  lease.metadata.annotations = { [COUNTER_ANNOTATION]: JSON.stringify(note) };
  return lease;
}

test('what is written is read again, with token and version', () => {
  const decoded = decodeLease('shard/3', leaseOf(DRAFT), DEFAULT_SETTINGS);
  assert(decoded.kind === 'lease');
  assert.deepEqual(decoded.record, { ...DRAFT, name: 'shard/3', uid: 'u1', resourceVersion: '9' });
  assert.deepEqual(decoded.traces, TRACES);
});

test('people see holder, duration and times in the usual fields', () => {
  const first = leaseOf(DRAFT);
  assert.deepEqual(first.spec, {
    holderIdentity: 'pod-a.x1',
    leaseDurationSeconds: 15,
    acquireTime: '1970-01-01T00:00:00.000000Z',
    renewTime: '1970-01-01T00:00:00.000000Z',
    leaseTransitions: 7,
  });
  const renewed = encodeLease(DRAFT, null, DEFAULT_SETTINGS, first, 60_000).spec;
  assert.equal(renewed.acquireTime, '1970-01-01T00:00:00.000000Z');
  assert.equal(renewed.renewTime, '1970-01-01T00:01:00.000000Z');
  const taken = encodeLease({ ...DRAFT, holder: 'pod-b.x2' }, null, DEFAULT_SETTINGS, first, 60_000).spec;
  assert.equal(taken.acquireTime, '1970-01-01T00:01:00.000000Z');
});

test('a note of a later release is left alone; one by other settings is somebody else’s', () => {
  const newer = decodeLease(
    'shard/0',
    edited((note) => (note.format = 2)),
    DEFAULT_SETTINGS,
  );
  assert.deepEqual(newer, { kind: 'newer', problem: 'found format 2, expected 1 at most' });
  const other = { ...DEFAULT_SETTINGS, leaseDurationMs: 20_000 };
  const foreign = decodeLease('member/pod-a.x1', leaseOf(DRAFT), other);
  assert(foreign.kind === 'foreign' && foreign.phase === 'held');
  assert.deepEqual(foreign.traces, TRACES);
});

const garblings: readonly [what: string, change: (note: Record<string, unknown>) => void][] = [
  ['no format', (note) => delete note.format],
  ['another phase', (note) => (note.phase = 'lost')],
  ['no revision', (note) => delete note.revision],
  ['a negative revision', (note) => (note.revision = -1)],
  ['voters that are none', (note) => (note.voters = ['a/b'])],
  ['an empty voter', (note) => (note.voters = [''])],
  ['members that are no list', (note) => (note.members = 'pod-a.x1')],
  ['traces that are none', (note) => (note.traces = { address: 1 })],
  ['draining in words', (note) => (note.draining = 'yes')],
];

for (const [what, change] of garblings) {
  test(`a note with ${what} is garbled`, () => {
    assert.equal(decodeLease('shard/0', edited(change), DEFAULT_SETTINGS).kind, 'garbled');
  });
}

test('a Lease without a note, or with one that is no JSON, is garbled', () => {
  const bare = leaseOf(DRAFT);
  delete bare.metadata.annotations;
  assert.equal(decodeLease('shard/0', bare, DEFAULT_SETTINGS).kind, 'garbled');
  const broken = leaseOf(DRAFT);
  broken.metadata.annotations = { [COUNTER_ANNOTATION]: '{' };
  assert.equal(decodeLease('shard/0', broken, DEFAULT_SETTINGS).kind, 'garbled');
});

test('objects are named after the gateway, and other names are nobody’s', () => {
  for (const name of ['shard/0', 'shard/255', 'member/pod-a.x1'])
    assert.equal(leaseNameOf('sluice-chat', objectNameOf('sluice-chat', name)), name);
  assert.equal(objectNameOf('sluice-chat', 'shard/3'), 'sluice-chat-shard-3');
  for (const other of ['sluice-chat', 'sluice-chat-shard-x', 'sluice-chat-shard-01', 'sluice-chatty-shard-1'])
    assert.equal(leaseNameOf('sluice-chat', other), null);
});

test('the shards of a new gateway are free', () => {
  const settings = { ...DEFAULT_SETTINGS, shards: 2 };
  const leases = newShardLeases({ namespace: 'chat', prefix: 'sluice-chat', labels: { a: 'b' }, settings });
  assert.deepEqual(
    leases.map(({ metadata }) => metadata.name),
    ['sluice-chat-shard-0', 'sluice-chat-shard-1'],
  );
  const decoded = decodeLease('shard/0', leases[0]!, settings);
  assert(decoded.kind === 'lease');
  const { name: _name, uid: _uid, resourceVersion: _version, ...draft } = decoded.record;
  assert.deepEqual(draft, FREE_SHARD);
});
