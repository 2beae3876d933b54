import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDiagnostic } from './diagnostics.ts';
import { loadResources } from './load.ts';
import { resourceOf } from './testing/schemas.ts';
import { validateResource } from './validate.ts';

function messagesFor(text: string): string[] {
  return loadResources(text, 'f.yaml')
    .resources.flatMap(validateResource)
    .map((diagnostic) => formatDiagnostic(diagnostic));
}

test('all errors are told at once, by place, on one line each', () => {
  const text = `apiVersion: sluice.dev/v1alpha1
kind: EdgeGateway
metadata: {name: chat}
spec:
  listeners:
    - {name: web, protocol: HTTP, port: 99999}
    - name: secure
      protocol: HTPS
      porte: 8443
  acessLog: {mode: All}
  accessControl: {allow: [10.0.0.0/99]}
  routes:
    - {name: hub, backend: {pool: chat}, listeners: [wbe]}
`;
  assert.deepEqual(messagesFor(text), [
    'f.yaml:6:35: EdgeGateway default/chat: spec.listeners[0].port: found 99999, expected an integer between 1 and 65535',
    'f.yaml:7:7: EdgeGateway default/chat: spec.listeners[1].port: found nothing, expected an integer between 1 and 65535',
    'f.yaml:8:7: EdgeGateway default/chat: spec.listeners[1].protocol: found "HTPS", expected one of HTTP, HTTPS, TCP, TLS or UDP (did you mean HTTPS?)',
    'f.yaml:9:7: EdgeGateway default/chat: spec.listeners[1].porte: unknown field, did you mean port?',
    'f.yaml:10:3: EdgeGateway default/chat: spec.acessLog: unknown field, did you mean accessLog?',
    'f.yaml:11:27: EdgeGateway default/chat: spec.accessControl.allow[0]: found "10.0.0.0/99": must be a block of addresses in CIDR notation, such as 10.0.0.0/8 or 2001:db8::/32',
  ]);
});

test('a rule is not held against an object in which a field is missing or misspelt', () => {
  const text = `apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: chat}
spec:
  targets:
    - {fqnd: localhost, port: 80}
`;
  assert.deepEqual(messagesFor(text), [
    'f.yaml:6:8: BackendPool default/chat: spec.targets[0].fqnd: unknown field, did you mean fqdn?',
  ]);
});

test('the path of a cookie is one that a header field can carry', () => {
  const text = `apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: chat}
spec:
  targets: [{fqdn: localhost, port: 80}]
  affinity: {cookie: {path: /€}}
`;
  assert.deepEqual(messagesFor(text), [
    'f.yaml:6:23: BackendPool default/chat: spec.affinity.cookie.path: found "/€", expected a path that begins with /, of visible ASCII characters without ;, of 1 to 1024 characters',
  ]);
});

test('a rule over the whole is checked though a field deep within is wrong', () => {
  const text = `apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: chat}
spec:
  tls: {}
  targets: [{fqdn: localhost, port: 0}]
`;
  assert.deepEqual(messagesFor(text), [
    'f.yaml:5:3: BackendPool default/chat: spec.tls: tls must be set only when protocol is HTTPS or TLS',
    'f.yaml:6:31: BackendPool default/chat: spec.targets[0].port: found 0, expected an integer between 1 and 65535',
  ]);
});

test('a word that YAML 1.1 takes for a boolean is pointed out', () => {
  const text = `apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: chat}
spec: {targets: [{fqdn: localhost, port: 80}], ejection: {mode: off}}
`;
  assert.deepEqual(messagesFor(text), [
    'f.yaml:4:59: BackendPool default/chat: spec.ejection.mode: found false (off without quotes means that), expected Enabled or Disabled',
  ]);
});

