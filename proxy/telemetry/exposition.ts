import type { MetricReport, SeriesReport } from './metrics.ts';

/** `Content-Type` of the Prometheus text format, version 0.0.4. */
export const EXPOSITION_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Adds up what the threads report: the same series of several threads is their sum, gauges included (each thread
 * reports its own share of connections, queue entries and the like).
 */
export function mergeReports(reports: readonly (readonly MetricReport[])[]): MetricReport[] {
  const families = new Map<string, { report: MetricReport; series: Map<string, SeriesReport> }>();
  for (const report of reports.flat()) {
    let family = families.get(report.name);
    if (family === undefined) {
      family = { report, series: new Map() };
      families.set(report.name, family);
    }
    for (const series of report.series) {
      const key = series.labels.join('\u0000');
      const sum = family.series.get(key);
      family.series.set(key, sum === undefined ? series : addSeries(sum, series));
    }
  }
  return [...families.values()]
    .map(({ report, series }) => ({ ...report, series: [...series.values()].sort(byLabels) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The Prometheus text exposition format 0.0.4. */
export function formatExposition(reports: readonly MetricReport[]): string {
  const lines: string[] = [];
  for (const report of reports) {
    lines.push(`# HELP ${report.name} ${escapeHelp(report.help)}`, `# TYPE ${report.name} ${report.kind}`);
    for (const series of report.series) {
      if (report.kind === 'histogram') pushHistogram(lines, report, series);
      else lines.push(`${report.name}${labelText(report.labelNames, series.labels)} ${series.value}`);
    }
  }
  lines.push('');
  return lines.join('\n');
}

function addSeries(a: SeriesReport, b: SeriesReport): SeriesReport {
  return {
    labels: a.labels,
    value: a.value + b.value,
    counts: a.counts.map((count, index) => count + (b.counts[index] ?? 0)),
  };
}

function byLabels(a: SeriesReport, b: SeriesReport): number {
  const left = a.labels.join('\u0000');
  const right = b.labels.join('\u0000');
  return left < right ? -1 : left > right ? 1 : 0;
}

function pushHistogram(lines: string[], report: MetricReport, series: SeriesReport): void {
  let cumulative = 0;
  series.counts.forEach((count, index) => {
    cumulative += count;
    const bound = report.buckets[index];
    const labels = labelText(
      [...report.labelNames, 'le'],
      [...series.labels, bound === undefined ? '+Inf' : String(bound)],
    );
    lines.push(`${report.name}_bucket${labels} ${cumulative}`);
  });
  const labels = labelText(report.labelNames, series.labels);
  lines.push(`${report.name}_sum${labels} ${series.value}`, `${report.name}_count${labels} ${cumulative}`);
}

function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return '';
  return `{${names.map((name, index) => `${name}="${escapeLabel(values[index] ?? '')}"`).join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function escapeHelp(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
