import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  CHUNK_END,
  ChunkedReader,
  chunkHeader,
  LAST_CHUNK,
  lastChunk,
} from '../../proxy/http/codec/chunked.ts';
import { headerPlan } from '../../proxy/http/codec/edit.ts';
import { DEFAULT_HEAD_LIMITS, RequestHead } from '../../proxy/http/codec/head.ts';
import { fieldLine, HeaderList, isFieldName, isFieldValue } from '../../proxy/http/codec/headers.ts';
import { knownNumber } from '../../proxy/http/codec/known.ts';
import { METHODS } from '../../proxy/http/codec/methods.ts';
import { normalizePath } from '../../proxy/http/codec/path.ts';
import { scanRequestHead } from '../../proxy/http/codec/scan.ts';
import { framingLines, writeRequestHead } from '../../proxy/http/codec/write.ts';
import { parseWithCodec } from './codec-stream.ts';

const latin1 = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 30 });
const name = fc
  .oneof(fc.constantFrom('Cookie', 'X-Forwarded-For', 'accept', 'DATE', 'Set-Cookie'), latin1)
  .filter(isFieldName);
const value = latin1.filter((text) => isFieldValue(text) && text.trim() === text && !/^\s|\s$/.test(text));
const endToEnd = name.filter((text) => {
  const lower = text.toLowerCase();
  return headerPlan().dropsKnown[knownNumber(lower)] === 0 && lower !== 'expect';
});
const fields = fc.array(fc.tuple(endToEnd, value), { maxLength: 40 });

function scan(text: string): RequestHead {
  const head = new RequestHead();
  const bytes = Buffer.from(text, 'latin1');
  scanRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, head);
  assert.equal(head.error, null);
  assert.equal(head.byteLength, bytes.length);
  return head;
}

test('a written head is read back as it was: method, target, host, fields', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...METHODS.filter((m) => m !== 'CONNECT')),
      fc.webPath(),
      fields,
      (method, path, list) => {
        const target = `/${path.replace(/^\//, '')}`;
        const lines = list.map(([n, v]) => fieldLine(n, v)).join('');
        const head = scan(
          `${method} ${target} HTTP/1.1\r\nHost: a.example\r\n${lines}Content-Length: 7\r\n\r\n`,
        );
        assert.deepEqual(
          [head.method, head.target, head.authority, head.contentLength],
          [method, target, 'a.example', 7],
        );
        const next = scan(writeRequestHead(head, head.originTarget, head.authority, headerPlan(), ''));
        assert.deepEqual(
          [next.method, next.target, next.authority, next.contentLength],
          [method, target, 'a.example', 7],
        );
        const kept = [...next.entries()].filter(([n]) => n !== 'Host' && n !== 'Content-Length');
        assert.deepEqual(kept, list);
        // Access by name agrees with a plain list.
        const plain = new HeaderList(list);
        for (const [n] of list) {
          const lower = n.toLowerCase();
          assert.deepEqual(next.values(lower), plain.values(lower));
          assert.equal(next.get(lower), plain.get(lower));
          assert.equal(next.has(lower), true);
        }
      },
    ),
  );
});

test('edits do to a head what they do to a list', () => {
  const names = fc.constantFrom('a', 'b', 'accept', 'x-c');
  const entry = fc.record({ name: names, value: fc.constantFrom('1', '2') });
  const edit = fc.record({
    set: fc.uniqueArray(entry, { maxLength: 2, selector: (e) => e.name }),
    add: fc.array(entry, { maxLength: 2 }),
    remove: fc.array(names, { maxLength: 2 }),
  });
  const received = fc.array(fc.tuple(names, fc.constantFrom('0', '9')), { maxLength: 6 });
  fc.assert(
    fc.property(received, fc.array(edit, { maxLength: 3 }), (list, edits) => {
      const head = scan(`GET / HTTP/1.1\r\nHost: a\r\n${new HeaderList(list).toLines()}\r\n`);
      const next = scan(writeRequestHead(head, '/', 'a', headerPlan(edits), ''));
      const expected = new HeaderList([['Host', 'a'], ...list]);
      for (const { set, add, remove } of edits) {
        for (const n of remove) expected.remove(n);
        for (const e of set) expected.set(e.name, e.value);
        for (const e of add) expected.append(e.name, e.value);
      }
      for (const n of ['a', 'b', 'accept', 'x-c', 'host'])
        assert.deepEqual(next.values(n), expected.values(n));
      assert.equal(next.fieldCount, expected.fieldCount);
    }),
  );
});

