import type { Rule } from '../../proxy/config/snapshot.ts';
import { effectiveHostnames } from './hostnames.ts';
import type { UsableListener } from './listeners.ts';
import type { RouteModel } from './route-model.ts';
import type { RuleLists } from './rule-lists.ts';
import type { AttachedRoute } from './virtual-hosts.ts';

export interface AttachedRoutes {
  readonly rules: readonly Rule[];
  readonly byListener: ReadonlyMap<UsableListener, readonly AttachedRoute[]>;
}

/**
 * Makes a rule of each route that some listener can reach. Rule lists may differ from listener to listener:
 * then the route becomes several rules of the same id, so that logs and metrics still see one.
 */
export function attachRoutes(
  gateway: string,
  listeners: readonly UsableListener[],
  models: readonly RouteModel[],
  ruleLists: RuleLists,
): AttachedRoutes {
  const rules: Rule[] = [];
  const byName = new Map(listeners.map((listener) => [listener.listener.name, listener]));
  const byListener = new Map<UsableListener, AttachedRoute[]>(listeners.map((listener) => [listener, []]));
  for (const model of models) {
    const variants = new Map<string, number>();
    for (const name of model.listeners) {
      const listener = byName.get(name);
      if (listener === undefined) continue;
      if (effectiveHostnames(model.hostnames, listener.hostnames).length === 0) continue;
      const lists = ruleLists.forRoute(gateway, listener.inherits ?? name, model);
      const variant = lists.join(' ');
      const rule =
        variants.get(variant) ?? rules.push({ id: model.id, ...model.action, ruleLists: lists }) - 1;
      variants.set(variant, rule);
      byListener.get(listener)?.push({ model, rule });
    }
  }
  return { rules, byListener };
}
