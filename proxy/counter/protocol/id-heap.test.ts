import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IdHeap } from './id-heap.ts';

test('the least number comes first, however they were added', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(50))), (steps) => {
      const heap = new IdHeap();
      const model: number[] = [];
      for (const step of steps) {
        if (step !== null) {
          heap.add(step);
          model.push(step);
        } else {
          heap.removeLeast();
          model.shift();
        }
        model.sort((a, b) => a - b);
        assert.equal(heap.least, model[0] ?? Number.POSITIVE_INFINITY);
      }
    }),
  );
});
