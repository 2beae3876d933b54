import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { headerPlan } from './edit.ts';
import { responseFraming } from './framing.ts';
import { DEFAULT_HEAD_LIMITS, RequestHead, ResponseHead } from './head.ts';
import { fieldLine } from './headers.ts';
import { hostOf, portOf } from './host.ts';
import { scanRequestHead, scanResponseHead } from './scan.ts';
import {
  CONNECTION_CLOSE_LINE,
  framingLines,
  originResponseHead,
  upgradeLines,
  writeRequestHead,
  writeResponseHead,
} from './write.ts';

function request(...lines: string[]): RequestHead {
  const head = new RequestHead();
  const bytes = Buffer.from(['GET /a HTTP/1.1', 'Host: a', ...lines, '', ''].join('\r\n'), 'latin1');
  scanRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, head);
  assert.equal(head.error, null);
  return head;
}

/** The lines that the next hop gets, without request line and Host. */
function passed(...lines: string[]): string[] {
  const written = writeRequestHead(request(...lines), '/a', 'a', headerPlan(), '').split('\r\n');
  assert.deepEqual(written.slice(0, 2), ['GET /a HTTP/1.1', 'Host: a']);
  assert.deepEqual(written.slice(-2), ['', '']);
  return written.slice(2, -2);
}

