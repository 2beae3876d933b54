/**
 * `node test/simulation/simulate.ts --seeds N --from S [--scenario NAME] [--trace]`: runs seeds of the counter's
 * protocol. Ends with 1 when a seed failed, having printed how to replay it.
 */
import { parseArgs } from 'node:util';
import { type RunResult, run } from './run.ts';
import { SCENARIOS, type Scenario } from './scenario.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    scenario: { type: 'string' },
    trace: { type: 'boolean', default: false },
    'max-failures': { type: 'string', default: '5' },
  },
});
const seeds = Number(values.seeds);
const from = Number(values.from);
const scenario = values.scenario as Scenario | undefined;
if (
  !Number.isInteger(seeds) ||
  !Number.isInteger(from) ||
  (scenario !== undefined && !SCENARIOS.includes(scenario))
) {
  console.error(`expected --seeds N --from S with integers, and a --scenario of ${SCENARIOS.join(', ')}`);
  process.exit(2);
}

const startedMs = performance.now();
const totals = { virtualMs: 0, events: 0, admitted: 0, rejected: 0, unavailable: 0, closedByGateway: 0 };
const perScenario = new Map<string, { runs: number; recoveredMs: number }>();
let failures = 0;
let done = 0;
for (let seed = from; seed < from + seeds && failures < Number(values['max-failures']); seed++) {
  const options = { seed, ...(scenario === undefined ? {} : { scenario }) };
  const result = run(values.trace ? { ...options, trace: (line) => console.log(line) } : options);
  done++;
  count(result);
  if (result.failure === null) continue;
  failures++;
  console.log(`seed ${seed} (${result.scenario}) FAILED ${result.failure}`);
  const only = scenario === undefined ? '' : ` --scenario ${scenario}`;
  console.log(`  replay: node test/simulation/simulate.ts --seeds 1 --from ${seed}${only} --trace`);
}
const seconds = (performance.now() - startedMs) / 1000;
console.log(
  `${done} seeds in ${seconds.toFixed(1)} s (${(done / seconds).toFixed(1)} a second), ` +
    `${(totals.virtualMs / 3_600_000).toFixed(1)} virtual hours, ${totals.events} events, ${failures} failed`,
);
console.log(
  `admitted ${totals.admitted}, rejected ${totals.rejected}, unavailable ${totals.unavailable}, ` +
    `closed by the gateway ${totals.closedByGateway}`,
);
for (const [name, { runs, recoveredMs }] of perScenario) {
  console.log(`  ${name}: ${runs} runs, slowest recovery ${(recoveredMs / 1000).toFixed(1)} s`);
}
process.exitCode = failures > 0 ? 1 : 0;

function count(result: RunResult): void {
  for (const name of Object.keys(totals) as (keyof typeof totals)[]) totals[name] += result[name];
  const entry = perScenario.get(result.scenario) ?? { runs: 0, recoveredMs: 0 };
  entry.runs++;
  entry.recoveredMs = Math.max(entry.recoveredMs, result.recoveredMs);
  perScenario.set(result.scenario, entry);
}
