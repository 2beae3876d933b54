import type { CountRule, RuleList } from '../../proxy/config/snapshot.ts';
import { withDefaults } from '../resources/index.ts';
import { type Objects, objectId, type RuleListResource } from './objects.ts';
import type { Report } from './report.ts';
import { milliseconds } from './settings.ts';

/** Rule lists, and what each is attached to. */
export interface RuleLists {
  readonly byId: ReadonlyMap<string, RuleList>;
  /**
   * The ids of the lists that hold for a route of a gateway on a listener: first those of the whole gateway,
   * then those of the listener, then those of the route; each group by name.
   */
  forRoute(gateway: string, listener: string, sections: readonly string[]): readonly string[];
}

/** Compiles every rule list and attaches it to the gateways, listeners and routes that it names. */
export function compileRuleLists(objects: Objects, report: Report): RuleLists {
  const byId = new Map<string, RuleList>();
  const attached = new Map<string, Set<string>>();
  for (const [id, resource] of objects.ruleLists) {
    byId.set(id, compileRuleList(resource, report));
    for (const place of attachmentsOf(resource, objects, report)) {
      const lists = attached.get(place);
      if (lists === undefined) attached.set(place, new Set([id]));
      else lists.add(id);
    }
  }
  return {
    byId,
    forRoute(gateway, listener, sections) {
      const places = [
        gateway,
        listenerPlace(gateway, listener),
        ...sections.map((name) => routePlace(gateway, name)),
      ];
      return [...new Set(places.flatMap((place) => [...(attached.get(place) ?? [])]))];
    },
  };
}

function attachmentsOf(resource: RuleListResource, objects: Objects, report: Report): string[] {
  const places: string[] = [];
  for (const [index, { kind, name, sectionName }] of resource.body.spec.targetRefs.entries()) {
    const path = ['spec', 'targetRefs', index];
    if (kind !== 'EdgeGateway') {
      report.warning(resource, [...path, 'kind'], 'NotServedTargetRef', {
        message: 'the rules do not hold there, since this version reads the kind only inside a cluster',
        found: kind,
        expected: 'EdgeGateway',
      });
      continue;
    }
    const id = `${resource.namespace}/${name}`;
    const gateway = objects.gateways.get(id);
    if (gateway === undefined) {
      report.error(resource, [...path, 'name'], 'TargetNotFound', {
        message: 'the rules do not hold there',
        found: objects.describeMissing('EdgeGateway', id),
        expected: 'an EdgeGateway in the namespace of the rule list',
      });
      continue;
    }
    if (sectionName === undefined) {
      places.push(id);
      continue;
    }
    const { listeners, routes = [] } = gateway.body.spec;
    const isListener = listeners.some((listener) => listener.name === sectionName);
    const isRoute = routes.some((route) => route.name === sectionName);
    if (isListener) places.push(listenerPlace(id, sectionName));
    if (isRoute) places.push(routePlace(id, sectionName));
    if (isListener || isRoute) continue;
    report.error(resource, [...path, 'sectionName'], 'TargetNotFound', {
      message: 'the rules do not hold there',
      found: `${sectionName}, which is neither a listener nor a route of EdgeGateway ${id}`,
      expected: 'the name of one of them',
    });
  }
  return places;
}

function listenerPlace(gateway: string, name: string): string {
  return `${gateway} listener ${name}`;
}

function routePlace(gateway: string, name: string): string {
  return `${gateway} route ${name}`;
}

function compileRuleList(resource: RuleListResource, report: Report): RuleList {
  const spec = withDefaults('FirewallRuleList.spec', resource.body.spec);
  const { failurePolicy } = spec;
  if (failurePolicy === 'Local') {
    report.warning(resource, ['spec', 'failurePolicy'], 'NotServedFailurePolicy', {
      message: 'this version does not serve the policy yet, so Closed holds instead',
      found: failurePolicy,
      expected: 'Closed or Open',
    });
  }
  if (spec.clientTrafficControlRules?.length) {
    report.warning(resource, ['spec', 'clientTrafficControlRules'], 'NotServedTrafficRules', {
      message: 'this version does not serve traffic rules yet, so they are left out',
      found: `${spec.clientTrafficControlRules.length} of them`,
      expected: 'none',
    });
  }
  return {
    id: objectId(resource),
    mode: spec.mode,
    failurePolicy: failurePolicy === 'Local' ? 'Closed' : failurePolicy,
    countRequests: spec.countRequests,
    retryAfterSeconds: spec.retryAfterSeconds,
    countRules: compileCountRules(resource, report),
    trafficRules: [],
    maxLifetimeMs: milliseconds(spec.maxClientConnectionLifetimeInSeconds),
  };
}

/**
 * In the order written. Connections are counted by what a rule counts, not by its name, so two rules that
 * count the same become one with the lower bound, which is what both together mean.
 */
function compileCountRules(resource: RuleListResource, report: Report): CountRule[] {
  const rules = new Map<string, CountRule>();
  const names = new Set<string>();
  for (const [index, written] of (resource.body.spec.clientConnectionCountRules ?? []).entries()) {
    const path = ['spec', 'clientConnectionCountRules', index];
    const { type, claimName = null } = written;
    const { maxCount } = withDefaults('FirewallRuleList.spec.clientConnectionCountRules[]', written);
    // What the rule counts, in words. No name that a user may give has this form.
    const counted = claimName === null ? type : `${type}/${claimName}`;
    const earlier = rules.get(counted);
    if (earlier !== undefined) {
      report.warning(resource, path, 'DuplicateRule', {
        message: 'the two become one, with the lower maxCount',
        found: `a second ${counted}`,
        expected: 'one rule for what is counted',
      });
      rules.set(counted, { ...earlier, maxCount: Math.min(earlier.maxCount, maxCount) });
      continue;
    }
    const name = written.name === undefined || names.has(written.name) ? counted : written.name;
    if (written.name !== undefined && name !== written.name) {
      report.warning(resource, [...path, 'name'], 'DuplicateRule', {
        message: `this rule goes by ${counted} instead`,
        found: `${written.name}, the name of an earlier rule`,
        expected: 'a name of its own',
      });
    }
    names.add(name);
    rules.set(counted, { type, name, claimName, maxCount });
  }
  return [...rules.values()];
}
