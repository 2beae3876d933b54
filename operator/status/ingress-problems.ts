import type { CompileResult } from '../compile/index.ts';
import { resourceKey } from '../compile/objects.ts';
import { type Diagnostic, objectName, type Resource } from '../resources/index.ts';
import type { Change } from './changes.ts';
import { describeProblems } from './messages.ts';
import { foremost, isDecisive, verdictOf } from './verdicts.ts';

/**
 * What is wrong with Ingresses and their classes, by `namespace/name` (or name) behind their kind. They have no
 * conditions, so an Event is the only place where their users can read it; it is worth one whenever it differs.
 */
export function problemsOfIngresses(
  resources: readonly Resource[],
  { diagnostics }: Pick<CompileResult, 'diagnostics'>,
): ReadonlyMap<string, Change> {
  const byObject = new Map<string, Diagnostic[]>();
  for (const diagnostic of diagnostics) {
    byObject.set(diagnostic.object, [...(byObject.get(diagnostic.object) ?? []), diagnostic]);
  }
  const problems = new Map<string, Change>();
  for (const resource of resources) {
    if (resource.kind !== 'Ingress' && resource.kind !== 'IngressClass') continue;
    const object = objectName(resource);
    const own = byObject.get(object) ?? [];
    const first = foremost(own.filter(isDecisive)) ?? foremost(own);
    if (first === undefined) continue;
    problems.set(resourceKey(resource), {
      type: 'Warning',
      reason: verdictOf(first.code).reason,
      message: describeProblems(own, object),
    });
  }
  return problems;
}
