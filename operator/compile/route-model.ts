import type { RouteMatch, Rule } from '../../proxy/config/snapshot.ts';

/**
 * One routing rule in a form that no longer shows which kind of resource it came from. Each kind has a step
 * that turns its objects into a list of these; one step makes virtual hosts of all of them.
 *
 * A list of models is in the order that decides between equal matches: for EdgeGateway routes the order in
 * which they are written; for kinds with several objects, by age and then by name.
 */
export interface RouteModel {
  /** Becomes the rule's id, e.g. `EdgeGateway/default/chat/hub`. */
  readonly id: string;
  /** The host names that the route asks for; empty is every host of the listener. */
  readonly hostnames: readonly string[];
  /** The names of the listeners that it is attached to. */
  readonly listeners: readonly string[];
  /** Never empty: a route that matches everything has one match that says so. */
  readonly matches: readonly RouteMatch[];
  /** What happens to the requests, but for the rule lists, which may differ from listener to listener. */
  readonly action: Omit<Rule, 'id' | 'ruleLists'>;
  /** Names under which a rule list may point at this route alone. */
  readonly sections: readonly string[];
  /** The id of the Ingress that it came from; `null` for other kinds. */
  readonly ingress: string | null;
  /** The ids of the rule lists that it names itself. */
  readonly ruleLists: readonly string[];
}
