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

test('bytes are joined in order, and what was handed out before stays as it is', () => {
  const input = new Input();
  const sent = Buffer.from(Array.from({ length: 3000 }, (_, i) => i & 0xff));
  const handedOut: { readonly part: Buffer; readonly from: number }[] = [];
  let used = 0;
  for (let i = 0; i < sent.length; i++) {
    input.append(Buffer.from([sent[i]!]));
    if (i % 7 !== 3) continue;
    // All but one byte, so that the next chunk is joined with it.
    const part = input.buffer!.subarray(input.position, input.buffer!.length - 1);
    handedOut.push({ part, from: used });
    used += part.length;
    input.advance(part.length);
    assert.equal(input.unused, 1);
  }
  for (const { part, from } of handedOut) {
    assert.deepEqual(part, sent.subarray(from, from + part.length));
  }
  assert.deepEqual(input.take(), sent.subarray(used));
  assert.equal(input.received, sent.length);
});

test('a stream of single bytes is not copied again for each of them', () => {
  const input = new Input();
  const stores = new Set<ArrayBufferLike>();
  for (let i = 0; i < 65_536; i++) {
    input.append(Buffer.from([0x61]));
    stores.add(input.buffer!.buffer);
  }
  assert.equal(input.unused, 65_536);
  assert.ok(stores.size < 20, `joined ${stores.size} times`);
});
