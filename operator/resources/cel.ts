/** The CEL rules (x-kubernetes-validations) of our CRDs, evaluated as the API server does. */
import { isIP, isIPv4 } from 'node:net';
import { Environment, EvaluationError } from '@marcbachmann/cel-js';
import type { Rule, Schema } from './schemas.ts';
import type { FieldPath } from './types.ts';

/** A rule fails where it meets a field that is not there or has another type. */
type Outcome = 'holds' | 'broken' | 'failed';

/**
 * The rules of a schema in the shape of the values they hold for, without the branches that have none, so
 * that a check visits nothing for naught.
 */
export interface RuleTree {
  rules: { rule: Rule; evaluate: (value: unknown) => Outcome }[];
  properties: [string, RuleTree][];
  /** Of every entry of a list, or every value of a map. */
  items: RuleTree | undefined;
}

const environment = new Environment({ unlistedVariablesAreDyn: true })
  .registerFunction('isIP(string): bool', isAddress)
  .registerFunction('isCIDR(string): bool', isBlock);

/** Undefined when the schema has no rules. Transition rules, which compare with the old object, are left out. */
export function compileRules(schema: Schema): RuleTree | undefined {
  const rules = (schema['x-kubernetes-validations'] ?? [])
    .filter(({ rule }) => !/\boldSelf\b/.test(rule))
    .map((rule) => ({ rule, evaluate: compileRule(rule) }));
  const properties: [string, RuleTree][] = [];
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const tree = compileRules(property);
    if (tree) properties.push([name, tree]);
  }
  const child = schema.items ?? schema.additionalProperties;
  const items = child && compileRules(child);
  if (rules.length === 0 && properties.length === 0 && !items) return undefined;
  return { rules, properties, items };
}

function compileRule({ rule }: Rule): (value: unknown) => Outcome {
  const expression = environment.parse(rule);
  return (self) => {
    try {
      return expression({ self }) === true ? 'holds' : 'broken';
    } catch (error) {
      if (error instanceof EvaluationError) return 'failed';
      throw error;
    }
  };
}

/** Calls `visit` with the outcome of every rule that does not hold. */
export function evaluateRules(
  tree: RuleTree,
  value: unknown,
  path: FieldPath,
  visit: (path: FieldPath, rule: Rule, outcome: 'broken' | 'failed') => void,
): void {
  if (value === undefined || value === null) return;
  for (const { rule, evaluate } of tree.rules) {
    const outcome = evaluate(value);
    if (outcome !== 'holds') visit(path, rule, outcome);
  }
  if (typeof value !== 'object') return;
  for (const [name, property] of tree.properties) {
    if (!Object.hasOwn(value, name)) continue;
    evaluateRules(property, (value as Record<string, unknown>)[name], [...path, name], visit);
  }
  const { items } = tree;
  if (!items) return;
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  for (const [key, child] of entries) evaluateRules(items, child, [...path, key], visit);
}

/** `isIP` of Kubernetes: no zone, no leading zeros, no IPv4 address within an IPv6 address. */
function isAddress(text: string): boolean {
  if (isIPv4(text)) return true;
  return isIP(text) === 6 && !text.includes('%') && !isMapped(text);
}

/** `isCIDR` of Kubernetes: an address, a slash and a length without leading zeros. */
function isBlock(text: string): boolean {
  const slash = text.lastIndexOf('/');
  const address = text.slice(0, Math.max(0, slash));
  const length = text.slice(slash + 1);
  if (!isAddress(address) || !/^(0|[1-9][0-9]{0,2})$/.test(length)) return false;
  return Number(length) <= (isIPv4(address) ? 32 : 128);
}

/** `::ffff:10.0.0.1` however it is written. */
function isMapped(text: string): boolean {
  const { hostname } = new URL(`http://[${text}]/`);
  return /^\[::ffff:[0-9a-f]{1,4}:[0-9a-f]{1,4}\]$/.test(hostname);
}
