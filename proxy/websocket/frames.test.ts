import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { CLOSE, closeFrame, controlFrame, FrameReader, PING } from './frames.ts';

interface Frame {
  readonly fin: boolean;
  readonly opcode: number;
  readonly masked: boolean;
  readonly length: number;
}

const frames = fc.record<Frame>({
  fin: fc.boolean(),
  opcode: fc.integer({ min: 0, max: 15 }),
  masked: fc.boolean(),
  length: fc.oneof(
    fc.integer({ min: 0, max: 130 }),
    fc.constantFrom(0, 125, 126, 127, 65_535, 65_536, 70_000),
  ),
});

function encode({ fin, opcode, masked, length }: Frame): Buffer {
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + extended + (masked ? 4 : 0), 0xa5);
  header[0] = (fin ? 0x80 : 0) | opcode;
  header[1] = (masked ? 0x80 : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) header.writeUInt16BE(length, 2);
  if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, Buffer.alloc(length, 0x8a)]);
}

test('finds every frame however the stream is cut', () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 6 }), cuts, (list, sizes) => {
      const stream = Buffer.concat(list.map(encode));
      const ends: number[] = [];
      const reader = new FrameReader();
      let offset = 0;
      for (let turn = 0; offset < stream.length; turn++) {
        const chunk = stream.subarray(offset, offset + sizes[turn % sizes.length]!);
        for (let at = 0; at < chunk.length; ) {
          const next = reader.read(chunk, at);
          assert(next > at && next <= chunk.length);
          at = next;
          if (!reader.atBoundary) continue;
          const frame = list[ends.length]!;
          assert.deepEqual(
            [reader.fin, reader.opcode, reader.masked, reader.payloadLength],
            [frame.fin, frame.opcode, frame.masked, frame.length],
          );
          ends.push(offset + at);
        }
        offset += chunk.length;
      }
      let sum = 0;
      assert.deepEqual(
        ends,
        list.map((frame) => {
          sum += encode(frame).length;
          return sum;
        }),
      );
      assert.equal(reader.frames, list.length);
      assert.equal(reader.messages, list.filter(({ fin, opcode }) => fin && opcode < 8).length);
    }),
    { numRuns: 300 },
  );
});

test('one byte at a time is the same', () => {
  const stream = Buffer.concat(
    [125, 126, 300, 0].map((length) => encode({ fin: true, opcode: 2, masked: true, length })),
  );
  const reader = new FrameReader();
  let ended = 0;
  for (const byte of stream) {
    assert.equal(reader.read(Uint8Array.of(byte), 0), 1);
    if (reader.atBoundary) ended++;
  }
  assert.equal(ended, 4);
});

test('a frame of more bytes than anyone sends does not end', () => {
  const reader = new FrameReader();
  reader.read(Buffer.from('827fffffffffffffffff', 'hex'), 0);
  assert(reader.headerRead && !reader.atBoundary && reader.payloadLength > 2 ** 53);
  reader.read(Buffer.alloc(100_000), 0);
  assert(!reader.atBoundary);
});

test('control frames are what RFC 6455 says', () => {
  assert.equal(controlFrame(PING, Buffer.from('Hello'), null).toString('hex'), '890548656c6c6f');
  const mask = Buffer.from('37fa213d', 'hex');
  assert.equal(controlFrame(0xa, Buffer.from('Hello'), mask).toString('hex'), '8a8537fa213d7f9f4d5158');
  assert.equal(
    closeFrame(1012, 'bye', null).toString('hex'),
    `880503f4${Buffer.from('bye').toString('hex')}`,
  );
  const long = closeFrame(1008, 'ä'.repeat(200), null);
  assert.equal(long[0], 0x80 | CLOSE);
  assert.equal(long[1], 124);
  assert.equal(long.subarray(4).toString(), 'ä'.repeat(61));
});