test('metadata is checked', () => {
  const text = `apiVersion: v1
kind: ConfigMap
metadata:
  name: Chat_1
  namespace: a.b
  labels: {x: 5}
  annotation: {}
`;
  assert.deepEqual(messagesFor(text), [
    'f.yaml:4:3: ConfigMap a.b/Chat_1: metadata.name: found "Chat_1", expected a DNS subdomain (lower-case letters, digits, - and .) of 1 to 253 characters',
    'f.yaml:5:3: ConfigMap a.b/Chat_1: metadata.namespace: found "a.b", expected a DNS label (lower-case letters, digits and -) of 1 to 63 characters',
    'f.yaml:6:12: ConfigMap a.b/Chat_1: metadata.labels.x: found 5, expected a label value (letters, digits, -, _ and .) of up to 63 characters',
    'f.yaml:7:3: ConfigMap a.b/Chat_1: metadata.annotation: unknown field, did you mean annotations?',
  ]);
});

test('names that JavaScript objects inherit are unknown fields like others', () => {
  const text = `apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: chat}
spec:
  targets: [{fqdn: localhost, port: 80}]
  __proto__: {protocol: TCP}
  constructor: 1
  toString: 2
`;
  assert.deepEqual(
    messagesFor(text).map((message) => message.split(': ')[2]),
    ['spec.__proto__', 'spec.constructor', 'spec.toString'],
  );
});

test('values of secrets, keys, header fields and annotations are not in messages', () => {
  const text = `apiVersion: v1
kind: Secret
metadata: {name: a, annotations: {last: [hunter2]}}
type: [hunter2]
data: {key: hunter2, other: [hunter2]}
stringData: {key: {hunter: hunter2}, other: 40522}
immutable: hunter2
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {key: 40522}
binaryData: {key: hunter2}
---
apiVersion: sluice.dev/v1alpha1
kind: EdgeGateway
metadata: {name: a}
spec:
  listeners: [{name: web, protocol: HTTP, port: 80}]
  authentication:
    jwt:
      providers:
        - {name: a, keys: hunter2}
        - {name: b, keys: {secretRef: hunter2}}
        - {name: c, keys: {jwks: {inline: 40522}}}
        - {name: d, keys: {jwks: {uri: "https://user:hunter2@example.com"}}}
        - {name: e, keys: {secretRef: {name: a, key: hunter2!}}}
  routes:
    - name: hub
      match:
        headers: [{name: Authorization, value: [hunter2]}]
        queryParams: [{name: access_token, value: 40522}]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: {set: [{name: Authorization, value: "hunter2\\n"}], add: hunter2}
      backend: {pool: chat}
---
apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: a}
spec:
  targets: [{fqdn: localhost, port: 80}]
  probe: {headers: [{name: Authorization, value: "hunter2\\r"}]}
`;
  const messages = messagesFor(text);
  assert.equal(messages.length, 19, messages.join('\n'));
  for (const message of messages) assert.doesNotMatch(message, /hunter2|40522/);
});

test('a diagnostic has its parts apart', () => {
  const resource = resourceOf('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: 1}');
  assert.deepEqual(validateResource(resource), [
    {
      severity: 'error',
      code: 'WrongType',
      object: 'ConfigMap default/a',
      file: 'test.yaml',
      line: 4,
      column: 8,
      field: 'data.k',
      found: 'a number (not shown)',
      expected: 'a string',
      message: 'found a number (not shown), expected a string',
    },
  ]);
});

test('control characters in names cannot break the line or steer a terminal', () => {
  const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "a\\n\\e[31m"}\n"b\\r\\u2028": 1';
  for (const message of messagesFor(text)) assert.doesNotMatch(message, /[\x00-\x1f\u2028]/);
});

test('base64 is checked', () => {
  const at = (value: string) =>
    messagesFor(`apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {k: ${value}}`).length;
  for (const good of ['""', 'aGk=', 'aGkh', '"aG\\nk="']) assert.equal(at(good), 0, good);
  for (const bad of ['aGk', '"aGk=="', '"a-_="', '"===="', '"aGk=aGk="']) assert.equal(at(bad), 1, bad);
});

test('10,000 resources are checked in seconds, since validators are compiled once', () => {
  const resource = resourceOf(`apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: chat}
spec: {targets: [{fqdn: localhost, port: 80}], probe: {path: /health}}
`);
  validateResource(resource);
  const started = process.cpuUsage();
  for (let i = 0; i < 10_000; i++) assert.deepEqual(validateResource(resource), []);
  // About 0.2 s; compiling a schema anew would take minutes. The bound leaves room for any machine.
  assert.ok(process.cpuUsage(started).user < 20e6);
});
