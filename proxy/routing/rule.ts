import type { Backend, Rewrite, Rule } from '../config/snapshot.ts';
import { type AccessList, compileAccessControl } from '../filters/access-control.ts';
import { type CorsPolicy, compileCors } from '../filters/cors.ts';
import { compileHeaderEdit, type HeaderEdit } from '../filters/header-edit.ts';
import type { RuleSeries } from './series.ts';

/** A backend with the filters of its rule and its own as one. */
export interface BackendTable {
  readonly backend: Backend;
  /** Id of the pool; `null` is a reference that dangles: 500. */
  readonly pool: string | null;
  readonly requestEdit: HeaderEdit | null;
  readonly responseEdit: HeaderEdit | null;
  /** The backend's rewrite, or the rule's. */
  readonly rewrite: Rewrite | null;
}

/** A rule with what is worked out once instead of for every request. */
export class RuleTable {
  readonly rule: Rule;
  readonly accessList: AccessList | null;
  /** Of the rule alone, for answers that no backend gives. */
  readonly responseEdit: HeaderEdit | null;
  readonly cors: CorsPolicy | null;
  readonly series: RuleSeries | null;
  readonly backends: readonly BackendTable[];
  /** Backends with a weight above 0, and the running sum of the weights. */
  readonly #choices: readonly BackendTable[];
  readonly #bounds: readonly number[];
  readonly #total: number;

  constructor(rule: Rule, series: RuleSeries | null) {
    const { filters } = rule;
    this.rule = rule;
    this.series = series;
    this.accessList = compileAccessControl(rule.accessControl);
    this.responseEdit = compileHeaderEdit(filters.responseHeaders);
    this.cors = filters.cors === null ? null : compileCors(filters.cors);
    this.backends = rule.backends.map((backend) => ({
      backend,
      pool: backend.pool,
      requestEdit: compileHeaderEdit(filters.requestHeaders, backend.requestHeaders),
      responseEdit: compileHeaderEdit(filters.responseHeaders, backend.responseHeaders),
      rewrite: mergeRewrites(filters.rewrite, backend.rewrite),
    }));
    this.#choices = this.backends.filter(({ backend }) => backend.weight > 0);
    let total = 0;
    this.#bounds = this.#choices.map(({ backend }) => {
      total += backend.weight;
      return total;
    });
    this.#total = total;
  }

  /**
   * One of the backends by weight; `null` when there is none with a weight above 0.
   * @param random uniform in [0, 1)
   */
  chooseBackend(random: () => number): BackendTable | null {
    const choices = this.#choices;
    if (choices.length <= 1) return choices[0] ?? null;
    const at = random() * this.#total;
    let index = 0;
    while (index < choices.length - 1 && at >= this.#bounds[index]!) index++;
    return choices[index]!;
  }
}

function mergeRewrites(rule: Rewrite | null, backend: Rewrite | null): Rewrite | null {
  if (rule === null || backend === null) return backend ?? rule;
  return { hostname: backend.hostname ?? rule.hostname, path: backend.path ?? rule.path };
}
