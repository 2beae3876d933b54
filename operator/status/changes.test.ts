import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changesOf } from './changes.ts';
import { type Condition, holds, holdsNot, unknown } from './conditions.ts';

function told(before: readonly Condition[] | undefined, after: readonly Condition[]): string[] {
  const live = before && { conditions: before };
  return changesOf(live, { conditions: after }).map(
    ({ type, reason, message }) => `${type} ${reason}: ${message}`,
  );
}

const WELL = [
  holds('Accepted', 'Accepted'),
  holds('ResolvedRefs', 'ResolvedRefs'),
  holds('Programmed', 'Programmed', '2 pods serve the gateway'),
];

test('nothing is said of what stayed, even if its words changed', () => {
  assert.deepEqual(told(WELL, WELL), []);
  assert.deepEqual(told(WELL, [...WELL.slice(0, 2), holds('Programmed', 'Programmed', '3 pods')]), []);
});

test('of something new only what is wrong is said, and that it is served', () => {
  assert.deepEqual(told(undefined, WELL), ['Normal Programmed: 2 pods serve the gateway']);
  assert.deepEqual(told(undefined, [holdsNot('Accepted', 'Invalid', 'a: wrong')]), [
    'Warning Invalid: a: wrong',
  ]);
});

test('for the worse is a warning, for the better is not', () => {
  const broken = holdsNot('ResolvedRefs', 'BackendNotFound', 'a: not there');
  assert.deepEqual(told(WELL, [broken]), ['Warning BackendNotFound: a: not there']);
  assert.deepEqual(told([broken], WELL.slice(1, 2)), ['Normal ResolvedRefs: ResolvedRefs is True now']);
  assert.deepEqual(told(WELL, [holds('PartiallyInvalid', 'DuplicateRoute', 'a')]), [
    'Warning DuplicateRoute: a',
  ]);
  assert.deepEqual(
    told(
      [holds('Healthy', 'AllHealthy', '')],
      [holds('Healthy', 'SomeHealthy', '2 of 3 targets are healthy')],
    ),
    ['Warning SomeHealthy: 2 of 3 targets are healthy'],
  );
});

test('what every change goes through is no event', () => {
  assert.deepEqual(told(WELL, [holdsNot('Programmed', 'Pending', 'x')]), []);
  assert.deepEqual(told(undefined, [unknown('Healthy', 'Pending', 'x')]), []);
  assert.deepEqual(told([holdsNot('Programmed', 'Pending', 'x')], WELL.slice(2)), [
    'Normal Programmed: 2 pods serve the gateway',
  ]);
});

test('a mode that the user chose is no warning', () => {
  assert.deepEqual(told(undefined, [holdsNot('Enforced', 'DryRun', 'x')]), []);
  assert.deepEqual(told([holds('Enforced', 'Enforced')], [holdsNot('Enforced', 'DryRun', 'x')]), [
    'Normal DryRun: x',
  ]);
});

test('a conflict of a listener is said once, and with its name', () => {
  const listener = (...conditions: Condition[]) => ({ listeners: [{ name: 'web', conditions }] });
  const conflict = [
    holdsNot('Accepted', 'HostnameConflict', 'x'),
    holds('Conflicted', 'HostnameConflict', 'x'),
    holdsNot('Programmed', 'Invalid', 'x'),
  ];
  const fine = [holds('Accepted', 'Accepted'), holdsNot('Conflicted', 'NoConflicts', '')];
  assert.deepEqual(changesOf(listener(...fine), listener(...conflict)), [
    { type: 'Warning', reason: 'HostnameConflict', message: 'listener web: x' },
  ]);
  assert.deepEqual(
    changesOf(listener(...conflict), listener(...fine)).map(({ type, reason }) => `${type} ${reason}`),
    ['Normal Accepted', 'Normal NoConflicts'],
  );
});

test('a rule list says at which object', () => {
  const ancestors = (...conditions: Condition[]) => ({
    ancestors: [{ ancestorRef: { kind: 'Ingress', name: 'a' }, controllerName: 'x', conditions }],
  });
  assert.deepEqual(changesOf(undefined, ancestors(holdsNot('Accepted', 'TargetNotFound', 'x'))), [
    { type: 'Warning', reason: 'TargetNotFound', message: 'at Ingress a: x' },
  ]);
});

test('an Ingress has no conditions, so there is nothing to say', () => {
  assert.deepEqual(changesOf({ loadBalancer: {} }, { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } }), []);
});
