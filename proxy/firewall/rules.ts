import type { Identity } from '../authentication/identity.ts';
import type { CountRule, RuleList } from '../config/snapshot.ts';
import type { Fallback } from '../counter/counter.ts';
import type { Counter as MetricCounter, Metrics } from '../telemetry/metrics.ts';
import { clientNetwork } from './client-network.ts';
import { keyPrefix } from './key.ts';
import type { ListTotals, TotalsReporter } from './totals.ts';

export interface FirewallClient {
  /** `null` where the route asks for no authentication: token rules are skipped. */
  readonly identity: Identity | null;
  /** After the trusted-hops rule; IPv4-mapped addresses as IPv4. */
  readonly clientAddress: string;
}

/** A rule list, ready to be asked. */
export interface CompiledList {
  readonly list: RuleList;
  readonly rules: readonly CompiledRule[];
  readonly totals: ListTotals;
}

export interface CompiledRule {
  readonly list: RuleList;
  readonly rule: CountRule;
  /** See `keyPrefix`. */
  readonly prefix: string;
  readonly enforce: boolean;
  /** A part of each demand. */
  readonly fallback: { readonly fallback?: Fallback };
  readonly admitted: MetricCounter;
  readonly rejected: MetricCounter;
  readonly dryRunExceeded: MetricCounter;
  readonly unavailable: MetricCounter;
}

export const DECISIONS = ['admitted', 'rejected', 'dry_run_exceeded', 'unavailable'] as const;

export function decisionFamily(metrics: Metrics) {
  return metrics.counter(
    'sluice_firewall_decisions_total',
    'Decisions of connection-count rules: admitted, rejected (429), dry_run_exceeded (would have been rejected), ' +
      'unavailable (the count could not be known).',
    ['rule_list', 'rule', 'decision'],
  );
}

export function compileList(list: RuleList, metrics: Metrics, totals: TotalsReporter): CompiledList {
  const decisions = decisionFamily(metrics);
  const rules = list.countRules.map((rule) => ({
    list,
    rule,
    prefix: keyPrefix(list.id, rule),
    enforce: list.mode === 'Enforce',
    fallback: list.failurePolicy === 'Closed' ? {} : { fallback: list.failurePolicy },
    admitted: decisions.labels(list.id, rule.name, 'admitted'),
    rejected: decisions.labels(list.id, rule.name, 'rejected'),
    dryRunExceeded: decisions.labels(list.id, rule.name, 'dry_run_exceeded'),
    unavailable: decisions.labels(list.id, rule.name, 'unavailable'),
  }));
  return { list, rules, totals: totals.of(list.id) };
}

/** What the rule counts of this client; `undefined` when it does not apply: the token has no such claim. */
export function countedValue(rule: CountRule, client: FirewallClient): string | undefined {
  switch (rule.type) {
    case 'ThrottleByUserIdRule':
      return client.identity?.userId ?? undefined;
    case 'ThrottleByJwtSignatureRule':
      return client.identity?.signatureDigest;
    case 'ThrottleByJwtCustomClaimRule':
      return rule.claimName === null ? undefined : client.identity?.claim(rule.claimName);
    case 'ThrottleByClientIpRule':
      return clientNetwork(client.clientAddress);
  }
}

/** The claims that rule lists read: what identities have to keep. */
export function claimsOf(ruleLists: readonly RuleList[]): string[] {
  const names = new Set<string>();
  for (const { countRules, trafficRules } of ruleLists) {
    for (const { type, claimName } of [...countRules, ...trafficRules]) {
      const custom =
        type === 'ThrottleByJwtCustomClaimRule' || type === 'TrafficThrottleByJwtCustomClaimRule';
      if (custom && claimName !== null) names.add(claimName);
    }
  }
  return [...names].sort();
}

/** Why a connection is refused, in words, without anything that identifies the user. */
export function rejectionMessage({ list, rule }: CompiledRule): string {
  const { maxCount } = rule;
  const limit = maxCount === 1 ? '1 connection' : `${maxCount} connections`;
  return `${subject(rule)} may have at most ${limit} open at the same time (rule ${rule.name} of ${list.id}).`;
}

function subject(rule: CountRule): string {
  switch (rule.type) {
    case 'ThrottleByUserIdRule':
      return 'A user';
    case 'ThrottleByJwtSignatureRule':
      return 'A token';
    case 'ThrottleByJwtCustomClaimRule':
      return `All clients with the same value of the claim "${rule.claimName}" together`;
    case 'ThrottleByClientIpRule':
      return 'A client address';
  }
}
