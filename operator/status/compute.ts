import type { Snapshot } from '../../proxy/config/snapshot.ts';
import type { KeptResult } from '../compile/last-good.ts';
import { objectId, resourceKey } from '../compile/objects.ts';
import { type Diagnostic, diagnosticCodes, objectName, type Resource } from '../resources/index.ts';
import type { ObjectStatus } from './conditions.ts';
import { gatewayStatus } from './gateway-status.ts';
import { ingressStatus } from './ingress-status.ts';
import { NOTHING_OBSERVED, type ObservedGateway } from './observed.ts';
import { type PoolReport, poolStatus } from './pool-status.ts';
import { type Enforcer, ruleListStatus } from './rule-list-status.ts';
import { type Subject, subjectOf } from './subject.ts';

export interface StatusInput {
  /** What was compiled, as it is now. */
  readonly resources: readonly Resource[];
  readonly compiled: KeptResult;
  /** By the `namespace/name` of the gateway; one that is not in it was only just made. */
  readonly observed: ReadonlyMap<string, ObservedGateway>;
}

/**
 * The status of each EdgeGateway, BackendPool and FirewallRuleList, and of each Ingress of ours, by
 * `Kind/namespace/name`: the whole of what we own in it, but for the times at which conditions changed.
 * Pure: the same input gives the same statuses, in whatever order resources and pods come.
 */
export function computeStatuses(input: StatusInput): ReadonlyMap<string, ObjectStatus> {
  const { resources, compiled } = input;
  const observed = new Map([...input.observed].map(([id, gateway]) => [id, inOrder(gateway)]));
  const snapshots = new Map(compiled.snapshots.map((snapshot) => [objectId(snapshot.gateway), snapshot]));
  const diagnostics = byObject(compiled.diagnostics);
  const poolReports = reportsOfPools(snapshots, observed);
  const gatewaysOfLists = byRuleList(compiled.snapshots);
  const usedPools = new Set(compiled.snapshots.flatMap(({ pools }) => pools.map(({ id }) => id)));
  const observedOf = (id: string): ObservedGateway => observed.get(id) ?? NOTHING_OBSERVED;

  const statuses = new Map<string, ObjectStatus>();
  for (const resource of resources) {
    const key = resourceKey(resource);
    const id = objectId(resource);
    if (statuses.has(key)) continue;
    switch (resource.kind) {
      case 'EdgeGateway':
        statuses.set(
          key,
          gatewayStatus({
            subject: subject(resource, key),
            snapshot: snapshots.get(id) ?? null,
            attachedRoutes: compiled.facts.attachedRoutes.get(id) ?? new Map(),
            observed: observedOf(id),
          }),
        );
        break;
      case 'BackendPool':
        statuses.set(
          key,
          poolStatus({
            subject: subject(resource, key),
            isUsed: usedPools.has(id),
            reports: poolReports.get(id) ?? [],
          }),
        );
        break;
      case 'FirewallRuleList': {
        const attached = compiled.facts.ruleLists.get(id) ?? [];
        const gateways = new Set([
          ...attached.filter((gateway) => gateway !== null),
          ...(gatewaysOfLists.get(id) ?? []),
        ]);
        statuses.set(
          key,
          ruleListStatus({
            subject: subject(resource, key),
            attached,
            enforcers: new Map(
              [...gateways].map((gateway) => [
                gateway,
                enforcerOf(id, gateway, snapshots.get(gateway), observedOf(gateway)),
              ]),
            ),
          }),
        );
        break;
      }
      case 'Ingress': {
        const gateway = compiled.facts.ingresses.get(id);
        if (gateway !== undefined) {
          statuses.set(key, ingressStatus(gateway === null ? null : observedOf(gateway)));
        }
        break;
      }
    }
  }
  return statuses;

  function subject<R extends Resource>(resource: R, key: string): Subject<R['body']> {
    const own = diagnostics.get(objectName(resource)) ?? [];
    const isRejected = compiled.rejected.has(key);
    return subjectOf(resource, {
      isRejected,
      kept: compiled.kept.has(key) ? compiled.good.get(key) : undefined,
      diagnostics,
      isReadable: !(isRejected && own.some(({ code }) => Object.hasOwn(diagnosticCodes, code))),
    });
  }
}

function byObject(diagnostics: readonly Diagnostic[]): Map<string, Diagnostic[]> {
  const groups = new Map<string, Diagnostic[]>();
  for (const diagnostic of diagnostics) {
    const others = groups.get(diagnostic.object);
    if (others === undefined) groups.set(diagnostic.object, [diagnostic]);
    else others.push(diagnostic);
  }
  return groups;
}

/** By pool, what the pods say of it that traffic reaches and whose gateway has it. */
function reportsOfPools(
  snapshots: ReadonlyMap<string, Snapshot>,
  observed: ReadonlyMap<string, ObservedGateway>,
): Map<string, PoolReport[]> {
  const reports = new Map<string, PoolReport[]>();
  for (const [id, snapshot] of snapshots) {
    const used = new Set(snapshot.pools.map((pool) => pool.id));
    for (const { name, ready, report } of observed.get(id)?.pods ?? []) {
      if (!ready || report === null) continue;
      for (const pool of report.pools) {
        if (!used.has(pool.id)) continue;
        const others = reports.get(pool.id);
        if (others === undefined) reports.set(pool.id, [{ pod: name, report: pool }]);
        else others.push({ pod: name, report: pool });
      }
    }
  }
  return reports;
}

/** The gateways whose snapshots have a rule list, by its id. */
function byRuleList(snapshots: readonly Snapshot[]): Map<string, string[]> {
  const gateways = new Map<string, string[]>();
  for (const { gateway, ruleLists } of snapshots) {
    for (const { id } of ruleLists) gateways.set(id, [...(gateways.get(id) ?? []), objectId(gateway)]);
  }
  return gateways;
}

function enforcerOf(
  ruleList: string,
  gateway: string,
  snapshot: Snapshot | undefined,
  { pods }: ObservedGateway,
): Enforcer {
  return {
    gateway,
    isCompiled: snapshot?.ruleLists.some(({ id }) => id === ruleList) ?? false,
    pods: pods.length,
    reports: pods.flatMap(({ report }) => report?.ruleLists.filter(({ id }) => id === ruleList) ?? []),
  };
}

function inOrder(gateway: ObservedGateway): ObservedGateway {
  const pods = [...gateway.pods].sort((left, right) =>
    left.name < right.name ? -1 : left.name > right.name ? 1 : 0,
  );
  return { ...gateway, pods };
}
