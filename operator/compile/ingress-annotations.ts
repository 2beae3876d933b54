import { anyOf, describeValue, nearest } from '../resources/index.ts';
import type { IngressResource } from './objects.ts';
import type { Report } from './report.ts';

const PREFIX = 'sluice.dev/';
export const BACKEND_POOL = `${PREFIX}backend-pool`;
export const RULE_LISTS = `${PREFIX}firewall-rule-lists`;
export const SSL_REDIRECT = `${PREFIX}ssl-redirect`;
export const AUTHENTICATION = `${PREFIX}authentication`;

const KNOWN = [AUTHENTICATION, BACKEND_POOL, RULE_LISTS, SSL_REDIRECT];
const KNOWN_NAMES = KNOWN.map((name) => name.slice(PREFIX.length));

const NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;
const MAX_RULE_LISTS = 16;

/** What our annotations say about an Ingress. */
export interface IngressSettings {
  /** The name of the BackendPool that all Service backends are replaced by. */
  readonly backendPool: string | null;
  /** The names of the rule lists that hold, sorted. */
  readonly ruleLists: readonly string[];
  /** Whether hosts with TLS answer without TLS by a redirect. */
  readonly sslRedirect: boolean;
  /** Whether the gateway's authentication holds. */
  readonly authentication: boolean;
}

/** Reads the annotations; a value that cannot be used is reported and has no effect. */
export function readAnnotations(ingress: IngressResource, report: Report): IngressSettings {
  const annotations = ingress.body.metadata.annotations ?? {};
  reportUnknown(ingress, Object.keys(annotations), report);
  const redirect = oneOf(ingress, SSL_REDIRECT, ['true', 'false'], report);
  const authentication = oneOf(ingress, AUTHENTICATION, ['None'], report);
  return {
    backendPool: own(annotations, BACKEND_POOL)?.trim() || null,
    ruleLists: ruleListsIn(ingress, report),
    sslRedirect: redirect === 'true',
    authentication: authentication !== 'None',
  };
}

/** The path of an annotation. */
export function annotationPath(name: string): readonly string[] {
  return ['metadata', 'annotations', name];
}

/** The names of rule lists, sorted; one that no object can have is left out. */
function ruleListsIn(ingress: IngressResource, report: Report): string[] {
  const written = own(ingress.body.metadata.annotations ?? {}, RULE_LISTS) ?? '';
  const names = [...new Set(written.split(',').map((name) => name.trim()))]
    .filter((name) => name !== '')
    .sort();
  if (names.length > MAX_RULE_LISTS) {
    report.error(ingress, annotationPath(RULE_LISTS), 'UnsupportedValue', {
      message: `only the first ${MAX_RULE_LISTS} by name hold`,
      found: `${names.length} names`,
      expected: `up to ${MAX_RULE_LISTS}`,
    });
  }
  return names
    .slice(0, MAX_RULE_LISTS)
    .filter((name) => isObjectName(name) || invalidName(ingress, name, report));
}

function invalidName(ingress: IngressResource, name: string, report: Report): false {
  report.error(ingress, annotationPath(RULE_LISTS), 'UnsupportedValue', {
    message: 'this name is left out',
    found: describeValue(name),
    expected: 'names of rule lists, with commas between them',
  });
  return false;
}

/** Whether an object can have the name. */
export function isObjectName(name: string): boolean {
  return name.length <= 253 && NAME.test(name);
}

function oneOf(
  ingress: IngressResource,
  name: string,
  allowed: readonly string[],
  report: Report,
): string | undefined {
  const value = own(ingress.body.metadata.annotations ?? {}, name);
  if (value === undefined || allowed.includes(value)) return value;
  report.error(ingress, annotationPath(name), 'UnsupportedValue', {
    message: 'this annotation has no effect',
    found: describeValue(value),
    expected: anyOf(allowed.map((each) => JSON.stringify(each))),
  });
  return undefined;
}

function reportUnknown(ingress: IngressResource, names: readonly string[], report: Report): void {
  for (const name of names) {
    if (!name.startsWith(PREFIX) || KNOWN.includes(name)) continue;
    const suggestion = nearest(name.slice(PREFIX.length), KNOWN_NAMES);
    report.warning(ingress, annotationPath(name), 'UnknownAnnotation', {
      message: 'this annotation has no effect',
      found: describeValue(name),
      expected: suggestion === undefined ? anyOf(KNOWN) : `${PREFIX}${suggestion} (did you mean that?)`,
    });
  }
}

function own(annotations: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(annotations, name) ? annotations[name] : undefined;
}