test('a chunked body comes out as it went in, in whatever pieces', () => {
  const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 });
  const cuts = fc.array(fc.nat(3000), { maxLength: 20 });
  const trailers = fc.array(fc.tuple(fc.constantFrom('X', 'ETag', 'y-z'), value), { maxLength: 3 });
  fc.assert(
    fc.property(pieces, trailers, cuts, (payload, trailerFields, positions) => {
      const end = trailerFields.length === 0 ? LAST_CHUNK : lastChunk(new HeaderList(trailerFields));
      const encoded = Buffer.concat([
        ...payload.flatMap((p) => [Buffer.from(chunkHeader(p.length)), p, Buffer.from(CHUNK_END)]),
        Buffer.from(end, 'latin1'),
      ]);
      const wire = Buffer.concat([encoded, Buffer.from('GET /next')]);
      const reader = new ChunkedReader();
      const decoded: Buffer[] = [];
      let start = 0;
      for (const cut of [...positions.map((p) => p % wire.length).sort((a, b) => a - b), wire.length]) {
        const next = reader.push(wire, start, cut);
        assert.equal(reader.error, null);
        for (let i = 0; i < reader.ranges.length; i += 2) {
          decoded.push(Buffer.from(wire.subarray(reader.ranges[i], reader.ranges[i + 1])));
        }
        start = next;
      }
      assert.equal(reader.done, true);
      assert.equal(start, encoded.length);
      assert.deepEqual(Buffer.concat(decoded), Buffer.concat(payload));
      assert.equal(reader.payloadBytes, Buffer.concat(payload).length);
      assert.deepEqual([...reader.trailers.entries()], trailerFields);
    }),
  );
});

test('any bytes in any pieces give the same result, and never throw', () => {
  const fragment = fc.oneof(
    fc.constantFrom(
      'GET / HTTP/1.1\r\n',
      'Host: a\r\n',
      '\r\n',
      'Transfer-Encoding: chunked\r\n',
      '3\r\nabc\r\n',
      '0\r\n\r\n',
      'X:',
      ' ',
      'Content-Length: 3\r\n',
      '\r',
      '\n',
      'HTTP/1.1 200 OK\r\n',
    ),
    latin1,
  );
  const stream = fc.array(fragment, { maxLength: 12 }).map((parts) => Buffer.from(parts.join(''), 'latin1'));
  fc.assert(
    fc.property(
      fc.constantFrom('request' as const, 'response' as const),
      stream,
      fc.array(fc.nat(400), { maxLength: 6 }),
      (kind, bytes, positions) => {
        const cuts = positions.map((p) => p % (bytes.length + 1)).sort((a, b) => a - b);
        const whole = parseWithCodec(kind, bytes, 'GET');
        const pieces = parseWithCodec(kind, bytes, 'GET', cuts);
        assert.equal(pieces.error, whole.error);
        assert.deepEqual(
          pieces.messages.map((m) => [m.start, m.target, m.fields, m.complete]),
          whole.messages.map((m) => [m.start, m.target, m.fields, m.complete]),
        );
      },
    ),
    { numRuns: 2000 },
  );
});

test('a normalised path stays as it is, and holds nothing that servers read differently', () => {
  const part = fc.constantFrom(
    'a',
    'B',
    '.',
    '..',
    '/',
    '//',
    '%2e',
    '%2E',
    '%2f',
    '%5C',
    '%41',
    '%7e',
    '%20',
    '%c3%a4',
    ';x',
    '%',
    '%zz',
    '%00',
    '%25',
    '~',
    '...',
  );
  const path = fc.array(part, { maxLength: 12 }).map((parts) => `/${parts.join('')}`);
  const policy = fc.record({
    encodedSeparators: fc.constantFrom('Reject' as const, 'Keep' as const),
    emptySegments: fc.constantFrom('Merge' as const, 'Keep' as const),
  });
  fc.assert(
    fc.property(path, policy, (text, rules) => {
      const result = normalizePath(text, rules);
      if (typeof result !== 'string') return;
      assert.equal(normalizePath(result, rules), result);
      assert(result.startsWith('/'));
      const segments = result.split(/\/|%2F|%5C/).map((segment) => segment.split(';')[0]);
      assert(!segments.includes('.') && !segments.includes('..'));
      if (rules.emptySegments === 'Merge') assert(!result.includes('//'));
      if (rules.encodedSeparators === 'Reject') assert(!/%2f|%5c/i.test(result));
    }),
    { numRuns: 2000 },
  );
});

test('framing lines frame the message as it was framed', () => {
  for (const line of ['Content-Length: 0', 'Content-Length: 12', 'Transfer-Encoding: chunked']) {
    const head = scan(`POST / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`);
    assert.equal(framingLines(head), `${line}\r\n`);
  }
  assert.equal(framingLines(scan('GET / HTTP/1.1\r\nHost: a\r\n\r\n')), '');
});
