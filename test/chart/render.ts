/** The chart as Helm renders it. */
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '../cluster/api.ts';
import { helm } from '../cluster/helm.ts';
import { root } from '../cluster/paths.ts';

export const CHART = join(root, 'charts/sluice');
export const RELEASE = 'sluice';
export const NAMESPACE = 'sluice-system';

/** @param options such as `--set`, `--values` */
export function template(...options: string[]): string {
  return helm(['template', CHART, `--name-template=${RELEASE}`, `--namespace=${NAMESPACE}`, ...options]);
}

export function objectsOf(text: string): KubernetesObject[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as KubernetesObject | null)
    .filter((object) => object !== null);
}

export function render(...options: string[]): KubernetesObject[] {
  return objectsOf(template(...options));
}

/** @throws unless there is exactly one */
export function only<T = KubernetesObject>(objects: readonly KubernetesObject[], kind: string): T {
  const found = objects.filter((object) => object.kind === kind);
  if (found.length !== 1) throw new Error(`found ${found.length} objects of the kind ${kind}, expected one`);
  return found[0] as T;
}
