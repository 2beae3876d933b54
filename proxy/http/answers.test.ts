import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  answerFor,
  answerWith,
  emptyAnswer,
  http1Answer,
  http1Refusal,
  refusedByFirewall,
} from './answers.ts';

test('an answer is JSON with a length, and complete in itself', () => {
  const text = http1Answer(answerFor('no_route'), false, '');
  const [head, body] = text.split('\r\n\r\n') as [string, string];
  assert.match(head, /^HTTP\/1\.1 404 Not Found\r\n/);
  assert.match(head, new RegExp(`\r\nContent-Length: ${body.length}(\r\n|$)`));
  assert.match(head, /\r\nDate: [A-Z][a-z]{2}, \d\d /);
  assert.deepEqual(JSON.parse(body), {
    error: { code: 'no_route', message: 'No route matches this request.' },
  });
});

test('the answer to HEAD has the same head and no body', () => {
  const [head] = http1Answer(answerFor('no_route'), false, '').split('\r\n\r\n');
  assert.equal(http1Answer(answerFor('no_route'), true, ''), `${head}\r\n\r\n`);
});

test('204 has no length', () => {
  assert.doesNotMatch(http1Answer(emptyAnswer(204, ''), false, ''), /Content-Length/);
});

test('a refused request that could not be read closes the connection', () => {
  assert.match(http1Refusal('headers_too_large'), /^HTTP\/1\.1 431 .*\r\nConnection: close\r\n\r\n\{/s);
});

test('messages from elsewhere cannot break the framing', () => {
  const answer = answerWith('no_route', '', 'naïve "quote"\r\nX: 1 \u{1f600}');
  assert.match(answer.body, /^[\x20-\x7e]+\n$/);
  assert.equal(http1Answer(answer, false, '').split('\r\n\r\n')[1]!.length, answer.body.length);
});

test('the firewall decides between 429 and 503, and when to come again', () => {
  const tooMany = refusedByFirewall({ status: 429, message: 'm', retryAfterSeconds: 3 });
  assert.equal(tooMany.status, 429);
  assert.match(tooMany.lines, /Retry-After: 3\r\n/);
  assert.equal(refusedByFirewall({ status: 503, message: 'm', retryAfterSeconds: 3 }).status, 503);
});
