import { type Diagnostic, objectName, type Resource } from '../resources/index.ts';

/** An object whose status is computed, with all that is said against it and against others. */
export interface Subject<Body> {
  readonly namespace: string;
  readonly name: string;
  /** As diagnostics name it. */
  readonly object: string;
  readonly generation: number | undefined;
  /** What is in effect: an earlier version where that is kept; `null` for an object that is left out. */
  readonly body: Body | null;
  /** Whether {@link body} is an earlier version. */
  readonly isKept: boolean;
  /** Left out, for whatever reason, in the version that there is now. */
  readonly isRejected: boolean;
  readonly own: readonly Diagnostic[];
  /** All diagnostics by the object that they are about. */
  readonly all: ReadonlyMap<string, readonly Diagnostic[]>;
}

/** How one object stands after compiling. */
export interface Outcome {
  readonly isRejected: boolean;
  /** The earlier version that is in effect in its place; `undefined` where there is none. */
  readonly kept: Resource | undefined;
  readonly diagnostics: ReadonlyMap<string, readonly Diagnostic[]>;
  /** Whether the version that there is now has the shape of its type. */
  readonly isReadable: boolean;
}

export function subjectOf<R extends Resource>(
  resource: R,
  { isRejected, kept, diagnostics, isReadable }: Outcome,
): Subject<R['body']> {
  const object = objectName(resource);
  const generation: unknown = resource.body.metadata.generation;
  return {
    namespace: resource.namespace,
    name: resource.name,
    object,
    generation: typeof generation === 'number' ? generation : undefined,
    body: kept !== undefined ? (kept.body as R['body']) : isReadable ? resource.body : null,
    isKept: kept !== undefined,
    isRejected,
    own: diagnostics.get(object) ?? [],
    all: diagnostics,
  };
}
