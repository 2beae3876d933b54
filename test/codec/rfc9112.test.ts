import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { responseFraming } from '../../proxy/http/codec/framing.ts';
import { DEFAULT_HEAD_LIMITS, RequestHead, ResponseHead } from '../../proxy/http/codec/head.ts';
import { hostOf, portOf } from '../../proxy/http/codec/host.ts';
import { scanRequestHead, scanResponseHead } from '../../proxy/http/codec/scan.ts';
import { parseWithCodec } from './codec-stream.ts';

/** The messages that RFC 9112 shows or describes, by section, in our own words and data. */

function request(...lines: string[]): RequestHead {
  const head = new RequestHead();
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  scanRequestHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, head);
  return head;
}

function response(...lines: string[]): ResponseHead {
  const head = new ResponseHead();
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  scanResponseHead(bytes, 0, bytes.length, DEFAULT_HEAD_LIMITS, head);
  return head;
}

function errorOf(...lines: string[]): string | undefined {
  return request(...lines).error?.code;
}

describe('§2 Message', () => {
  test('2.1 a request with fields and none of a body', () => {
    const head = request(
      'GET /hello.txt HTTP/1.1',
      'User-Agent: curl/7.64.1',
      'Host: www.example.com',
      'Accept-Language: en, mi',
    );
    assert.equal(head.error, null);
    assert.deepEqual(
      [head.method, head.path, head.minorVersion, head.framing],
      ['GET', '/hello.txt', 1, 'none'],
    );
    assert.deepEqual(
      [...head.entries()],
      [
        ['User-Agent', 'curl/7.64.1'],
        ['Host', 'www.example.com'],
        ['Accept-Language', 'en, mi'],
      ],
    );
  });

  test('2.1 a response with a body of a given length', () => {
    const body = 'Hello World! My content includes a trailing CRLF.\r\n';
    const { messages } = parseWithCodec(
      'response',
      Buffer.from(
        `HTTP/1.1 200 OK\r\nDate: Mon, 27 Jul 2009 12:28:53 GMT\r\nServer: Apache\r\nETag: "34aa387-d-1568eb00"\r\nAccept-Ranges: bytes\r\nContent-Length: ${body.length}\r\nVary: Accept-Encoding\r\nContent-Type: text/plain\r\n\r\n${body}`,
      ),
      'GET',
    );
    assert.equal(messages.length, 1);
    assert.deepEqual([messages[0]!.start, messages[0]!.target, messages[0]!.body], ['200', 'OK', body]);
  });

  test('2.2 an empty line before the request line is skipped, once', () => {
    assert.equal(errorOf('', 'GET / HTTP/1.1', 'Host: a'), undefined);
    assert.equal(errorOf('', '', 'GET / HTTP/1.1', 'Host: a'), 'LEADING_EMPTY_LINES');
  });
  test('2.2 white space between start line and first field is refused', () => {
    assert.equal(errorOf('GET / HTTP/1.1', ' Host: a'), 'LINE_FOLDING');
  });
  test('2.2 a lone CR is refused within any element', () => {
    assert.equal(errorOf('GET / HTTP/1.1', 'Host: a\rb'), 'BARE_CR');
    assert.equal(errorOf('GET /\r HTTP/1.1', 'Host: a'), 'REQUEST_LINE');
  });
  test('2.2 text is octets: what is not ASCII is neither decoded nor lost', () => {
    assert.equal(request('GET / HTTP/1.1', 'Host: a', 'X: \xc3\xa4').get('x'), '\xc3\xa4');
  });
  test('2.3 the version is case-sensitive, digits are single', () => {
    assert.equal(errorOf('GET / http/1.1', 'Host: a'), 'VERSION');
    assert.equal(errorOf('GET / HTTP/1.01', 'Host: a'), 'VERSION');
    assert.equal(errorOf('GET / HTTP/2.0', 'Host: a'), 'VERSION_UNSUPPORTED');
  });
});

