/**
 * `npm test`: checks (types, format, lint, generated files), then every test, in layers from the quickest to the
 * slowest. `npm test -- LAYER…` runs only those layers; `npm test -- path/to/file.test.ts` only those files.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname } from 'node:path';

const root = dirname(import.meta.dirname);
const node = process.execPath;

/** Each layer is one run of the test runner; those with servers and browsers run a file at a time. */
const LAYERS: Readonly<
  Record<
    string,
    {
      readonly files: readonly string[];
      readonly concurrency: number;
      /** Ends what hangs. */
      readonly timeoutMs: number;
      /** Runs only when it is asked for by name. */
      readonly onRequest?: true;
    }
  >
> = {
  unit: {
    files: [
      '{bin,cli,kubernetes,operator,proxy,scripts,examples}/**/*.test.ts',
      'test/codec/**/*.test.ts',
      'test/golden/**/*.test.ts',
      'test/simulation/**/*.test.ts',
    ],
    concurrency: 2,
    timeoutMs: 300_000,
  },
  feature: {
    files: ['test/feature/**/*.test.ts', 'test/support/**/*.test.ts'],
    concurrency: 2,
    timeoutMs: 300_000,
  },
  interop: { files: ['test/interop/**/*.test.ts'], concurrency: 1, timeoutMs: 600_000 },
  chart: { files: ['test/chart/**/*.test.ts'], concurrency: 2, timeoutMs: 300_000 },
  docs: { files: ['test/docs/**/*.test.ts'], concurrency: 1, timeoutMs: 600_000 },
  cluster: {
    files: ['test/cluster/{chart,cluster,contract,infrastructure,lock,tar}.test.ts'],
    concurrency: 1,
    timeoutMs: 600_000,
  },
  /** What takes long, or takes parts of a cluster away for minutes. */
  outages: {
    files: ['test/cluster/{documentation,e2e-*}.test.ts'],
    concurrency: 1,
    timeoutMs: 1_200_000,
    onRequest: true,
  },
};

const CHECKS: readonly (readonly [string, ...string[]])[] = [
  ['tsc', '--noEmit'],
  ['biome', 'ci', '--diagnostic-level=error'],
  [node, 'scripts/generate.ts', '--check'],
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => name !== 'check' && !(name in LAYERS) && !name.endsWith('.test.ts'));
if (unknown.length > 0) {
  console.error(
    `found ${unknown.join(', ')}, expected ${['check', ...Object.keys(LAYERS)].join(', ')} or test files`,
  );
  process.exit(2);
}

const failed: string[] = [];
if (wanted.length === 0 || wanted.includes('check')) {
  for (const [command, ...args] of CHECKS)
    run([command, ...args].join(' ').replace(node, 'node'), command, args);
}
const files = wanted.filter((name) => name.endsWith('.test.ts'));
if (files.length > 0) runTests('files', files, 1, 600_000);
for (const [layer, { files: patterns, concurrency, timeoutMs, onRequest }] of Object.entries(LAYERS)) {
  if (wanted.length > 0 ? !wanted.includes(layer) : onRequest) continue;
  const found = globSync([...patterns], { cwd: root, exclude: ['**/node_modules/**'] }).sort();
  if (found.length > 0) runTests(layer, found, concurrency, timeoutMs);
}
if (failed.length > 0) {
  console.error(`\nfailed: ${failed.join(', ')}`);
  process.exit(1);
}

function runTests(layer: string, found: readonly string[], concurrency: number, timeoutMs: number): void {
  const reporter = process.env.CI === 'true' ? 'spec' : 'dot';
  run(`${layer} tests (${found.length} files)`, node, [
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-reporter=${reporter}`,
    `--test-timeout=${timeoutMs}`,
    ...found,
  ]);
}

function run(title: string, command: string, args: readonly string[]): void {
  const started = performance.now();
  console.log(`\n== ${title}`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  console.log(
    `== ${title}: ${status === 0 ? 'ok' : 'FAILED'}, ${((performance.now() - started) / 1000).toFixed(1)} s`,
  );
  if (status !== 0) failed.push(title);
}
