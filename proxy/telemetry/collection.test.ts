import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConnectionSummary, oldest, type WorkerReport } from './collection.ts';

test('the oldest connections of all workers are listed, not all of the first worker', () => {
  const report = (...openMs: number[]): WorkerReport => ({
    metrics: [],
    connections: openMs.map((age) => ({ openMs: age }) as ConnectionSummary),
    connectionCount: openMs.length,
  });
  const listed = oldest([report(30, 20, 10), report(40, 25)], 3);
  assert.deepEqual(
    listed.map(({ openMs }) => openMs),
    [40, 30, 25],
  );
});
