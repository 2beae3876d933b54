import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEFAULT_HEAD_LIMITS, type HeadLimits, RequestHead, ResponseHead } from './head.ts';
import { KNOWN_NAMES, knownNumber, recognise, UNDERSCORED_NAME } from './known.ts';
import { scanRequestHead, scanResponseHead } from './scan.ts';

function scan(text: string, limits: HeadLimits = DEFAULT_HEAD_LIMITS): RequestHead {
  const head = new RequestHead();
  const bytes = Buffer.from(text, 'latin1');
  scanRequestHead(bytes, 0, bytes.length, limits, head);
  return head;
}

function errorOf(text: string, limits?: Partial<HeadLimits>): [string, number] | null {
  const { error } = scan(text, { ...DEFAULT_HEAD_LIMITS, ...limits });
  return error && [error.code, error.status];
}

describe('field access', () => {
  const head = scan(
    'GET / HTTP/1.1\r\nHOST: a\r\nX-One: 1\r\nSet-Cookie: a=1\r\nx-one:2\r\nset-cookie: b=2\r\nAccept: */*\r\n\r\n',
  );

  test('by name, in any case as received', () => {
    assert.equal(head.get('host'), 'a');
    assert.equal(head.get('x-one'), '1, 2');
    assert.deepEqual(head.values('x-one'), ['1', '2']);
    assert.equal(head.get('accept'), '*/*');
    assert.equal(head.has('x-one'), true);
  });
  test('what is not there', () => {
    for (const name of ['x-two', 'cookie', 'x-on', '', 'x-one2']) {
      assert.equal(head.has(name), false);
      assert.equal(head.get(name), undefined);
      assert.deepEqual(head.values(name), []);
    }
  });
  test('Set-Cookie is never joined', () => {
    assert.equal(head.get('set-cookie'), 'a=1');
    assert.deepEqual(head.values('set-cookie'), ['a=1', 'b=2']);
  });
  test('by index and as entries', () => {
    assert.equal(head.fieldCount, 6);
    assert.deepEqual([head.nameAt(0), head.valueAt(0)], ['HOST', 'a']);
    assert.equal([...head.entries()].length, 6);
    assert.throws(() => head.nameAt(6));
    assert.throws(() => head.valueAt(-1));
  });
  test('more fields than there was room for at first', () => {
    const many = Array.from({ length: 100 }, (_, i) => `X-${i}: ${i}\r\n`).join('');
    const large = scan(`GET / HTTP/1.1\r\nHost: a\r\n${many}\r\n`);
    assert.equal(large.error, null);
    for (let i = 0; i < 100; i++) assert.equal(large.get(`x-${i}`), String(i));
  });
});

describe('known fields', () => {
  test('every one is recognised in any case, and no other', () => {
    for (const [number, name] of KNOWN_NAMES.entries()) {
      if (number === 0 || name === UNDERSCORED_NAME) continue;
      assert.equal(knownNumber(name), number);
      for (const spelling of [name, name.toUpperCase()]) {
        assert.equal(recognise(Buffer.from(`xx${spelling}:`), 2, 2 + name.length), number);
      }
      for (const other of [`${name}x`, name.slice(0, -1), `_${name.slice(1)}`]) {
        if (other !== name) assert.equal(recognise(Buffer.from(other), 0, other.length), 0, other);
      }
    }
  });
  test('one with underscores for hyphens is told from both it and the unknown ones', () => {
    const numberOf = (name: string): number => recognise(Buffer.from(name), 0, name.length);
    for (const name of ['x_forwarded_for', 'Content_Length', 'X-Forwarded_Proto', 'SEC_WEBSOCKET-KEY']) {
      assert.equal(KNOWN_NAMES[numberOf(name)], UNDERSCORED_NAME, name);
    }
    for (const name of ['x_custom', 'my_content-length', 'x_forwarded_fo', 'cookie_', 'ho_t']) {
      assert.equal(numberOf(name), 0, name);
    }
  });
  test('characters that differ from a letter or hyphen by the case bit only are not taken for it', () => {
    // 0x0d is no token character, but ^ and ~, @ and ` differ by that bit.
    assert.equal(recognise(Buffer.from('te'), 0, 2), knownNumber('te'));
    assert.equal(recognise(Buffer.from([0x74, 0x45 ^ 0x80]), 0, 2), 0);
    assert.equal(recognise(Buffer.from('content\rlength'), 0, 14), 0);
  });
  test('they fit two words of bits', () => {
    assert(KNOWN_NAMES.length <= 62);
  });
});

