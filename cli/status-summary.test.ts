import assert from 'node:assert/strict';
import { test } from 'node:test';
import { summarize } from './status-summary.ts';

const object = (kind: string, status?: object, generation = 2) => ({
  apiVersion: 'sluice.dev/v1alpha1',
  kind,
  metadata: { namespace: 'default', name: 'chat', generation },
  ...(status !== undefined && { status }),
});
const condition = (type: string, status: string, reason: string, message = '', observedGeneration = 2) => ({
  type,
  status,
  reason,
  message,
  observedGeneration,
});

test('a gateway that is well shows its pods, addresses and routes, and no problem', () => {
  const shown = summarize(
    object('EdgeGateway', {
      conditions: [condition('Accepted', 'True', 'Accepted'), condition('Programmed', 'True', 'Programmed')],
      addresses: [{ type: 'IPAddress', value: '10.0.0.1' }],
      listeners: [
        { name: 'web', attachedRoutes: 1, conditions: [condition('Conflicted', 'False', 'NoConflicts')] },
      ],
      snapshot: { hash: 'a', podsReady: 2, podsTotal: 2 },
    }),
  );
  assert.deepEqual(shown, {
    object: 'EdgeGateway default/chat',
    summary: '2 of 2 pods  at 10.0.0.1  web: 1 route',
    problems: [],
  });
});

test('conditions that are not as they should be are problems, with their reason and message', () => {
  const { problems } = summarize(
    object('EdgeGateway', {
      conditions: [condition('Programmed', 'False', 'Pending', 'pod chat-1: not ready')],
      listeners: [
        { name: 'web', conditions: [condition('Conflicted', 'True', 'HostnameConflict', 'two listeners')] },
      ],
    }),
  );
  assert.deepEqual(problems, [
    'Programmed=False (Pending): pod chat-1: not ready',
    'listener web: Conflicted=True (HostnameConflict): two listeners',
  ]);
});

test('what was asked for is no problem, and what holds but in part is one', () => {
  const { problems } = summarize(
    object('FirewallRuleList', {
      ancestors: [
        {
          ancestorRef: { kind: 'EdgeGateway', name: 'chat' },
          conditions: [
            condition('Enforced', 'False', 'DryRun', 'none is rejected'),
            condition('PartiallyInvalid', 'True', 'UnsupportedValue', 'a rule is left out'),
          ],
        },
      ],
    }),
  );
  assert.deepEqual(problems, [
    'EdgeGateway chat: PartiallyInvalid=True (UnsupportedValue): a rule is left out',
  ]);
});

test('what was judged before the last change is said to be old', () => {
  const { problems } = summarize(
    object('BackendPool', { conditions: [condition('Accepted', 'True', 'Accepted', '', 1)] }),
  );
  assert.deepEqual(problems, ['Accepted: not judged yet since the last change']);
});

test('a rule list shows its enforcement, and whose conditions are meant', () => {
  const shown = summarize(
    object('FirewallRuleList', {
      ancestors: [
        {
          ancestorRef: { kind: 'EdgeGateway', name: 'gone' },
          conditions: [condition('Accepted', 'False', 'TargetNotFound', 'no EdgeGateway default/gone')],
        },
        {
          ancestorRef: { kind: 'EdgeGateway', name: 'chat' },
          conditions: [condition('Enforced', 'False', 'Degraded', 'each of 2 pods counts for itself')],
        },
      ],
      enforcement: { state: 'Degraded', message: 'each of 2 pods counts for itself' },
      totals: { connections: 3, rejected: 1 },
    }),
  );
  assert.equal(shown.summary, 'Degraded  3 connections  1 rejected');
  assert.deepEqual(shown.problems, [
    'EdgeGateway gone: Accepted=False (TargetNotFound): no EdgeGateway default/gone',
    'EdgeGateway chat: Enforced=False (Degraded): each of 2 pods counts for itself',
  ]);
});

test('an object that no operator has looked at says so', () => {
  assert.deepEqual(summarize(object('BackendPool')).problems, ['no operator has looked at it yet']);
});
