/** The benchmark's table: figures of each proxy, and Sluice's ratio to each of the others. */

interface Measure {
  readonly title: string;
  readonly digits: number;
  /** Divides the raw figure for display. */
  readonly unit: number;
}

export const MEASURES = {
  httpPerSecond: { title: 'requests/s, k', digits: 1, unit: 1000 },
  httpP99Ms: { title: 'p99, ms', digits: 2, unit: 1 },
  httpCpuMicroseconds: { title: 'µs of CPU a request', digits: 1, unit: 1 },
  acceptedPerSecond: { title: 'WebSockets accepted/s, k', digits: 2, unit: 1000 },
  acceptCpuMicroseconds: { title: 'µs of CPU a WebSocket', digits: 0, unit: 1 },
  idleBytes: { title: 'KB per idle WebSocket', digits: 1, unit: 1024 },
  messagesPerSecond: { title: 'echo messages/s, k', digits: 1, unit: 1000 },
  messagesP99Ms: { title: 'p99, ms', digits: 2, unit: 1 },
  messageCpuMicroseconds: { title: 'µs of CPU a message', digits: 1, unit: 1 },
} as const satisfies Record<string, Measure>;

export type Figures = Record<keyof typeof MEASURES, number>;

export interface Row {
  readonly name: string;
  readonly figures: Figures;
}

const KEYS = Object.keys(MEASURES) as (keyof typeof MEASURES)[];

export function resultsTable(rows: readonly Row[]): string {
  const subject = rows[0];
  const lines = [
    line(['', ...KEYS.map((key) => MEASURES[key].title)]),
    line(['---', ...KEYS.map(() => '---:')]),
  ];
  for (const { name, figures } of rows) {
    lines.push(
      line([name, ...KEYS.map((key) => (figures[key] / MEASURES[key].unit).toFixed(MEASURES[key].digits))]),
    );
  }
  if (subject !== undefined) {
    for (const { name, figures } of rows.slice(1)) {
      const ratios = KEYS.map((key) => (subject.figures[key] / figures[key]).toFixed(2));
      lines.push(line([`${subject.name} ÷ ${name}`, ...ratios]));
    }
  }
  return lines.join('\n');
}

export function resultsPage(
  rows: readonly Row[],
  run: { readonly date: Date; readonly processor: string; readonly load: string; readonly idle: number },
): string {
  return `# Benchmark
One run of \`npm run bench -- --write\` on ${run.date.toISOString().slice(0, 10)}, Node ${process.version}, ${run.processor}: the
proxy on one core, client and backend on another; median of three rounds. 64 connections with keep-alive and an answer of
46 bytes; WebSockets with messages of 64 bytes on 64 connections; memory with ${run.idle.toLocaleString('en')} idle WebSockets.
Routing, access log and metrics are on (\`http-proxy\` has none of them). CPU is what the proxy's process used, in the
kernel too; for a WebSocket, to open and to close it; for a message, to pass it on and its echo back.

Figures depend on the machine, ratios much less. All are of this one run; at its beginning the machine's load average was
${run.load}. With other work on it, rates and latencies say little, and the CPU of each request is the figure to go by.
Above 1 is better for what counts per second, below 1 for the rest. Where client and backend use up their core first, the
requests per second of the fastest proxies say less than the CPU that they used for each.

${resultsTable(rows)}
`;
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
