import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHostPort, parseHostPort } from './host-port.ts';

test('host and port are read, IPv6 in brackets', () => {
  assert.deepEqual(parseHostPort('127.0.0.1:9901'), { host: '127.0.0.1', port: 9901 });
  assert.deepEqual(parseHostPort('[::1]:0'), { host: '::1', port: 0 });
  assert.deepEqual(parseHostPort('localhost:80'), { host: 'localhost', port: 80 });
  assert.equal(formatHostPort('::1', 80), '[::1]:80');
});

test('anything else is refused', () => {
  for (const text of ['', '9901', 'host', 'host:', ':80', '::1:80', 'h:65536', 'h:1x', '[h]:1', 'a:b:1']) {
    assert.equal(parseHostPort(text), null, text);
  }
});
