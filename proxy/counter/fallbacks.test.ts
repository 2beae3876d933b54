import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Demand, Fallback } from './counter.ts';
import { Fallbacks } from './fallbacks.ts';

function demand(key: string, fallback?: Fallback, enforce = true): Demand {
  return { key, maxCount: 4, enforce, ...(fallback === undefined ? {} : { fallback }) };
}

const half = () => new Fallbacks((_key, maxCount) => maxCount / 2);

test('Local admits up to the share, counting what the count itself had admitted', () => {
  const fallbacks = half();
  fallbacks.hold(1, [demand('a', 'Local')]);
  assert.equal(fallbacks.admit(2, [demand('a', 'Local')]), 'Local');
  assert.equal(fallbacks.admit(3, [demand('a', 'Local')]), null);
  fallbacks.release(1);
  assert.equal(fallbacks.admit(4, [demand('a', 'Local')]), 'Local');
  assert.equal(fallbacks.size, 2);
});

test('every enforced demand has a say; one in dry run has none', () => {
  const fallbacks = half();
  assert.equal(fallbacks.admit(1, [demand('a', 'Open'), demand('b')]), null);
  assert.equal(fallbacks.admit(2, [demand('a', 'Open'), demand('b', undefined, false)]), 'Open');
  assert.equal(fallbacks.admit(3, [demand('a', 'Local'), demand('b', 'Open')]), 'Open');
  assert.equal(fallbacks.admit(4, [demand('b', undefined, false)]), null);
});

test('what waits to be counted asks for it whatever the count is, until it is counted or closed', () => {
  const fallbacks = half();
  fallbacks.admit(1, [demand('a', 'Open')]);
  fallbacks.admit(2, [demand('a', 'Open')]);
  fallbacks.admit(3, [demand('a', 'Open')]);
  assert.deepEqual(
    [...fallbacks.waiting(2)],
    [
      [1, [{ key: 'a', maxCount: 4, enforce: false }]],
      [2, [{ key: 'a', maxCount: 4, enforce: false }]],
    ],
  );
  assert(fallbacks.settle(1));
  assert(!fallbacks.settle(1));
  fallbacks.release(2);
  assert.deepEqual(
    [...fallbacks.waiting(9)].map(([connection]) => connection),
    [3],
  );
  assert(fallbacks.isUncounted(3) && !fallbacks.isUncounted(1));
});

test('a key twice in a connection is held once, and given back once', () => {
  const fallbacks = half();
  fallbacks.hold(1, [demand('a', 'Local'), demand('a', 'Local')]);
  fallbacks.hold(1, [demand('a', 'Local')]);
  assert.equal(fallbacks.admit(2, [demand('a', 'Local')]), 'Local');
  fallbacks.release(1);
  fallbacks.release(1);
  fallbacks.release(2);
  assert.equal(fallbacks.admit(3, [demand('a', 'Local')]), 'Local');
  assert.equal(fallbacks.admit(4, [demand('a', 'Local')]), 'Local');
  assert.equal(fallbacks.admit(5, [demand('a', 'Local')]), null);
});
