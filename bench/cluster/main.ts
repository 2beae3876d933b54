/**
 * `npm run bench:cluster`: how quick the operator and the pods are, and what they cost, on the test cluster.
 * `--quick` for a look, `--only NAME` for one part, `--write` to keep the page in bench/CLUSTER.md. Figures are those of
 * a control plane and all pods together on one machine.
 */
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster } from '../../test/cluster/cluster.ts';
import { Installation } from '../../test/cluster/e2e/installation.ts';
import { until } from '../../test/support/until.ts';
import { measureRemovals } from './endpoint-removal.ts';
import { measureLatency } from './latency.ts';
import { resultsPage, type Section } from './results.ts';
import { measureScale } from './scale.ts';
import { measureWrites } from './writes.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
  },
});

const QUIET_TIMEOUT_MS = 300_000;
const PARTS = {
  latency: measureLatency,
  writes: measureWrites,
  removals: measureRemovals,
  scale: measureScale,
};

const unknown = (options.only ?? []).filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`found ${unknown.join(', ')}, expected ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}

await using stack = new AsyncDisposableStack();
const cluster = stack.use(await Cluster.start());
stack.use(await Installation.install(cluster));
const loadBefore = `${loadavg()[0]!.toFixed(1)} on ${cpus().length} cores`;
const sections: Section[] = [];
for (const [name, measure] of Object.entries(PARTS)) {
  if (options.only !== undefined && !options.only.includes(name)) continue;
  await quiet(cluster);
  const section = await measure(cluster, options.quick);
  sections.push(section);
  console.log(`\n## ${section.title}\n${section.table}`);
}
if (options.write) {
  const page = resultsPage(sections, { date: new Date(), processor: cpus()[0]!.model, load: loadBefore });
  writeFileSync(join(import.meta.dirname, '..', 'CLUSTER.md'), page);
}

/** Resolves when nothing of an earlier part is left to be deleted. */
async function quiet(of: Cluster): Promise<void> {
  await until(
    'no namespace is being deleted',
    async () => {
      const phases = await of.kubectl(['get', 'namespaces', '--output=jsonpath={.items[*].status.phase}']);
      return !phases.includes('Terminating');
    },
    QUIET_TIMEOUT_MS,
  );
}
