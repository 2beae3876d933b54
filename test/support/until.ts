import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 25;

/**
 * Awaits a condition that only asking can tell. Resolves with the first value that is neither `false` nor nullish;
 * fails, with the name of what was awaited, when there is none in time.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 20_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const value = await condition();
    if (value !== false && value !== null && value !== undefined) return value;
    await delay(POLL_MS);
  }
  throw new Error(`not within ${timeoutMs} ms: ${what}`);
}