describe('§3 Request line', () => {
  test('3.1 the method is case-sensitive', () => {
    assert.equal(errorOf('get / HTTP/1.1', 'Host: a'), 'METHOD_UNKNOWN');
  });
  test('3.2 white space in the target is refused, not repaired', () => {
    assert.equal(errorOf('GET /a b HTTP/1.1', 'Host: a'), 'VERSION');
  });
  test('3.2 Host: absent, repeated or invalid', () => {
    assert.equal(errorOf('GET / HTTP/1.1'), 'HOST_MISSING');
    assert.equal(errorOf('GET / HTTP/1.1', 'Host: a', 'Host: b'), 'HOST_REPEATED');
    assert.equal(errorOf('GET / HTTP/1.1', 'Host: a b'), 'HOST');
    assert.equal(errorOf('GET / HTTP/1.0'), undefined);
  });
  test('3.2.1 origin form', () => {
    const head = request('GET /where?q=now HTTP/1.1', 'Host: www.example.org');
    assert.deepEqual(
      [head.form, head.path, head.query, head.authority],
      ['origin', '/where', 'q=now', 'www.example.org'],
    );
  });
  test('3.2.2 absolute form; its authority replaces Host', () => {
    const head = request(
      'GET http://www.example.org/pub/WWW/TheProject.html HTTP/1.1',
      'Host: other.example',
    );
    assert.deepEqual(
      [head.form, head.scheme, head.authority, head.path, head.originTarget],
      ['absolute', 'http', 'www.example.org', '/pub/WWW/TheProject.html', '/pub/WWW/TheProject.html'],
    );
    assert.equal(request('GET HTTPS://a HTTP/1.1', 'Host: a').originTarget, '/');
    assert.equal(request('GET http://a?q HTTP/1.1', 'Host: a').originTarget, '/?q');
  });
  test('3.2.3 authority form is for CONNECT, and CONNECT for it', () => {
    const head = request('CONNECT www.example.com:80 HTTP/1.1', 'Host: www.example.com');
    assert.deepEqual([head.form, head.authority, head.path], ['authority', 'www.example.com:80', '']);
    assert.equal(errorOf('GET www.example.com:80 HTTP/1.1', 'Host: a'), 'TARGET_FORM');
    assert.equal(errorOf('CONNECT / HTTP/1.1', 'Host: a'), 'TARGET_FORM');
  });
  test('3.2.4 asterisk form is for OPTIONS, and what an absolute form without path becomes', () => {
    assert.equal(request('OPTIONS * HTTP/1.1', 'Host: a').form, 'asterisk');
    assert.equal(errorOf('GET * HTTP/1.1', 'Host: a'), 'TARGET_FORM');
    const head = request('OPTIONS http://www.example.org:8001 HTTP/1.1', 'Host: a');
    assert.deepEqual([head.originTarget, head.authority], ['*', 'www.example.org:8001']);
    assert.equal(request('OPTIONS http://a/ HTTP/1.1', 'Host: a').originTarget, '/');
  });
  test('3.3 the authority names host and port', () => {
    assert.equal(hostOf('www.EXAMPLE.org:8080'), 'www.example.org');
    assert.equal(portOf('www.example.org:8080'), 8080);
    assert.equal(portOf('[::1]'), undefined);
  });
  test('3 limits: 414 for the target, 501 for the method', () => {
    const target = errorTo(`GET /${'a'.repeat(DEFAULT_HEAD_LIMITS.maxTargetBytes)} HTTP/1.1`);
    assert.deepEqual(target, ['TARGET_TOO_LONG', 414]);
    assert.deepEqual(errorTo(`${'A'.repeat(100)} / HTTP/1.1`), ['METHOD_UNKNOWN', 501]);
  });
  function errorTo(line: string): unknown[] {
    const { error } = request(line, 'Host: a');
    return [error?.code, error?.status];
  }
});

describe('§4 Status line', () => {
  test('version, code and reason', () => {
    const head = response('HTTP/1.1 404 Not Found at all');
    assert.deepEqual([head.status, head.reason], [404, 'Not Found at all']);
  });
  test('the reason may be empty, its space absent', () => {
    assert.deepEqual([response('HTTP/1.1 200 ').status, response('HTTP/1.1 200 ').reason], [200, '']);
    assert.deepEqual([response('HTTP/1.1 200').status, response('HTTP/1.1 200').reason], [200, '']);
  });
  test('malformed', () => {
    for (const [line, code] of [
      ['HTTP/1.1 99 x', 'STATUS_CODE'],
      ['HTTP/1.1 099 x', 'STATUS_CODE'],
      ['HTTP/1.1 2000 x', 'STATUS_CODE'],
      ['HTTP/1.1 20x x', 'STATUS_CODE'],
      ['HTTP/1.1  200 x', 'STATUS_CODE'],
      ['HTTP/1.1 200\tx', 'STATUS_CODE'],
      ['HTTP/1.1 200 a\x00b', 'REASON_PHRASE'],
      ['HTTP/1.1 200 a\rb', 'BARE_CR'],
      ['HTTP/1.1 200 a\nb', 'BARE_LF'],
      ['HTTP/2.0 200 x', 'VERSION_UNSUPPORTED'],
      ['HTTP/1.1200 x', 'STATUS_LINE'],
      ['ICY 200 x', 'STATUS_LINE'],
      ['\r\nHTTP/1.1 200 x', 'STATUS_LINE'],
    ] as const) {
      assert.equal(response(line).error?.code, code, JSON.stringify(line));
    }
  });
});

