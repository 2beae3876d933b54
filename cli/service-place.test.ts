import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseServicePlace, servicePlaces } from './service-place.ts';

test('a Service and its place are read, with and without a namespace', () => {
  assert.deepEqual(parseServicePlace('chat-backend:9443=127.0.0.1:9443'), {
    service: 'default/chat-backend:9443',
    place: { host: '127.0.0.1', port: 9443 },
  });
  assert.deepEqual(parseServicePlace('shop/chat:80=[::1]:8080'), {
    service: 'shop/chat:80',
    place: { host: '::1', port: 8080 },
  });
  assert.equal(parseServicePlace('chat:080=localhost:3000')?.service, 'default/chat:80');
});

test('anything else is refused', () => {
  for (const text of [
    ...['', 'chat', 'chat:80', 'chat:80=', 'chat=127.0.0.1:80', 'chat:80=127.0.0.1', '=127.0.0.1:80'],
    ...['chat:0=127.0.0.1:80', 'chat:80=127.0.0.1:0', 'chat:65536=127.0.0.1:80', 'a/b/c:80=127.0.0.1:80'],
    ...['Chat:80=127.0.0.1:80', 'chat:80=a host:80', 'chat:80=127.0.0.1:80=x', '/chat:80=127.0.0.1:80'],
  ]) {
    assert.equal(parseServicePlace(text), null, text);
  }
});

test('a Service that is named twice is in two places', () => {
  const all = ['hub:80=127.0.0.1:9001', 'hub:80=127.0.0.1:9002', 'other:80=127.0.0.1:9003'];
  const places = servicePlaces(all.map((text) => parseServicePlace(text)!));
  assert.deepEqual(
    places.get('default/hub:80')?.map(({ port }) => port),
    [9001, 9002],
  );
  assert.equal(places.size, 2);
});
