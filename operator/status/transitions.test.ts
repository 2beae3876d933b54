import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AncestorStatus, Condition, GatewayStatus, RuleListStatus } from './conditions.ts';
import { holds, holdsNot } from './conditions.ts';
import { withTransitionTimes } from './transitions.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const EARLIER = '2025-12-31T00:00:00Z';

interface Timed {
  conditions: (Condition & { lastTransitionTime: string })[];
  listeners: { name: string; conditions: (Condition & { lastTransitionTime: string })[] }[];
  ancestors: AncestorStatus[];
}

function timesOf(conditions: Timed['conditions'] | undefined): string[] {
  return (conditions ?? []).map(({ type, lastTransitionTime }) => `${type} ${lastTransitionTime}`);
}

const STATUS: GatewayStatus = {
  conditions: [
    holds('Accepted', 'Accepted'),
    holdsNot('Programmed', 'Pending', 'x'),
    holds('ResolvedRefs', 'ResolvedRefs'),
  ],
  listeners: [{ name: 'web', attachedRoutes: 1, conditions: [holds('Accepted', 'Accepted')] }],
};

test('the time stays while the status of a condition does, whatever its reason and message', () => {
  const live = {
    conditions: [
      { type: 'Accepted', status: 'True', reason: 'Other', message: 'other', lastTransitionTime: EARLIER },
      { type: 'Programmed', status: 'True', reason: 'Programmed', message: '', lastTransitionTime: EARLIER },
      { type: 'TheirOwn', status: 'True', reason: 'X', message: '', lastTransitionTime: EARLIER },
    ],
    listeners: [
      { name: 'other', conditions: [{ type: 'Accepted', status: 'True', lastTransitionTime: EARLIER }] },
    ],
  };
  const { conditions, listeners } = withTransitionTimes(STATUS, live, NOW) as Timed;
  assert.deepEqual(timesOf(conditions), [
    `Accepted ${EARLIER}`,
    'Programmed 2026-01-02T03:04:05Z',
    'ResolvedRefs 2026-01-02T03:04:05Z',
  ]);
  assert.deepEqual(timesOf(listeners[0]?.conditions), ['Accepted 2026-01-02T03:04:05Z']);
});

test('what was written is written again in the same way', () => {
  const first = withTransitionTimes(STATUS, undefined, NOW);
  assert.deepEqual(withTransitionTimes(STATUS, first, NOW + 60_000), first);
});

test('what other controllers say about a rule list stays', () => {
  const ref = { group: 'sluice.dev', kind: 'EdgeGateway', namespace: 'a', name: 'b' };
  const own = (name: string): AncestorStatus => ({
    ancestorRef: { ...ref, name },
    controllerName: 'sluice.dev/gateway-controller',
    conditions: [holds('Accepted', 'Accepted')],
  });
  const status: RuleListStatus = { ancestors: [own('b')], enforcement: { state: 'Exact', message: '' } };
  const theirs = { ancestorRef: ref, controllerName: 'example.com/other', conditions: [] };
  const gone = own('gone');
  const { ancestors } = withTransitionTimes(status, { ancestors: [theirs, gone] }, NOW) as Timed;
  assert.deepEqual(
    ancestors.map(({ controllerName, ancestorRef }) => `${controllerName} ${ancestorRef.name}`),
    ['sluice.dev/gateway-controller b', 'example.com/other b'],
  );
  const again = withTransitionTimes(status, { ancestors }, NOW + 60_000) as Timed;
  assert.deepEqual(again.ancestors, ancestors);
});
