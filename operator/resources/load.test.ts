import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDiagnostic } from './diagnostics.ts';
import { loadResources } from './load.ts';
import { validateResource } from './validate.ts';

const pool = (name: string) => `apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata: {name: ${name}}
spec: {targets: [{fqdn: localhost, port: 80}]}
`;

function messagesFor(text: string): string[] {
  return loadResources(text, 'f.yaml').diagnostics.map((diagnostic) => formatDiagnostic(diagnostic));
}

test('every document of a text becomes a resource, in order', () => {
  const text = `---\n${pool('b')}---\n# nothing\n---\n${pool('a')}`;
  const { resources, diagnostics } = loadResources(text, 'f.yaml');
  assert.deepEqual(diagnostics, []);
  assert.deepEqual(
    resources.map(({ kind, namespace, name, labels }) => ({ kind, namespace, name, labels })),
    ['b', 'a'].map((name) => ({ kind: 'BackendPool', namespace: 'default', name, labels: {} })),
  );
});

test('namespace and labels are taken from the metadata', () => {
  const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: chat, labels: {x: z}}';
  const [resource] = loadResources(text, 'f.yaml').resources;
  assert.equal(resource?.namespace, 'chat');
  assert.deepEqual(resource?.labels, { x: 'z' });
});

test('an empty text has nothing, without a complaint', () => {
  for (const text of ['', '\n', '# only this\n', '---\n---\n', '\uFEFF']) {
    assert.deepEqual(loadResources(text, 'f.yaml'), { resources: [], diagnostics: [] }, JSON.stringify(text));
  }
});

test('a field is found at its line and column, also through aliases and merge keys', () => {
  const text = `apiVersion: sluice.dev/v1alpha1
kind: BackendPool
metadata:
  name: chat
spec:
  targets:
    - &first
      fqdn: localhost
      port: 80
    - <<: *first
      port: 81
    - *first
`;
  const { source } = loadResources(text, 'f.yaml').resources[0]!;
  assert.deepEqual(source.locate([]), { line: 1, column: 1 });
  assert.deepEqual(source.locate(['metadata', 'name']), { line: 4, column: 3 });
  assert.deepEqual(source.locate(['spec', 'targets', 0, 'port']), { line: 9, column: 7 });
  assert.deepEqual(source.locate(['spec', 'targets', 1, 'port']), { line: 11, column: 7 });
  assert.deepEqual(source.locate(['spec', 'targets', 1, 'fqdn']), { line: 8, column: 7 });
  assert.deepEqual(source.locate(['spec', 'targets', 2, 'port']), { line: 9, column: 7 });
  assert.deepEqual(source.locate(['spec', 'targets', 7, 'port']), { line: 6, column: 3 });
  assert.deepEqual(source.locate(['spec', 'tls', 'sni']), { line: 5, column: 1 });
  assert.equal(source.written?.(['spec', 'targets', 2, 'port']), '80');
});

test('plain scalars are read as kubectl reads them', () => {
  const values = {
    ...{ yes: true, Off: false, n: false, TRUE: true, '~': null, Null: null, on1: 'on1', '"no"': 'no' },
    ...{
      '010': 8,
      '-010': -8,
      '0o10': 8,
      '08': 8,
      '1_000': 1000,
      '0b101': 5,
      '0x10': 16,
      '+5': 5,
      '1e3': 1000,
    },
    ...{ '2001-01-01': '2001-01-01', '1:30': '1:30', '!!str 5': '5' },
  };
  for (const [text, value] of Object.entries(values)) {
    const body = loadResources(`apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nvalue: ${text}`, 'f')
      .resources[0]?.body;
    assert.equal((body as { value?: unknown } | undefined)?.value, value, text);
  }
});

test('a bad document does not take the others with it', () => {
  const text = `${pool('a')}---\nkind: [\n---\n${pool('b')}`;
  const { resources, diagnostics } = loadResources(text, 'f.yaml');
  assert.ok(resources.some(({ name }) => name === 'a'));
  assert.ok(diagnostics.length > 0);
});

