/** How the figures of the cluster are shown. */

export interface Section {
  readonly title: string;
  /** What was done, and how it was measured. */
  readonly words: string;
  /** In Markdown. */
  readonly table: string;
}

export function tableOf(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** The share of the values that is not larger: 0.5 is the median, 1 the largest. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error('a percentile of nothing');
  return value;
}

export function resultsPage(
  sections: readonly Section[],
  run: { readonly date: Date; readonly processor: string; readonly load: string },
): string {
  const parts = sections.map(({ title, words, table }) => `## ${title}\n${words}\n\n${table}\n`);
  return `# Benchmark on a cluster
One run of \`npm run bench:cluster -- --write\` on ${run.date.toISOString().slice(0, 10)}, Node ${process.version}, ${run.processor}:
Kubernetes with its control plane, the operator, all gateways and their backends on this one machine, whose load average
was ${run.load} at the beginning.

${parts.join('\n')}`;
}
