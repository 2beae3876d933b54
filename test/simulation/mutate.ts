/** `node test/simulation/mutate.ts [NAME…]`: breaks each rule of the protocol and prints how soon that is noticed. */
import { MUTATIONS, withMutation } from './mutations.ts';
import { firstFailure } from './run.ts';

const wanted = process.argv.slice(2);
let missed = 0;
for (const mutation of MUTATIONS) {
  if (wanted.length > 0 && !wanted.includes(mutation.name)) continue;
  const startedMs = performance.now();
  const { name, within, scenario, settings } = mutation;
  const believed = settings === undefined ? {} : { believed: settings };
  const found = withMutation(mutation, () => firstFailure(1, within, { scenario, ...believed }));
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (found === null) missed++;
  const what =
    found === null ? `MISSED in ${within} seeds` : `seed ${found.seed}: ${found.failure?.split('\n')[0]}`;
  console.log(`${name.padEnd(30)} ${scenario.padEnd(16)} ${seconds.padStart(6)} s  ${what}`);
}
process.exitCode = missed > 0 ? 1 : 0;