describe('requests', () => {
  test('fields between dropped ones pass as they came in', () => {
    assert.deepEqual(passed('A:  1 ', 'Keep-Alive: 5', 'b:2', 'C: 3', 'Proxy-Connection: x', 'D:'), [
      'A:  1 ',
      'b:2',
      'C: 3',
      'D:',
    ]);
    assert.deepEqual(passed(), []);
  });
  test('hop-by-hop fields end here', () => {
    assert.deepEqual(
      passed(
        'Connection: keep-alive',
        'Keep-Alive: x',
        'Proxy-Connection: x',
        'Proxy-Authorization: x',
        'Proxy-Authenticate: x',
        'TE: gzip',
        'HTTP2-Settings: x',
        'Upgrade: h2c',
      ),
      [],
    );
  });
  test('fields that Connection names end here, but known end-to-end fields stay', () => {
    assert.deepEqual(passed('X-Hop: 1', 'Connection: x-hop, close', 'X-Hop2: 1'), ['X-Hop2: 1']);
    assert.deepEqual(
      passed(
        'Connection: Host, Content-Length, Authorization, X-Forwarded-For, Cookie',
        'Authorization: t',
        'X-Forwarded-For: ::1',
        'Cookie: c',
        'Content-Length: 0',
      ),
      ['Authorization: t', 'X-Forwarded-For: ::1', 'Cookie: c', 'Content-Length: 0'],
    );
  });
  test('framing is written anew', () => {
    assert.deepEqual(passed('content-length:  007'), ['Content-Length: 7']);
    assert.deepEqual(passed('transfer-encoding: CHUNKED', 'X: y'), ['X: y', 'Transfer-Encoding: chunked']);
  });
  test('TE: trailers goes on, nothing else of TE', () => {
    assert.deepEqual(passed('TE: gzip;q=1, Trailers'), ['TE: trailers', 'Connection: TE']);
    assert.deepEqual(passed('TE: trailers'), ['TE: trailers', 'Connection: TE']);
    assert.deepEqual(passed('TE: deflate'), []);
  });
  test('an upgrade is offered when the caller says so', () => {
    const head = request('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: x');
    assert.equal(
      writeRequestHead(head, '/b?c', 'b:1', headerPlan(), '', 'websocket'),
      'GET /b?c HTTP/1.1\r\nHost: b:1\r\nSec-WebSocket-Key: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
  });
  test('edits, replaced fields and further lines', () => {
    const plan = headerPlan(
      [
        { set: [{ name: 'X-A', value: '1' }], add: [{ name: 'X-B', value: '2' }], remove: ['X-C'] },
        { set: [], add: [{ name: 'x-a', value: '3' }], remove: ['x-b'] },
      ],
      ['x-forwarded-for', 'x-mine'],
    );
    const head = request('x-a: 0', 'X-B: 0', 'X-C: 0', 'X-D: 0', 'X-Forwarded-For: 0', 'X-Mine: 0');
    assert.equal(
      writeRequestHead(head, '/', 'a', plan, fieldLine('X-Forwarded-For', '::1')),
      'GET / HTTP/1.1\r\nHost: a\r\nX-D: 0\r\nX-A: 1\r\nx-a: 3\r\nX-Forwarded-For: ::1\r\n\r\n',
    );
  });
});

describe('nothing can split a message', () => {
  test('names, values, targets, hosts', () => {
    for (const value of ['a\rb', 'a\nb', 'a\r\nX: y', 'a\0', '\x7f', 'ä\u0100', '\x1b']) {
      assert.throws(() => fieldLine('X', value), /field value/);
      assert.throws(() => headerPlan([{ set: [{ name: 'X', value }], add: [], remove: [] }]), /field value/);
      assert.throws(() => writeRequestHead(request(), '/', value, headerPlan(), ''), /host/);
      assert.throws(() => upgradeLines(value), /field value/);
    }
    for (const name of ['', 'a b', 'a:', 'a\r\nb', 'ä'])
      assert.throws(() => fieldLine(name, 'x'), /field name/);
    for (const target of ['', '/a b', '/a\r\n', '/ä', '/\0']) {
      assert.throws(() => writeRequestHead(request(), target, 'a', headerPlan(), ''), /target/);
    }
  });
  test('an edit cannot touch Host, framing or hop-by-hop fields', () => {
    for (const name of ['Host', 'Content-Length', 'transfer-encoding', 'Connection', 'Upgrade', 'TE']) {
      assert.throws(() => headerPlan([{ set: [{ name, value: '1' }], add: [], remove: [] }]));
      assert.throws(() => headerPlan([{ set: [], add: [{ name, value: '1' }], remove: [] }]));
      assert.throws(() => headerPlan([{ set: [], add: [], remove: [name] }]));
    }
  });
});

describe('responses', () => {
  function response(...lines: string[]): ResponseHead {
    const head = new ResponseHead();
    const bytes = Buffer.from([...lines, '', ''].join('\r\n'), 'latin1');
    scanResponseHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, head);
    responseFraming(head, 'GET');
    return head;
  }
  test('status line, fields, framing', () => {
    const head = response(
      'HTTP/1.0 404 Not here',
      'Server: x',
      'Connection: keep-alive',
      'Content-Length: 4',
      'Set-Cookie: a',
      'Set-Cookie: b',
    );
    assert.equal(
      writeResponseHead(head, headerPlan(), framingLines(head), CONNECTION_CLOSE_LINE, 'X: y\r\n'),
      'HTTP/1.1 404 Not here\r\nServer: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 4\r\nConnection: close\r\nX: y\r\n\r\n',
    );
  });
  test('a status line without the last space gets it', () => {
    const head = response('HTTP/1.1 200', 'Content-Length: 0');
    assert.match(writeResponseHead(head, headerPlan(), framingLines(head), '', ''), /^HTTP\/1\.1 200 \r\n/);
  });
  test('an upgrade', () => {
    const head = response(
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Accept: x',
    );
    assert.equal(
      writeResponseHead(head, headerPlan(), '', upgradeLines(head.upgrade!), ''),
      'HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
  });
  test('of our own', () => {
    assert.equal(
      originResponseHead(503, fieldLine('Retry-After', '1')),
      'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n',
    );
    assert.throws(() => originResponseHead(99, ''));
  });
});

test('host and port of an authority', () => {
  for (const [authority, host, port] of [
    ['a', 'a', undefined],
    ['A.Example.', 'a.example', undefined],
    ['a:1', 'a', 1],
    ['[::1]:65535', '[::1]', 65_535],
    ['[FE80::1]', '[fe80::1]', undefined],
    ['a:65536', '', undefined],
    ['', '', undefined],
    ['a b', '', undefined],
  ] as const) {
    assert.equal(hostOf(authority), host);
    assert.equal(portOf(authority), port);
  }
});
