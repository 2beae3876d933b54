import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { ProxyReport } from '../../../proxy/pod/report.ts';
import { compileWithLastGood, type KeptResult, NOTHING_GOOD } from '../../compile/last-good.ts';
import { filesOf, GOLDEN, GOLDEN_NOW, loadFiles } from '../../compile/testing/golden-cases.ts';
import type { Resource, Source } from '../../resources/index.ts';
import { NOTHING_OBSERVED, type ObservedGateway, type ObservedPod } from '../observed.ts';

export const STATUS_CASES = join(GOLDEN, 'status');

/**
 * A case is `NAME.in.yaml` (objects), `NAME.observed.yaml` (by the id of a gateway, what is observed; what is left out
 * is as when all is well) and, where there was a version before, `NAME.before.yaml`.
 */
export interface StatusCase {
  readonly resources: readonly Resource[];
  readonly compiled: KeptResult;
  readonly observed: ReadonlyMap<string, ObservedGateway>;
}

export function statusCaseNames(): string[] {
  return readdirSync(STATUS_CASES)
    .filter((file) => file.endsWith('.in.yaml'))
    .map((file) => file.slice(0, -'.in.yaml'.length))
    .sort();
}

export function statusCase(name: string): StatusCase {
  const resources = clusterResources(`${name}.in.yaml`);
  const good = existsSync(join(STATUS_CASES, `${name}.before.yaml`))
    ? compileAll(clusterResources(`${name}.before.yaml`)).good
    : NOTHING_GOOD;
  const compiled = compileAll(resources, good);
  const file = join(STATUS_CASES, `${name}.observed.yaml`);
  const written = existsSync(file)
    ? (parse(readFileSync(file, 'utf8')) as Record<string, Written> | null)
    : {};
  return { resources, compiled, observed: observe(written ?? {}, compiled) };
}

function compileAll(resources: readonly Resource[], good = NOTHING_GOOD): KeptResult {
  return compileWithLastGood(good, { resources, now: GOLDEN_NOW, environment: 'Cluster' });
}

/** As an API server hands them out: without places in files. */
export function asInCluster(resources: readonly Resource[]): Resource[] {
  const source: Source = { file: '', admitted: true, locate: () => ({ line: 0, column: 0 }) };
  return resources.map((resource) => ({ ...resource, source }) as Resource);
}

function clusterResources(file: string): Resource[] {
  return asInCluster(loadFiles(filesOf(STATUS_CASES, file)).resources);
}

type Written = Partial<Omit<ObservedGateway, 'pods'>> & { readonly pods?: readonly WrittenPod[] };
type WrittenPod = Partial<Omit<ObservedPod, 'report'>> & { readonly report?: Partial<ProxyReport> | null };

/** The hash `current` stands for that of what was compiled. */
export const CURRENT = 'current';

function observe(
  written: Readonly<Record<string, Written>>,
  { snapshots }: KeptResult,
): Map<string, ObservedGateway> {
  return new Map(
    Object.entries(written).map(([id, gateway]) => {
      const [namespace = '', name = ''] = id.split('/');
      const snapshot = snapshots.find((each) => `${each.gateway.namespace}/${each.gateway.name}` === id);
      const hash = (value: string | null | undefined): string | null =>
        value === undefined || value === CURRENT ? (snapshot?.hash ?? null) : value;
      const reportOf = (pod: string, report: Partial<ProxyReport>): ProxyReport => ({
        format: 1,
        gateway: { namespace, name },
        pod,
        ready: true,
        draining: false,
        problem: null,
        listenFailures: [],
        // Unless the case is about them, the pod does what it was told.
        pools: (snapshot?.pools ?? []).map((pool) => ({
          id: pool.id,
          healthy: pool.targets.length,
          total: pool.targets.length,
          problem: null,
        })),
        ruleLists: (snapshot?.ruleLists ?? []).map((list) => ({
          id: list.id,
          connections: 0,
          rejected: 0,
          disconnected: 0,
        })),
        ...report,
        snapshot: hash(report.snapshot),
      });
      const pods = (gateway.pods ?? []).map((pod, index): ObservedPod => {
        const podName = pod.name ?? `sluice-${name}-${index}`;
        return {
          name: podName,
          ready: pod.ready ?? true,
          problem: pod.problem ?? null,
          report: pod.report === null ? null : reportOf(podName, pod.report ?? {}),
        };
      });
      return [
        id,
        { ...NOTHING_OBSERVED, replicas: pods.length, ...gateway, stored: hash(gateway.stored), pods },
      ];
    }),
  );
}
