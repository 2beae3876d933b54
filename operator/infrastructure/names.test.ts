import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  foreignObjectName,
  gatewayLabels,
  gatewaySelector,
  labelValue,
  objectName,
  snapshotPartName,
  snapshotSecretName,
} from './names.ts';

const LABEL_VALUE = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const DNS_LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Names that the API server takes, many of them alike. */
const names = fc
  .array(fc.stringMatching(/^[a-c0]([-a-c0]{0,9}[a-c0])?$/), { minLength: 1, maxLength: 25 })
  .map((labels) =>
    labels
      .join('.')
      .slice(0, 253)
      .replace(/[-.]+$/, ''),
  );
/** Such as look like the form of another name. */
const lookalikes = names.chain((name) =>
  fc.constantFrom(name, objectName(name).slice('sluice-'.length), labelValue(name)),
);

test('a short name stays as it is', () => {
  assert.equal(objectName('chat'), 'sluice-chat');
  assert.equal(labelValue('chat.example'), 'chat.example');
  assert.equal(snapshotSecretName('chat'), 'sluice-chat-snapshot');
  assert.equal(snapshotPartName('chat', 'b3'), 'sluice-chat-snapshot-b3');
  assert.equal(foreignObjectName({ namespace: 'web', name: 'chat' }), 'sluice:web:chat');
});

test('what names look like once they had to be changed is kept from version to version', () => {
  assert.equal(objectName('chat.example'), 'sluice-chat-example-x8d2eb32d');
  assert.equal(objectName('a'.repeat(46)), `sluice-${'a'.repeat(35)}-x6643110c`);
  assert.equal(labelValue('a'.repeat(64)), `${'a'.repeat(53)}-xffe054fe`);
  assert.equal(labelValue('chat-x00000000'), 'chat-x00000000-x69f671c3');
});

test('labels are those that all parts agree on', () => {
  assert.deepEqual(gatewayLabels({ name: 'chat' }), {
    'app.kubernetes.io/name': 'sluice',
    'app.kubernetes.io/component': 'proxy',
    'app.kubernetes.io/managed-by': 'sluice-operator',
    'sluice.dev/gateway': 'chat',
    'sluice.dev/gateway-namespace': 'default',
  });
  assert.match(
    gatewaySelector({ namespace: 'web', name: 'chat' }),
    /^app.*,sluice.dev\/gateway=chat,sluice.dev\/gateway-namespace=web/,
  );
});

test('property: whatever the name, the API server takes what is made from it', () => {
  fc.assert(
    fc.property(lookalikes, (name) => {
      assert.match(name, SUBDOMAIN);
      assert.match(objectName(name), DNS_LABEL);
      assert.ok(objectName(name).length <= 52, objectName(name));
      assert.match(labelValue(name), LABEL_VALUE);
      assert.match(snapshotPartName(name, 'a15'), SUBDOMAIN);
      assert.doesNotMatch(foreignObjectName({ namespace: 'web', name }), /[%/]/);
    }),
  );
});

test('property: different names stay different', () => {
  fc.assert(
    fc.property(lookalikes, lookalikes, (a, b) => {
      fc.pre(a !== b);
      assert.notEqual(objectName(a), objectName(b));
      assert.notEqual(labelValue(a), labelValue(b));
    }),
    { numRuns: 2000 },
  );
  assert.notEqual(objectName('a.b'), objectName('a-b'));
  const changed = objectName('a.b').slice('sluice-'.length);
  assert.notEqual(objectName('a.b'), objectName(changed));
  assert.notEqual(
    foreignObjectName({ namespace: 'a', name: 'b-c' }),
    foreignObjectName({ namespace: 'a-b', name: 'c' }),
  );
});