const complaints: [title: string, text: string, ...expected: string[]][] = [
  [
    'a key that occurs twice',
    'apiVersion: v1\nkind: Secret\nkind: ConfigMap\nmetadata: {name: a}',
    'f.yaml:3:1: the key occurs twice in the same map; is a line --- between two objects missing?',
  ],
  [
    'a tab in the indentation',
    'apiVersion: v1\nkind: Secret\nmetadata:\n\tname: a',
    'f.yaml:4:1: a tab stands where YAML allows only spaces',
  ],
  [
    'an unknown alias',
    'apiVersion: v1\nkind: *kind\nmetadata: {name: a}',
    'f.yaml:2:7: an alias (*name) refers to an anchor (&name) that does not stand above it',
  ],
  [
    'a text instead of an object',
    'just words',
    'f.yaml:1:1: found a text of 10 characters (not shown), expected an object with apiVersion, kind and metadata',
  ],
  ['a list', '[]', 'f.yaml:1:1: found an empty list, expected an object with apiVersion, kind and metadata'],
  [
    'an object that is no resource',
    'name: a',
    'f.yaml:1:1: apiVersion: found nothing, expected the version of the kind, such as sluice.dev/v1alpha1',
    'f.yaml:1:1: kind: found nothing, expected the kind of the object, such as EdgeGateway',
  ],
  [
    'a resource without a name',
    'apiVersion: v1\nkind: Secret\nmetadata: {generateName: a}',
    'f.yaml:3:1: Secret: metadata.name: found nothing, expected the name of the object',
  ],
  [
    'a name that is a number',
    'apiVersion: v1\nkind: Secret\nmetadata: {name: 5}',
    'f.yaml:3:12: Secret: metadata.name: found 5, expected the name of the object',
  ],
  [
    'a misspelt kind of ours',
    'apiVersion: sluice.dev/v1alpha1\nkind: EdgeGatway\nmetadata: {name: a}',
    'f.yaml:2:1: kind: found "EdgeGatway", expected EdgeGateway (did you mean that?)',
  ],
  [
    'a kind of our group that does not exist',
    'apiVersion: sluice.dev/v1alpha1\nkind: Deployment\nmetadata: {name: a}',
    'f.yaml:2:1: kind: found "Deployment", expected EdgeGateway, BackendPool or FirewallRuleList',
  ],
  [
    'a version of our group that does not exist',
    'apiVersion: sluice.dev/v1\nkind: EdgeGateway\nmetadata: {name: a}',
    'f.yaml:1:1: apiVersion: found "sluice.dev/v1", expected sluice.dev/v1alpha1',
  ],
  [
    'a kind of ours in another group',
    'apiVersion: slucie.dev/v1alpha1\nkind: EdgeGateway\nmetadata: {name: a}',
    'f.yaml:1:1: apiVersion: found "slucie.dev/v1alpha1", expected sluice.dev/v1alpha1',
  ],
  [
    'a kind of ours without a group',
    'apiVersion: v1alpha1\nkind: EdgeGateway\nmetadata: {name: a}',
    'f.yaml:1:1: apiVersion: found "v1alpha1", expected sluice.dev/v1alpha1',
  ],
  [
    'a kind of another group that has the name of one of ours',
    'apiVersion: network.example.com/v1\nkind: BackendPool\nmetadata: {name: a}',
    'f.yaml:1:1: warning: left out, since Sluice does not read objects of this kind from files: BackendPool',
  ],
  [
    'a misspelt kind of the core group',
    'apiVersion: v1\nkind: Sercet\nmetadata: {name: a}',
    'f.yaml:2:1: kind: found "Sercet", expected Secret (did you mean that?)',
  ],
  [
    'kinds that are left out',
    'apiVersion: a.dev/v1\nkind: A\n---\napiVersion: b.dev/v1\nkind: B\n---\napiVersion: b.dev/v1\nkind: B',
    'f.yaml:1:1: warning: left out, since Sluice does not read objects of this kind from files: A, B (2 times)',
  ],
  [
    'kinds that belong to a cluster anyway: nothing',
    'apiVersion: apps/v1\nkind: Deployment\n---\napiVersion: v1\nkind: Pod\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget',
  ],
  [
    'an escape sequence that does not exist',
    'a: "\\q"',
    'f.yaml:1:5: a text in double quotes holds an escape sequence (\\) that does not exist',
  ],
];

