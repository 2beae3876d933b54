import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILURE_KINDS, failed, statusOf, wwwAuthenticate } from './failure.ts';

test('WWW-Authenticate as RFC 6750 asks: no error code without a token, none with a 503', () => {
  assert.equal(wwwAuthenticate(failed('missing_token').failure), 'Bearer');
  assert.equal(
    wwwAuthenticate(failed('expired').failure),
    'Bearer error="invalid_token", error_description="The token has expired."',
  );
  assert.equal(wwwAuthenticate(failed('keys_unavailable').failure), null);
});

test('every description may stand in a quoted error_description (RFC 6750 §3)', () => {
  for (const kind of FAILURE_KINDS) {
    assert.match(failed(kind).failure.description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
  }
});

test('the status is 503 when the gateway cannot judge, else 401', () => {
  const unable = FAILURE_KINDS.filter((kind) => statusOf(failed(kind).failure) === 503);
  assert.deepEqual(unable, ['keys_unavailable', 'overloaded']);
});
