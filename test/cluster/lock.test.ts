import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { withLock } from './lock.ts';

test('one works at a time, the others wait and are told so once', async () => {
  const name = `test-${randomUUID()}`;
  let working = 0;
  let most = 0;
  let waited = 0;
  const turn = async (): Promise<void> => {
    working++;
    most = Math.max(most, working);
    await new Promise((resolve) => setImmediate(resolve));
    working--;
  };
  await Promise.all(Array.from({ length: 10 }, () => withLock(name, turn, () => waited++)));
  assert.deepEqual({ working, most, waited }, { working: 0, most: 1, waited: 9 });
});

test('work that fails lets go', async () => {
  const name = `test-${randomUUID()}`;
  await assert.rejects(
    withLock(name, () => Promise.reject(new Error('broken'))),
    /^Error: broken$/,
  );
  assert.equal(await withLock(name, async () => 'done'), 'done');
});
