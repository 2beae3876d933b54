import assert from 'node:assert/strict';
import test from 'node:test';
import { request } from '../../test/support/requests.ts';
import { checkWebSocketRequest, wsAcceptKey } from './handshake.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const GOOD = {
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': KEY,
};

test('the accept key of RFC 6455', () => {
  assert.equal(wsAcceptKey(KEY), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

test('says what is wrong with a handshake', () => {
  const check = (changes: Record<string, string>, method = 'GET') =>
    checkWebSocketRequest(request('/', { method, headers: { ...GOOD, ...changes } }));
  assert.equal(check({}), null);
  assert.match(check({}, 'POST')!, /found method POST, expected GET/);
  assert.match(check({ 'Sec-WebSocket-Version': '8' })!, /found Sec-WebSocket-Version 8, expected 13/);
  for (const key of ['', 'abc', 'dGhlIHNhbXBsZSBub25jZQ', `${KEY}AA`, '!!!!!!!!!!!!!!!!!!!!!!==']) {
    assert.match(check({ 'Sec-WebSocket-Key': key })!, /16 bytes in base64/, key);
  }
  assert.match(
    checkWebSocketRequest(request('/', { headers: { 'Sec-WebSocket-Version': '13' } }))!,
    /one Sec-WebSocket-Key/,
  );
});
