/** What came of the objects, as far as statuses need it and diagnostics do not say it. */
export interface CompileFacts {
  /** For each gateway with a snapshot, by id: the number of routes of each listener that is served, by name. */
  readonly attachedRoutes: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /**
   * For each valid rule list, by id, and each of its `targetRefs`, in order: the id of the gateway where the
   * rules hold; `null` where they hold nowhere.
   */
  readonly ruleLists: ReadonlyMap<string, readonly (string | null)[]>;
  /**
   * For each valid Ingress of a class that is ours, by id: the id of the gateway that serves it; `null` where
   * there is none.
   */
  readonly ingresses: ReadonlyMap<string, string | null>;
}
