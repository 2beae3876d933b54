import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Input } from './input.ts';

test('bytes are kept until they are used', () => {
  const input = new Input();
  assert.equal(input.take(), null);
  input.append(Buffer.from('abc'));
  input.advance(2);
  input.append(Buffer.from('def'));
  assert.equal(input.unused, 4);
  assert.equal(input.take()?.toString(), 'cdef');
  assert.equal(input.unused, 0);
  assert.equal(input.received, 6);
});

test('waiting heads are counted up to the limit', () => {
  const input = new Input();
  assert.equal(input.countHeads(3), 0);
  input.append(Buffer.from('a\r\n\r\nb\r\n\r\nc\r\n\r\nd\r\n\r\ne\r\n'));
  assert.equal(input.countHeads(10), 4);
  assert.equal(input.countHeads(3), 3);
  input.advance(5);
  assert.equal(input.countHeads(10), 3);
});