describe('§5 Field syntax', () => {
  test('5 white space around a value is not part of it', () => {
    const head = request('GET / HTTP/1.1', 'Host: a', 'X:b', 'Y:   b  c \t ', 'Z:', 'Z2: ');
    assert.deepEqual([head.get('x'), head.get('y'), head.get('z'), head.get('z2')], ['b', 'b  c', '', '']);
  });
  test('5.1 white space before the colon is refused', () => {
    assert.equal(errorOf('GET / HTTP/1.1', 'Host: a', 'X : b'), 'SPACE_BEFORE_COLON');
  });
  test('5.2 line folding is refused', () => {
    assert.equal(errorOf('GET / HTTP/1.1', 'Host: a', 'X: b', ' c'), 'LINE_FOLDING');
    assert.equal(response('HTTP/1.1 200 OK', 'X: b', '\tc').error?.code, 'LINE_FOLDING');
  });
  test('field lines of one name are one list, in order (RFC 9110 §5.3)', () => {
    const head = request('GET / HTTP/1.1', 'Host: a', 'X: 1', 'Cookie: a=b', 'x: 2', 'X:', 'Cookie: c=d');
    assert.equal(head.get('x'), '1, 2, ');
    assert.equal(head.get('cookie'), 'a=b; c=d');
    assert.deepEqual(head.values('x'), ['1', '2', '']);
  });
});

