import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.ts';

const DURATION_MS = 5000;

test('reads streams as llhttp does, or refuses them', (t) => {
  const seed = Number(process.env.SLUICE_FUZZ_SEED ?? Date.now() % 1_000_000_000);
  t.diagnostic(`seed ${seed}; repeat with SLUICE_FUZZ_SEED=${seed}`);
  const result = fuzz(seed, 150_000, 1, performance.now() + DURATION_MS);
  t.diagnostic(`${result.iterations} cases, ${result.acceptedMessages} messages accepted`);
  const [failure] = result.failures;
  if (failure !== undefined) {
    assert.fail(`${failure.problem}: ${JSON.stringify(failure.fuzzCase.bytes.toString('latin1'))}`);
  }
  // A generator that makes nothing acceptable, or nothing wrong, would show nothing.
  assert(result.acceptedMessages > result.iterations / 4);
  assert(result.refusals.size > 25);
});
