import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { ManualClock } from './manual-clock.ts';

const PATIENCE_MS = 20_000;

/** Waits for what other parties bring about. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!condition()) {
    assert.ok(performance.now() < endMs, `did not happen: ${what}`);
    await delay(1);
  }
}

/**
 * Lets a manual clock run until something has happened.
 *
 * @returns how far it ran, in milliseconds
 */
export async function runUntil(clock: ManualClock, condition: () => boolean, what: string): Promise<number> {
  const startMs = clock.now();
  await eventually(() => {
    if (condition()) return true;
    clock.advance(25);
    return false;
  }, what);
  return clock.now() - startMs;
}
