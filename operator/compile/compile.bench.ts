/**
 * How compiling grows with the number of routes: `node operator/compile/compile.bench.ts`.
 * CPU time, since the machine may be busy with something else.
 */
import { loadResources } from '../resources/index.ts';
import { compile } from './compile.ts';

/** As many as one gateway may have. */
const ROUTES_PER_GATEWAY = 250;
const ROUTES_PER_POOL = 10;
const RUNS = 5;

for (const routes of [1_250, 2_500, 5_000, 10_000, 20_000]) {
  const { resources } = loadResources(textOf(routes), 'bench.yaml');
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const before = process.cpuUsage();
    const { diagnostics } = compile({ resources, now: 0 });
    const { user, system } = process.cpuUsage(before);
    if (diagnostics.length > 0) throw new Error(`${diagnostics.length} diagnostics`);
    times.push((user + system) / 1000);
  }
  times.sort((left, right) => left - right);
  const median = times[Math.floor(RUNS / 2)] ?? 0;
  console.log(`${routes} routes: ${median.toFixed(0)} ms, ${((median * 1000) / routes).toFixed(1)} µs each`);
}

function textOf(routes: number): string {
  const pools = routes / ROUTES_PER_POOL;
  const documents: string[] = [];
  for (let pool = 0; pool < pools; pool++) {
    documents.push(object('BackendPool', `p${pool}`, '{targets: [{ip: 127.0.0.1, port: 80}]}'));
  }
  for (let gateway = 0; gateway < routes / ROUTES_PER_GATEWAY; gateway++) {
    const list = Array.from({ length: ROUTES_PER_GATEWAY }, (_, route) => {
      const pool = (gateway * ROUTES_PER_GATEWAY + route) % pools;
      const match = `{hosts: [h${route % 50}.example.com], paths: [{value: /p${route}}]}`;
      return `{name: r${route}, match: ${match}, backend: {pool: p${pool}}}`;
    });
    const listener = `{name: web, protocol: HTTP, port: ${1000 + gateway}}`;
    const spec = `{listeners: [${listener}], routes: [${list.join(', ')}]}`;
    documents.push(object('EdgeGateway', `g${gateway}`, spec));
  }
  return documents.join('---\n');
}

function object(kind: string, name: string, spec: string): string {
  return `apiVersion: sluice.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`;
}
