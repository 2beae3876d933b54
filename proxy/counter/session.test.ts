import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { until } from '../../test/support/until.ts';
import { monotonicMs } from './driver/monotonic-clock.ts';
import { SessionClock, SessionGuard } from './session.ts';

function guarded(marginMs = 0) {
  const clock = new SessionClock();
  const overMs: number[] = [];
  const guard = new SessionGuard({ memory: clock.memory, marginMs }, () => overMs.push(monotonicMs()));
  return { clock, guard, overMs };
}

test('before the first session nothing is admitted', () => {
  const { guard } = guarded();
  assert(!guard.admits(0));
});

test('what was granted in the session that lasts is admitted, and nothing of an earlier epoch', () => {
  const { clock, guard } = guarded();
  clock.setEnd(monotonicMs() + 10_000);
  assert(guard.admits(clock.epoch));
  clock.nextEpoch();
  // Something is lost, and this worker has not been told what.
  assert(!guard.lasts && !guard.admits(clock.epoch) && !guard.admits(clock.epoch - 1));
  guard.know(clock.epoch);
  assert(guard.lasts && guard.admits(clock.epoch) && !guard.admits(clock.epoch - 1));
});

test('the end comes by itself, the margin before, however long ago it was set', async () => {
  const { clock, guard, overMs } = guarded(50);
  overMs.length = 0;
  const endMs = monotonicMs() + 150;
  clock.setEnd(endMs);
  guard.look();
  assert.deepEqual(overMs, []);
  await until('it is over', () => overMs.length > 0);
  assert(overMs[0]! >= endMs - 50);
  assert(!guard.admits(clock.epoch));
});

test('only an end that is nearer than before has to be told', () => {
  const { clock } = guarded();
  const nowMs = monotonicMs();
  assert.equal(clock.setEnd(nowMs + 1_000), false);
  assert.equal(clock.setEnd(nowMs + 2_000), false);
  assert.equal(clock.setEnd(nowMs + 2_000), false);
  assert.equal(clock.setEnd(nowMs + 500), true);
  assert.equal(clock.setEnd(Number.NEGATIVE_INFINITY), true);
});

test('another thread sees the same end, by the same clock, while the first stands still', async () => {
  const clock = new SessionClock();
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    const { SessionGuard } = await import(${JSON.stringify(new URL('./session.ts', import.meta.url).href)});
    const start = process.hrtime();
    const guard = new SessionGuard(workerData, () => {
      if (guard !== undefined) parentPort.postMessage(process.hrtime());
    });
    const looking = setInterval(() => guard.look(), 5);
    parentPort.postMessage('ready');
  `;
  clock.setEnd(monotonicMs() + 60_000);
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: { memory: clock.memory, marginMs: 0 },
  });
  await once(worker, 'message');
  const endMs = monotonicMs() + 100;
  clock.setEnd(endMs);
  // This thread does nothing else meanwhile.
  while (monotonicMs() < endMs + 100);
  const [[seconds, nanoseconds]] = await once(worker, 'message');
  await worker.terminate();
  const overMs = seconds * 1e3 + nanoseconds / 1e6;
  assert(overMs >= endMs && overMs < endMs + 100, `${overMs - endMs} ms after the end`);
});
