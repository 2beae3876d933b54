import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Diagnostic } from '../resources/index.ts';
import { describePods, describeProblems, joined, listed, MAX_MESSAGE_LENGTH } from './messages.ts';

test('what does not fit is counted', () => {
  const parts = Array.from({ length: 100 }, (_, index) => `part ${index} ${'x'.repeat(90)}`);
  const message = joined(parts);
  assert.ok(message.length <= MAX_MESSAGE_LENGTH, `${message.length}`);
  const shown = message.split('; ').length;
  assert.ok(shown > 5);
  assert.ok(message.endsWith(` (and ${100 - shown} more)`), message.slice(-40));
});

test('one long part does not hide the others', () => {
  const message = joined(['x'.repeat(5000), 'short']);
  assert.ok(message.length <= MAX_MESSAGE_LENGTH);
  assert.match(message, /x…; short$/);
});

test('a message of any parts is bounded, and says each thing once', () => {
  for (let length = 0; length < 1200; length += 7) {
    for (const number of [1, 2, 3, 10, 1000]) {
      const parts = Array.from({ length: number }, (_, index) => `${index}${'x'.repeat(length)}`);
      const message = joined(parts);
      assert.ok(message.length <= MAX_MESSAGE_LENGTH, `${length} ${number}: ${message.length}`);
      assert.ok(message.startsWith('0'));
    }
  }
  assert.equal(joined(['a', '', 'b', 'a']), 'a; b');
  assert.equal(joined([]), '');
});

function problem(field: string, severity: Diagnostic['severity'], object = 'EdgeGateway a/b'): Diagnostic {
  return { severity, code: 'WrongType', object, file: '', line: 0, column: 0, field, message: 'wrong' };
}

test('errors come first, then fields in the order of their numbers, and other objects are named', () => {
  const problems = [
    problem('spec.routes[0]', 'warning'),
    problem('spec.routes[10]', 'error'),
    problem('spec.routes[2]', 'error'),
    problem('data[tls.crt]', 'error', 'Secret a/c'),
    { ...problem('', 'warning'), code: 'KeptLastGood', message: 'kept' },
  ];
  assert.equal(
    describeProblems(problems, 'EdgeGateway a/b'),
    'kept; Secret a/c: data[tls.crt]: wrong; spec.routes[2]: wrong; spec.routes[10]: wrong; spec.routes[0]: wrong',
  );
});

test('what could steer a terminal is made visible', () => {
  const message = describeProblems([{ ...problem('a', 'error'), message: 'red \u001b[31m\nline' }], '');
  assert.doesNotMatch(message, /[\u0000-\u001f]/);
});

test('pods that say the same are named together', () => {
  const said = new Map([
    ['a', 'not ready'],
    ['b', 'draining'],
    ['c', 'not ready'],
  ]);
  assert.deepEqual(describePods(said), ['pods a and c: not ready', 'pod b: draining']);
  assert.equal(listed(['a', 'b', 'c']), 'a, b and c');
  assert.equal(listed(['a', 'b', 'c', 'd', 'e']), 'a, b, c and 2 more');
});
