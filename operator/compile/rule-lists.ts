import type { CountRule, RuleList } from '../../proxy/config/snapshot.ts';
import { type FieldPath, withDefaults } from '../resources/index.ts';
import { type Objects, objectId, type RuleListResource } from './objects.ts';
import type { Report } from './report.ts';
import type { RouteModel } from './route-model.ts';
import { milliseconds } from './settings.ts';

type TargetRef = RuleListResource['body']['spec']['targetRefs'][number];

/** Rule lists, and what each is attached to. */
export interface RuleLists {
  readonly byId: ReadonlyMap<string, RuleList>;
  /** For each list, by id, and each of its `targetRefs`: the id of the gateway where it holds, or `null`. */
  readonly attached: ReadonlyMap<string, readonly (string | null)[]>;
  /**
   * The ids of the lists that hold for a route of a gateway on a listener: first those of the whole gateway,
   * then those of the listener, then those of the route or its Ingress, then those that it names itself; each group
   * by name.
   */
  forRoute(
    gateway: string,
    listener: string,
    route: Pick<RouteModel, 'sections' | 'ingress' | 'ruleLists'>,
  ): readonly string[];
}

/** Where the rules of a list hold. */
interface Attachment {
  /** The id of the gateway. */
  readonly gateway: string;
  /** The gateway, a listener or route of it, or an Ingress that it serves. */
  readonly places: readonly string[];
}

/**
 * Compiles every rule list and attaches it to the gateways, listeners, routes and Ingresses that it names.
 *
 * @param ingressGateways the id of the gateway that serves each Ingress, by its id
 */
export function compileRuleLists(
  objects: Objects,
  ingressGateways: ReadonlyMap<string, string | null>,
  report: Report,
): RuleLists {
  const byId = new Map<string, RuleList>();
  const attached = new Map<string, (string | null)[]>();
  const byPlace = new Map<string, Set<string>>();
  for (const [id, resource] of objects.ruleLists) {
    byId.set(id, compileRuleList(resource, report));
    const attachments = attachmentsOf(resource, objects, ingressGateways, report);
    attached.set(
      id,
      attachments.map((attachment) => attachment?.gateway ?? null),
    );
    for (const place of attachments.flatMap((attachment) => attachment?.places ?? [])) {
      const lists = byPlace.get(place);
      if (lists === undefined) byPlace.set(place, new Set([id]));
      else lists.add(id);
    }
  }
  return {
    byId,
    attached,
    forRoute(gateway, listener, { sections, ingress, ruleLists }) {
      const places = [
        gateway,
        listenerPlace(gateway, listener),
        ...sections.map((name) => routePlace(gateway, name)),
        ...(ingress === null ? [] : [ingressPlace(ingress)]),
      ];
      return [...new Set([...places.flatMap((place) => [...(byPlace.get(place) ?? [])]), ...ruleLists])];
    },
  };
}

/** For each of the list's `targetRefs`; `null` where the rules hold nowhere. */
function attachmentsOf(
  resource: RuleListResource,
  objects: Objects,
  ingressGateways: ReadonlyMap<string, string | null>,
  report: Report,
): (Attachment | null)[] {
  return resource.body.spec.targetRefs.map((ref, index) => {
    const path = ['spec', 'targetRefs', index];
    switch (ref.kind) {
      case 'EdgeGateway':
        return attachToGateway(resource, ref, path, objects, report);
      case 'Ingress':
        return attachToIngress(resource, ref, path, objects, ingressGateways, report);
      default:
        report.warning(resource, [...path, 'kind'], 'NotServedTargetRef', {
          message: 'the rules do not hold there, since this version does not serve the kind yet',
          found: ref.kind,
          expected: 'EdgeGateway or Ingress',
        });
        return null;
    }
  });
}

function attachToGateway(
  resource: RuleListResource,
  { name, sectionName }: TargetRef,
  path: FieldPath,
  objects: Objects,
  report: Report,
): Attachment | null {
  const id = `${resource.namespace}/${name}`;
  const gateway = objects.gateways.get(id);
  if (gateway === undefined) {
    report.error(resource, [...path, 'name'], 'TargetNotFound', {
      message: 'the rules do not hold there',
      found: objects.describeMissing('EdgeGateway', id),
      expected: 'an EdgeGateway in the namespace of the rule list',
    });
    return null;
  }
  if (sectionName === undefined) return { gateway: id, places: [id] };
  const { listeners, routes = [] } = gateway.body.spec;
  const isListener = listeners.some((listener) => listener.name === sectionName);
  const isRoute = routes.some((route) => route.name === sectionName);
  if (!isListener && !isRoute) {
    report.error(resource, [...path, 'sectionName'], 'TargetNotFound', {
      message: 'the rules do not hold there',
      found: `${sectionName}, which is neither a listener nor a route of EdgeGateway ${id}`,
      expected: 'the name of one of them',
    });
    return null;
  }
  return {
    gateway: id,
    places: [
      ...(isListener ? [listenerPlace(id, sectionName)] : []),
      ...(isRoute ? [routePlace(id, sectionName)] : []),
    ],
  };
}

function attachToIngress(
  resource: RuleListResource,
  { name }: TargetRef,
  path: FieldPath,
  objects: Objects,
  ingressGateways: ReadonlyMap<string, string | null>,
  report: Report,
): Attachment | null {
  const id = `${resource.namespace}/${name}`;
  const gateway = ingressGateways.get(id) ?? null;
  if (gateway !== null) return { gateway, places: [ingressPlace(id)] };
  report.error(resource, [...path, 'name'], 'TargetNotFound', {
    message: 'the rules do not hold there',
    found: objects.ingresses.has(id)
      ? `Ingress ${id}, which no EdgeGateway serves`
      : objects.describeMissing('Ingress', id),
    expected: 'an Ingress in the namespace of the rule list, of a class whose EdgeGateway is there',
  });
  return null;
}

function listenerPlace(gateway: string, name: string): string {
  return `${gateway} listener ${name}`;
}

function routePlace(gateway: string, name: string): string {
  return `${gateway} route ${name}`;
}

function ingressPlace(id: string): string {
  return `Ingress ${id}`;
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
