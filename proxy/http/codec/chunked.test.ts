import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyReader, LengthReader, UntilCloseReader } from './body.ts';
import { ChunkedReader, chunkHeader, lastChunk } from './chunked.ts';
import { HeaderList } from './headers.ts';

function push(reader: ChunkedReader, text: string): number {
  const bytes = Buffer.from(text, 'latin1');
  return reader.push(bytes, 0, bytes.length);
}

test('tells payload from framing, and where the message ends', () => {
  const reader = new ChunkedReader();
  const text = '3\r\nabc\r\n0\r\n\r\nGET /';
  assert.equal(push(reader, text), text.length - 5);
  assert.deepEqual(reader.ranges, [3, 6]);
  assert.deepEqual([reader.done, reader.completeAtEnd, reader.payloadBytes], [true, true, 3]);
  // Nothing is taken once the message is done.
  assert.equal(push(reader, 'GET'), 0);
  assert.deepEqual(reader.ranges, []);
});

test('a body that ends early is not complete', () => {
  for (const text of ['', '3', '3\r\nab', '3\r\nabc\r\n', '0\r\n', '0\r\n\r', '0\r\nX: y\r\n']) {
    const reader = new ChunkedReader();
    assert.equal(push(reader, text), text.length);
    assert.equal(reader.completeAtEnd, false);
  }
});

test('the largest chunk size, and one more', () => {
  assert.equal(push(new ChunkedReader(), '1fffffffffffff\r\n'), 16);
  const reader = new ChunkedReader();
  assert.equal(push(reader, '20000000000000\r\n'), -1);
  assert.equal(reader.error?.code, 'CHUNK_SIZE_TOO_LARGE');
  assert.throws(() => push(reader, 'x'), /invalid/);
});

test('extensions: a limit for a chunk, and one for all that grows with the payload', () => {
  const limits = { maxExtensionBytes: 4, maxTrailerBytes: 100, maxTrailerFields: 2 };
  assert.equal(push(new ChunkedReader(limits), '1;abc\r\nx\r\n'), 10);
  const long = new ChunkedReader(limits);
  assert.equal(push(long, '1;abcd\r\nx\r\n'), -1);
  assert.equal(long.error?.code, 'CHUNK_EXTENSION_TOO_LARGE');
  const many = new ChunkedReader(limits);
  assert.equal(push(many, '1;abc\r\nx\r\n'.repeat(50)), -1);
  assert.equal(many.error?.code, 'CHUNK_EXTENSION_TOO_LARGE');
  const spread = '4;abc\r\nxxxx\r\n'.repeat(50);
  assert.equal(push(new ChunkedReader(limits), spread), spread.length);
});

test('trailers: limits in bytes and number, in one piece and in single bytes', () => {
  const limits = { maxExtensionBytes: 4, maxTrailerBytes: 20, maxTrailerFields: 2 };
  for (const [section, code] of [
    ['A: 1\r\nB: 2\r\n\r\n', undefined],
    [`A: ${'x'.repeat(13)}\r\n\r\n`, undefined],
    [`A: ${'x'.repeat(14)}\r\n\r\n`, 'TRAILERS_TOO_LARGE'],
    ['A:\r\nB:\r\nC:\r\n\r\n', 'TOO_MANY_FIELDS'],
  ] as const) {
    const whole = new ChunkedReader(limits);
    push(whole, `0\r\n${section}`);
    assert.equal(whole.error?.code, code);
    const single = new ChunkedReader(limits);
    for (const byte of `0\r\n${section}`) if (single.error === null) push(single, byte);
    assert.equal(single.error?.code, code);
    assert.deepEqual([...single.trailers.entries()], [...whole.trailers.entries()]);
    assert.equal(whole.done, code === undefined);
  }
});

test('encoding helpers', () => {
  assert.equal(chunkHeader(255), 'ff\r\n');
  assert.throws(() => chunkHeader(0));
  assert.equal(lastChunk(new HeaderList([['X', 'y']])), '0\r\nX: y\r\n\r\n');
});

test('a body of given length', () => {
  const reader = new LengthReader(5);
  const buffer = Buffer.from('abcdefgh');
  assert.equal(reader.push(buffer, 0, 3), 3);
  assert.deepEqual([reader.done, reader.completeAtEnd, reader.ranges], [false, false, [0, 3]]);
  assert.equal(reader.push(buffer, 3, 8), 5);
  assert.deepEqual([reader.done, reader.payloadBytes, reader.ranges], [true, 5, [3, 5]]);
  assert.throws(() => new LengthReader(-1));
});

test('readers by framing', () => {
  assert(bodyReader('chunked', -1) instanceof ChunkedReader);
  assert(bodyReader('untilClose', -1) instanceof UntilCloseReader);
  assert.equal(bodyReader('none', 7).done, true);
  assert.equal(bodyReader('length', 7).done, false);
  const reader = bodyReader('untilClose', -1);
  assert.equal(reader.push(Buffer.from('abc'), 1, 3), 3);
  assert.deepEqual([reader.done, reader.completeAtEnd, reader.ranges], [false, true, [1, 3]]);
});
