import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MUTATIONS, withMutation } from './mutations.ts';
import { REGRESSIONS } from './regressions.ts';
import { firstFailure, type RunResult, run } from './run.ts';

/** More, for a night: `node test/simulation/simulate.ts --seeds 100000`. */
const SEEDS = 100;
/** Rules whose breach takes more seeds to show are left to `node test/simulation/mutate.ts`. */
const MOST_SEEDS_OF_A_MUTATION = 50;

function replay({ seed, scenario, failure }: RunResult): string {
  return `${failure}\nreplay: node test/simulation/simulate.ts --seeds 1 --from ${seed} --scenario ${scenario} --trace`;
}

test('limits hold and all slots come back, whatever fails', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = run({ seed });
    assert.equal(
      result.failure,
      null,
      `${result.failure}\nreplay: node test/simulation/simulate.ts --from ${seed} --seeds 1 --trace`,
    );
    assert.ok(result.recoveredMs <= result.recoveryBoundMs);
  }
});

test('seeds that once failed', () => {
  for (const { seed, scenario } of REGRESSIONS) {
    const result = run({ seed, scenario });
    assert.equal(result.failure, null, replay(result));
  }
});

test('a seed gives the same run again', () => {
  const lines: string[][] = [[], []];
  for (const trace of lines) run({ seed: 3, scenario: 'everything-fast', trace: (line) => trace.push(line) });
  assert.ok(lines[0]!.length > 1000);
  assert.deepEqual(lines[0], lines[1]);
});

for (const mutation of MUTATIONS) {
  const { name, rule, scenario, within, settings } = mutation;
  if (within > MOST_SEEDS_OF_A_MUTATION) continue;
  test(`${name} is noticed: ${rule}`, () => {
    const believed = settings === undefined ? {} : { believed: settings };
    const found = withMutation(mutation, () => firstFailure(1, within, { scenario, ...believed }));
    assert.ok(found !== null, `not noticed in ${within} seeds of ${scenario}`);
  });
}