for (const [title, text, ...expected] of complaints) {
  test(`what is said about ${title}`, () => assert.deepEqual(messagesFor(text), expected));
}

test('objects in a List are read, with their own places', () => {
  const text = `apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: a}
  - apiVersion: v1
    kind: Sercet
    metadata: {name: b}
`;
  const { resources, diagnostics } = loadResources(text, 'f.yaml');
  assert.deepEqual(
    resources.map(({ name }) => name),
    ['a'],
  );
  assert.deepEqual(resources[0]!.source.locate(['metadata', 'name']), { line: 6, column: 16 });
  assert.deepEqual(
    diagnostics.map(({ line }) => line),
    [8],
  );
});

test('aliases that multiply are refused', () => {
  const levels = Array.from(
    { length: 12 },
    (_, i) => `k${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`,
  );
  const started = process.memoryUsage().heapUsed;
  const [message] = messagesFor(`k0: &a0 [x]\n${levels.join('\n')}`);
  assert.match(message!, /aliases .* more than 100 copies/);
  assert.ok(process.memoryUsage().heapUsed - started < 100e6);
});

test('an alias that leads back to itself is refused', () => {
  assert.match(messagesFor('a: &a {b: *a}')[0]!, /deeper than 64 levels/);
});

test('nesting beyond the limit is refused, however deep', () => {
  for (const depth of [65, 1000, 20_000]) {
    for (const text of ['['.repeat(depth) + ']'.repeat(depth), '['.repeat(depth), '{a: '.repeat(depth)]) {
      assert.ok(messagesFor(text).length > 0, `${depth} levels of ${text.slice(0, 4)}`);
    }
  }
  assert.deepEqual(messagesFor('['.repeat(65) + ']'.repeat(65)), [
    'f.yaml:1:1: maps and lists are nested deeper than 64 levels',
  ]);
});

test('messages about syntax do not quote the text', () => {
  const texts = [
    'apiVersion: v1\nkind: Secret\nstringData: {key: "hunter2',
    'apiVersion: v1\nkind: Secret\nstringData:\n  key: hunter2: hunter2',
    'apiVersion: v1\nkind: Secret\nstringData:\n  key: !hunter2 a',
    'apiVersion: v1\nkind: Secret\nstringData:\n  key: "a" hunter2',
    'apiVersion: v1\nkind: Secret\nstringData:\n  key: *hunter2',
    'apiVersion: v1\nkind: Secret\nstringData:\n   key: a\n  hunter2',
    'hunter2',
  ];
  for (const text of texts) {
    const messages = messagesFor(text);
    assert.ok(messages.length > 0, text);
    for (const message of messages) assert.doesNotMatch(message, /hunter2/, text);
  }
});

test('what nobody sees, and what is far too long, does not get in the way of a message', () => {
  const [message] = messagesFor('apiVersion: v1\nkind: "Con\u200bfigMap\u202e"\nmetadata: {name: a}\n');
  assert.match(message!, /Con\\u200bfigMap\\u202e/);
  const long = 'a'.repeat(5_000);
  const text = pool(long).replace('spec:', `${long.slice(0, 1_000)}: 1\nspec:`);
  const { resources } = loadResources(text, 'f.yaml');
  for (const diagnostic of validateResource(resources[0]!)) {
    assert.ok(formatDiagnostic(diagnostic).length < 600, formatDiagnostic(diagnostic));
  }
});

test('a text with ": " within braces is told as such', () => {
  assert.deepEqual(messagesFor('a: {b: c: d}'), [
    'f.yaml:1:8: a "- " or a second ": " stands within braces or brackets; quote the value if it is a text',
  ]);
});
