import { type ProxyReport, REPORT_FORMAT } from '../../proxy/pod/report.ts';

/** A pod says something that no proxy says; the message has no word of it. */
export class ReportError extends Error {}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isFlag: Check = (value) => typeof value === 'boolean';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isTextOrNull: Check = (value) => value === null || isText(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const object =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]));

const FIELDS: Readonly<Record<Exclude<keyof ProxyReport, 'format'>, Check>> = {
  gateway: object({ namespace: isText, name: isText }),
  pod: isText,
  snapshot: isTextOrNull,
  ready: isFlag,
  draining: isFlag,
  problem: isTextOrNull,
  listenFailures: listOf(object({ port: isCount, listeners: listOf(isText), message: isText })),
  pools: listOf(object({ id: isText, healthy: isCount, total: isCount, problem: isTextOrNull })),
  ruleLists: listOf(object({ id: isText, connections: isCount, rejected: isCount, disconnected: isCount })),
};

/**
 * Reads a line of a pod's report. Whoever may make pods in a gateway's namespace may answer in place of a proxy, so
 * nothing in it is taken on trust.
 *
 * @throws ReportError
 */
export function readReport(line: string): ProxyReport {
  let report: unknown;
  try {
    report = JSON.parse(line);
  } catch {
    throw new ReportError('found a report that is no JSON');
  }
  if (typeof report !== 'object' || report === null)
    throw new ReportError('found a report that is no object');
  const { format } = report as { format?: unknown };
  if (format !== REPORT_FORMAT) {
    const found = typeof format === 'number' ? String(format) : `a ${typeof format}`;
    throw new ReportError(`found a report of format ${found}, expected ${REPORT_FORMAT}`);
  }
  for (const [field, check] of Object.entries(FIELDS)) {
    if (!check((report as Record<string, unknown>)[field])) {
      throw new ReportError(`found a report whose field ${field} is not as proxies write it`);
    }
  }
  return report as ProxyReport;
}
