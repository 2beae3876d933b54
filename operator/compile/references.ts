/** References into other namespaces, which need a ReferenceGrant there. */
import type { Resource } from '../resources/index.ts';
import type { Objects } from './objects.ts';

/** What is referred to; the group is empty for the core one. */
export interface Referent {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

type Referrer = Pick<Resource, 'apiVersion' | 'kind' | 'namespace'>;

/** Whether an object may refer to another: to those of its own namespace always. */
export function isReferencePermitted(from: Referrer, to: Referent, objects: Objects): boolean {
  if (from.namespace === to.namespace) return true;
  const grants = grantsOf(objects);
  const origin = placeOf(groupOf(from.apiVersion), from.kind, from.namespace);
  const kind = placeOf(to.group, to.kind, to.namespace);
  return grants.has(`${origin} ${kind}`) || grants.has(`${origin} ${kind} ${to.name}`);
}

/** What a reference that is not permitted should have been, in words. */
export function expectedReference(from: Referrer, to: Referent): string {
  return `${from.namespace}, the namespace of the ${from.kind}, or a ReferenceGrant in ${to.namespace} that allows ${from.kind} objects of ${from.namespace} to refer to ${to.kind} ${to.name}`;
}

const known = new WeakMap<Objects, ReadonlySet<string>>();

/** Each pair of a kind that may refer and a kind, or an object, that may be referred to. */
function grantsOf(objects: Objects): ReadonlySet<string> {
  const found = known.get(objects);
  if (found !== undefined) return found;
  const grants = new Set<string>();
  for (const { namespace, body } of objects.referenceGrants.values()) {
    for (const from of body.spec.from) {
      for (const { group, kind, name } of body.spec.to) {
        const pair = `${placeOf(from.group, from.kind, from.namespace)} ${placeOf(group, kind, namespace)}`;
        // An empty name stands for all objects, as one that is left out does.
        grants.add(name ? `${pair} ${name}` : pair);
      }
    }
  }
  known.set(objects, grants);
  return grants;
}

function placeOf(group: string, kind: string, namespace: string): string {
  return `${group}/${kind}/${namespace}`;
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}
