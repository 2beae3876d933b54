import type { ReportedRuleList } from '../../proxy/pod/report.ts';
import { CONTROLLER_NAME } from '../infrastructure/names.ts';
import type { FirewallRuleList } from '../resources/index.ts';
import {
  type AncestorRef,
  type AncestorStatus,
  type Condition,
  holds,
  holdsNot,
  observedAt,
  type RuleListStatus,
} from './conditions.ts';
import { describeProblems, joined, listed, shorten } from './messages.ts';
import { Problems } from './problems.ts';
import type { Reason } from './reasons.ts';
import { indexIn } from './references.ts';
import type { Subject } from './subject.ts';

const MAX_ANCESTORS = 16;
const MAX_ENFORCEMENT_LENGTH = 1024;
/** The field is of 32 bits. */
const MAX_CONNECTIONS = 2_147_483_647;

type TargetRef = FirewallRuleList['spec']['targetRefs'][number];

/** The pods of one gateway, as far as they bear on a rule list. */
export interface Enforcer {
  readonly gateway: string;
  /** Whether some route of the gateway has the list. */
  readonly isCompiled: boolean;
  readonly pods: number;
  /** What those pods say that have the list. */
  readonly reports: readonly ReportedRuleList[];
}

export interface RuleListInput {
  readonly subject: Subject<FirewallRuleList>;
  /** For each of the `targetRefs`: the id of the gateway where the rules hold, or `null`. */
  readonly attached: readonly (string | null)[];
  /** By the id of the gateway: those of `attached`, and those with an Ingress that names the list itself. */
  readonly enforcers: ReadonlyMap<string, Enforcer>;
}

export function ruleListStatus(input: RuleListInput): RuleListStatus {
  const { subject, enforcers } = input;
  const { generation } = subject;
  const here = enforcersAt([...enforcers.keys()], input);
  const reports = here.flatMap((enforcer) => enforcer.reports);
  const { state, message } = enforcementOf(subject, here, here);
  return {
    ...(generation !== undefined && { observedGeneration: generation }),
    ancestors: ancestorsOf(input, here),
    enforcement: { state, message: shorten(message, MAX_ENFORCEMENT_LENGTH) },
    ...(reports.length > 0 && {
      totals: {
        connections: Math.min(MAX_CONNECTIONS, sum(reports, 'connections')),
        rejected: sum(reports, 'rejected'),
        disconnected: sum(reports, 'disconnected'),
      },
    }),
  };
}

/** Each gateway once, by name. */
function enforcersAt(attached: readonly (string | null)[], { enforcers }: RuleListInput): Enforcer[] {
  const gateways = [...new Set(attached.filter((gateway) => gateway !== null))].sort();
  return gateways.flatMap((id) => enforcers.get(id) ?? []);
}

function sum(
  reports: readonly ReportedRuleList[],
  field: 'connections' | 'rejected' | 'disconnected',
): number {
  return reports.reduce((total, report) => total + report[field], 0);
}

interface Enforcement {
  readonly state: RuleListStatus['enforcement']['state'];
  readonly message: string;
  /** As the reason of a condition. */
  readonly reason: Reason;
}

/**
 * How the limits are kept at some gateways.
 *
 * @param everywhere all gateways where the list holds: their pods count the same connections
 */
function enforcementOf(
  subject: Subject<FirewallRuleList>,
  here: readonly Enforcer[],
  everywhere: readonly Enforcer[],
): Enforcement {
  const { body } = subject;
  const inactive = (message: string, reason: Reason): Enforcement => ({ state: 'Inactive', message, reason });
  if (body === null) return inactive('the rule list is invalid', 'Invalid');
  if (here.length === 0) {
    return inactive('the rules do not hold: see the condition Accepted', 'NotAccepted');
  }
  const gateways = listed(here.map(({ gateway }) => `EdgeGateway ${gateway}`));
  if (here.every(({ isCompiled }) => !isCompiled)) {
    return inactive(`${gateways} serves no route that the rules hold for`, 'NoRoutes');
  }
  const pods = podsOf(here);
  const having = here.reduce((total, { reports }) => total + reports.length, 0);
  if (having === 0) return inactive(`no pod of ${gateways} has the rules yet`, 'Pending');
  const problems = new Problems(subject.object, subject.isKept ? [] : subject.own, [], subject.all);
  const words = problems.describe('Enforced');
  if (body.spec.mode === 'DryRun') {
    const message = joined(['connections are counted and logged, and none is rejected', words]);
    return { state: 'DryRun', message, reason: 'DryRun' };
  }
  const isCounting = (body.spec.clientConnectionCountRules ?? []).length > 0;
  const counting = podsOf(everywhere);
  const lacks = [
    having < pods ? `${having} of ${pods} pods have the rules` : '',
    isCounting && counting > 1
      ? `each of ${counting} pods counts for itself, so clients can hold up to ${counting} times maxCount connections`
      : '',
  ].filter((lack) => lack !== '');
  const reason = problems.reason('Enforced');
  if (lacks.length > 0 || reason !== undefined) {
    return { state: 'Degraded', message: joined([...lacks, words]), reason: reason ?? 'Degraded' };
  }
  const message = joined([pods === 1 ? '1 pod has the rules' : `${pods} pods have the rules`, words]);
  return { state: 'Exact', message, reason: 'Enforced' };
}

function podsOf(enforcers: readonly Enforcer[]): number {
  return enforcers.reduce((total, { pods }) => total + pods, 0);
}

function ancestorsOf(input: RuleListInput, everywhere: readonly Enforcer[]): AncestorStatus[] {
  const { subject, attached } = input;
  const { body, namespace, name, generation } = subject;
  const entry = (ancestorRef: AncestorRef, conditions: readonly Condition[]): AncestorStatus => ({
    ancestorRef,
    controllerName: CONTROLLER_NAME,
    conditions: observedAt(generation, conditions),
  });
  const invalid = describeProblems(subject.own, subject.object);
  if (body === null) {
    // Nobody knows what it is attached to, and yet there must be a place to say that it is invalid.
    const self = { group: 'sluice.dev', kind: 'FirewallRuleList', namespace, name };
    return [entry(self, [holdsNot('Accepted', 'Invalid', invalid)])];
  }
  const ancestors = new Map<string, AncestorStatus>();
  for (const [index, ref] of body.spec.targetRefs.entries()) {
    const ancestorRef = refOf(ref, namespace);
    const key = JSON.stringify(ancestorRef);
    if (ancestors.has(key)) continue;
    const accepted = subject.isKept ? holdsNot('Accepted', 'Invalid', invalid) : acceptedAt(subject, index);
    const { state, reason, message } = enforcementOf(
      subject,
      enforcersAt([attached[index] ?? null], input),
      everywhere,
    );
    const enforced =
      state === 'Exact' ? holds('Enforced', reason, message) : holdsNot('Enforced', reason, message);
    ancestors.set(key, entry(ancestorRef, [accepted, enforced]));
  }
  return [...ancestors.values()].slice(0, MAX_ANCESTORS);
}

function refOf({ group, kind, name, sectionName }: TargetRef, namespace: string): AncestorRef {
  return { group, kind, namespace, name, ...(sectionName !== undefined && { sectionName }) };
}

/** Problems of one target belong to it alone, all others to each. */
function acceptedAt({ object, own, all }: Subject<FirewallRuleList>, index: number): Condition {
  const here = own.filter(({ field }) => [null, index].includes(indexIn(['spec', 'targetRefs'], field)));
  return new Problems(object, here, [], all).judge('Accepted');
}