describe('§6 Message body', () => {
  const framingOf = (method: string, ...lines: string[]) => {
    const head = response(...lines);
    return head.error?.code ?? responseFraming(head, method);
  };

  test('6.3 in the order of the rules', () => {
    // 1: HEAD, 1xx, 204, 304
    assert.equal(framingOf('HEAD', 'HTTP/1.1 200 OK', 'Content-Length: 5'), 'none');
    assert.equal(framingOf('HEAD', 'HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'), 'none');
    assert.equal(framingOf('HEAD', 'HTTP/1.1 200 OK'), 'none');
    assert.equal(framingOf('GET', 'HTTP/1.1 103 Early Hints'), 'none');
    assert.equal(framingOf('GET', 'HTTP/1.1 204 No Content'), 'none');
    assert.equal(framingOf('GET', 'HTTP/1.1 304 Not Modified', 'Content-Length: 5'), 'none');
    // 2: CONNECT
    assert.equal(framingOf('CONNECT', 'HTTP/1.1 200 OK', 'Content-Length: 5'), 'tunnel');
    assert.equal(framingOf('CONNECT', 'HTTP/1.1 299 OK'), 'tunnel');
    assert.equal(framingOf('CONNECT', 'HTTP/1.1 407 No', 'Content-Length: 5'), 'length');
    // 3: both
    assert.equal(
      framingOf('GET', 'HTTP/1.1 200 OK', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
      'LENGTH_AND_ENCODING',
    );
    // 4: chunked, or what we do not take
    assert.equal(framingOf('GET', 'HTTP/1.1 200 OK', 'Transfer-Encoding: chunked'), 'chunked');
    assert.equal(framingOf('GET', 'HTTP/1.1 200 OK', 'Transfer-Encoding: gzip'), 'TRANSFER_ENCODING');
    assert.equal(
      framingOf('GET', 'HTTP/1.0 200 OK', 'Transfer-Encoding: chunked'),
      'TRANSFER_ENCODING_VERSION',
    );
    // 5: invalid length
    assert.equal(framingOf('GET', 'HTTP/1.1 200 OK', 'Content-Length: 5, 5'), 'CONTENT_LENGTH');
    assert.equal(
      framingOf('GET', 'HTTP/1.1 200 OK', 'Content-Length: 5', 'Content-Length: 5'),
      'CONTENT_LENGTH_REPEATED',
    );
    // 6: length
    assert.equal(framingOf('GET', 'HTTP/1.1 200 OK', 'Content-Length: 5'), 'length');
    assert.equal(framingOf('GET', 'HTTP/1.1 200 OK', 'Content-Length: 0'), 'none');
    // 8: until the connection ends
    assert.equal(framingOf('GET', 'HTTP/1.1 200 OK'), 'untilClose');
    assert.equal(framingOf('GET', 'HTTP/1.0 200 OK', 'Connection: close'), 'untilClose');
  });
  test('6.3 a request without either field has no body', () => {
    assert.equal(request('POST / HTTP/1.1', 'Host: a').framing, 'none');
  });
  test('6.3 a response that needs a connection upgrade', () => {
    assert.equal(
      framingOf('GET', 'HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'),
      'tunnel',
    );
    assert.equal(framingOf('GET', 'HTTP/1.1 101 Switching Protocols'), 'UPGRADE');
    assert.equal(framingOf('GET', 'HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket'), 'UPGRADE');
  });
  test('a 204 that announces a body ends its connection', () => {
    const head = response('HTTP/1.1 204 No Content', 'Transfer-Encoding: chunked');
    assert.equal(responseFraming(head, 'GET'), 'none');
    assert.equal(head.persistent, false);
  });
});

describe('§7 Transfer codings', () => {
  test('7.1 chunks, an extension, trailers', () => {
    const { messages, error } = parseWithCodec(
      'response',
      Buffer.from(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Expires\r\n\r\n7\r\nMozilla\r\n11;name="va lue"\r\nDeveloper Network\r\n0\r\nExpires: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n',
      ),
      'GET',
    );
    assert.equal(error, null);
    assert.equal(messages[0]!.body, 'MozillaDeveloper Network');
    assert.deepEqual(messages[0]!.trailers, ['Expires', 'Wed, 21 Oct 2015 07:28:00 GMT']);
  });
  test('7 coding names are case-insensitive', () => {
    assert.equal(request('POST / HTTP/1.1', 'Host: a', 'Transfer-Encoding: Chunked').framing, 'chunked');
  });
});

describe('§8 Incomplete messages', () => {
  const complete = (text: string) =>
    parseWithCodec('response', Buffer.from(text), 'GET').messages[0]?.complete;
  test('a body that ends early is not complete, one that ends with the connection is', () => {
    assert.equal(complete('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc'), false);
    assert.equal(complete('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n'), false);
    assert.equal(complete('HTTP/1.1 200 OK\r\n\r\nabc'), true);
    assert.equal(complete('HTTP/1.1 200 OK\r\nContent-Le'), undefined);
  });
});

describe('§9 Connection management', () => {
  const persistent = (version: string, ...lines: string[]) =>
    request(`GET / ${version}`, 'Host: a', ...lines).persistent;
  test('9.3 persistence', () => {
    assert.equal(persistent('HTTP/1.1'), true);
    assert.equal(persistent('HTTP/1.1', 'Connection: close'), false);
    assert.equal(persistent('HTTP/1.1', 'Connection: keep-alive, Close'), false);
    assert.equal(persistent('HTTP/1.0'), false);
    assert.equal(persistent('HTTP/1.0', 'Connection: Keep-Alive'), true);
    assert.equal(persistent('HTTP/1.0', 'Connection: Keep-Alive, close'), false);
  });
  test('9.3.2 pipelined requests are read in order', () => {
    const { messages } = parseWithCodec(
      'request',
      Buffer.from(
        'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nabGET /3 HTTP/1.1\r\nHost: a\r\n\r\n',
      ),
      'GET',
    );
    assert.deepEqual(
      messages.map(({ target }) => target),
      ['/1', '/2', '/3'],
    );
  });
  test('an upgrade needs the option, the field and HTTP/1.1 (RFC 9110 §7.8)', () => {
    const upgrade = (version: string, ...lines: string[]) =>
      request(`GET / ${version}`, 'Host: a', ...lines).upgrade;
    assert.equal(upgrade('HTTP/1.1', 'Connection: keep-alive, Upgrade', 'Upgrade: websocket'), 'websocket');
    assert.equal(upgrade('HTTP/1.1', 'Upgrade: websocket'), undefined);
    assert.equal(upgrade('HTTP/1.1', 'Connection: Upgrade'), undefined);
    assert.equal(upgrade('HTTP/1.0', 'Connection: Upgrade', 'Upgrade: websocket'), undefined);
  });
});
