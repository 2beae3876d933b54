import type { Settings } from '../config/snapshot.ts';
import { CORS_RESPONSE_FIELDS } from '../filters/cors.ts';
import { droppedForwardedFields } from '../filters/forwarded.ts';
import type { HeaderEdit } from '../filters/header-edit.ts';
import type { BackendTable, RuleTable } from '../routing/rule.ts';
import { type HeaderPlan, HOP_BY_HOP } from './codec/edit.ts';
import { KNOWN_NAMES, knownNumber } from './codec/known.ts';

/** How the heads of one backend's exchanges are rewritten. */
export interface BackendPlans {
  readonly request: HeaderPlan;
  readonly response: HeaderPlan;
}

const NOTHING: ReadonlySet<string> = new Set();

/** Interim responses pass without what belongs to a connection. */
export const INTERIM_PLAN: HeaderPlan = headerPlan(null, NOTHING);

/**
 * The plans of a routing table's backends, worked out at the first request for each. One cache belongs to one
 * routing table, since what is dropped depends on its settings.
 */
export class PlanCache {
  readonly #droppedFields: ReadonlySet<string>;
  readonly #plans = new Map<BackendTable, BackendPlans>();

  constructor(settings: Settings) {
    this.#droppedFields = droppedForwardedFields(settings.forwardedHeaders);
  }

  plansOf(rule: RuleTable, backend: BackendTable): BackendPlans {
    let plans = this.#plans.get(backend);
    if (plans === undefined) {
      plans = {
        request: headerPlan(backend.requestEdit, this.#droppedFields),
        response: headerPlan(backend.responseEdit, rule.cors === null ? NOTHING : CORS_RESPONSE_FIELDS),
      };
      this.#plans.set(backend, plans);
    }
    return plans;
  }
}

function headerPlan(edit: HeaderEdit | null, replaced: ReadonlySet<string>): HeaderPlan {
  const dropped = new Set([...HOP_BY_HOP, 'host', ...replaced, ...(edit?.dropped ?? [])]);
  const others = [...dropped].filter((name) => knownNumber(name) === 0);
  return {
    dropsKnown: Uint8Array.from(KNOWN_NAMES, (name) => (dropped.has(name) ? 1 : 0)),
    dropsOther: others.length > 0 ? new Set(others) : null,
    lines: edit?.lines ?? '',
  };
}

const ACCEPT_ENCODING = knownNumber('accept-encoding');

/** The same without Accept-Encoding: for an answer that the gateway itself has to read. */
export function uncoded(plan: HeaderPlan): HeaderPlan {
  const dropsKnown = Uint8Array.from(plan.dropsKnown);
  dropsKnown[ACCEPT_ENCODING] = 1;
  return { ...plan, dropsKnown };
}