describe('arrival in pieces', () => {
  const text = `\r\nPOST /a/b?c HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(5000)}\r\nContent-Length: 3\r\n\r\nabc`;
  test('every byte is looked at once, and the bytes may move', () => {
    const bytes = Buffer.from(text);
    const head = new RequestHead();
    for (let end = 1; end < bytes.length - 3; end++) {
      const offset = end % 3;
      const copy = Buffer.concat([Buffer.alloc(offset), bytes.subarray(0, end)]);
      assert.equal(scanRequestHead(copy, offset, copy.length, DEFAULT_HEAD_LIMITS, head), 'incomplete');
      assert.equal(head.position, end);
    }
    assert.equal(scanRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, head), 'complete');
    assert.equal(head.byteLength, bytes.length - 3);
    assert.deepEqual([head.path, head.query, head.contentLength], ['/a/b', 'c', 3]);
  });
  test('a head serves again after a complete or invalid message', () => {
    const head = new ResponseHead();
    for (const [line, status] of [
      ['HTTP/1.1 200 OK\r\nConnection: close\r\nX: y', 'complete'],
      ['HTTP/1.1 20 OK', 'invalid'],
      ['HTTP/1.1 404 No', 'complete'],
    ] as const) {
      const bytes = Buffer.from(`${line}\r\n\r\n`);
      assert.equal(scanResponseHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, head), status);
    }
    assert.deepEqual([head.status, head.fieldCount, head.connectionClose, head.error], [404, 0, false, null]);
  });
});

describe('limits', () => {
  const exact = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  test('head size', () => {
    assert.equal(errorOf(exact, { maxHeadBytes: exact.length }), null);
    assert.deepEqual(errorOf(exact, { maxHeadBytes: exact.length - 1 }), ['HEAD_TOO_LARGE', 431]);
    assert.deepEqual(errorOf('GET / HTTP/1.1\r\nHost', { maxHeadBytes: 20 }), ['HEAD_TOO_LARGE', 431]);
  });
  test('number of fields', () => {
    assert.equal(errorOf(exact, { maxFields: 1 }), null);
    assert.deepEqual(errorOf(exact, { maxFields: 0 }), ['TOO_MANY_FIELDS', 431]);
  });
  test('request target', () => {
    assert.equal(errorOf('GET /abc HTTP/1.1\r\nHost: a\r\n\r\n', { maxTargetBytes: 4 }), null);
    assert.deepEqual(errorOf('GET /abcd HTTP/1.1\r\nHost: a\r\n\r\n', { maxTargetBytes: 4 }), [
      'TARGET_TOO_LONG',
      414,
    ]);
    assert.deepEqual(errorOf('GET /a?cd', { maxTargetBytes: 4 }), ['TARGET_TOO_LONG', 414]);
  });
});

describe('requests', () => {
  test('an expectation is read in HTTP/1.1 only', () => {
    assert.equal(scan('GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n').expectsContinue, true);
    assert.equal(scan('GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n').expectsContinue, false);
    assert.equal(scan('GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n').expectsContinue, false);
  });
  test('an empty query is not lost', () => {
    const head = scan('GET /a? HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.deepEqual([head.path, head.query, head.hasQuery, head.target], ['/a', '', true, '/a?']);
  });
  test('no error carries a byte of the message', () => {
    const head = scan('GET / HTTP/1.1\r\nHost: a\r\nCookie: s3cret\0\r\n\r\n');
    assert.equal(head.error?.code, 'FIELD_VALUE');
    assert(!JSON.stringify(head.error).includes('s3cret'));
    assert.equal(head.text, '');
  });
});
