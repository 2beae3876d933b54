import assert from 'node:assert/strict';
import test from 'node:test';
import type { HeaderModifier } from '../config/snapshot.ts';
import { compileHeaderEdit } from './header-edit.ts';

function modifier(set: string[], add: string[], remove: string[]): HeaderModifier {
  const split = (text: string) => {
    const [name = '', value = ''] = text.split('=');
    return { name, value };
  };
  return { set: set.map(split), add: add.map(split), remove };
}

test('one modifier after the other', () => {
  const cases: [modifiers: HeaderModifier[], dropped: string[], lines: string][] = [
    [[modifier(['X-A=1'], [], [])], ['x-a'], 'X-A: 1\r\n'],
    [[modifier([], ['X-A=1'], [])], [], 'X-A: 1\r\n'],
    [[modifier([], [], ['x-a'])], ['x-a'], ''],
    [[modifier(['X-A=1'], [], []), modifier(['x-a=2'], [], [])], ['x-a'], 'x-a: 2\r\n'],
    [[modifier(['X-A=1'], [], []), modifier([], ['X-A=2'], [])], ['x-a'], 'X-A: 1\r\nX-A: 2\r\n'],
    [[modifier(['X-A=1'], [], []), modifier([], [], ['x-a'])], ['x-a'], ''],
    [[modifier([], ['X-A=1'], []), modifier(['X-A=2'], [], [])], ['x-a'], 'X-A: 2\r\n'],
    [[modifier([], [], ['x-a']), modifier([], ['X-A=2'], [])], ['x-a'], 'X-A: 2\r\n'],
  ];
  for (const [modifiers, dropped, lines] of cases) {
    const edit = compileHeaderEdit(...modifiers)!;
    assert.deepEqual([...edit.dropped], dropped);
    assert.equal(edit.lines, lines);
  }
});

test('nothing to change is nothing', () => {
  assert.equal(compileHeaderEdit(), null);
  assert.equal(compileHeaderEdit(null, modifier([], [], [])), null);
});

test('no configuration breaks the framing of messages', () => {
  const hostile = modifier(
    ['Content-Length=5', 'Host=x', 'transfer-encoding=chunked'],
    ['Connection=close', 'Upgrade=h2c'],
    ['Content-Length', 'Transfer-Encoding', 'host'],
  );
  assert.equal(compileHeaderEdit(hostile), null);
});

test('a value that would end its line is our bug', () => {
  assert.throws(() => compileHeaderEdit(modifier(['X-A=1\r\nX-B: 2'], [], [])), { code: 'ERR_ASSERTION' });
});
