/**
 * The routes of one virtual host, indexed by path, so that a request looks at the few routes whose path can match
 * instead of at all of them. The order of precedence is the index of a route: each list below is ascending, and the
 * lowest index that matches wins, whichever list it is in.
 */
import type { Pattern } from './pattern.ts';

export interface IndexedRoute {
  readonly path:
    | { readonly type: 'Exact'; readonly value: string }
    | { readonly type: 'PathPrefix'; readonly value: string }
    | { readonly type: 'RegularExpression'; readonly pattern: Pattern };
}

export class PathIndex<R extends IndexedRoute> {
  readonly #routes: readonly R[];
  readonly #exact = new Map<string, number[]>();
  /** By prefix without trailing slash; the prefix `/` is the empty string. */
  readonly #prefix = new Map<string, number[]>();
  readonly #patterns: number[] = [];
  #longestPrefix = 0;

  /** @param routes in order of precedence */
  constructor(routes: readonly R[]) {
    this.#routes = routes;
    for (const [index, { path }] of routes.entries()) {
      if (path.type === 'Exact') push(this.#exact, path.value, index);
      else if (path.type === 'PathPrefix') {
        const prefix = trimSlashes(path.value);
        this.#longestPrefix = Math.max(this.#longestPrefix, prefix.length);
        push(this.#prefix, prefix, index);
      } else this.#patterns.push(index);
    }
  }

  /** The first route in order of precedence whose path matches and that `accepts` the rest of the request. */
  find<Q>(path: string, request: Q, accepts: (route: R, request: Q) => boolean): R | null {
    let best = this.#first(this.#exact.get(path), this.#routes.length, request, accepts);
    if (path.charCodeAt(0) === 0x2f) {
      best = this.#first(this.#prefix.get(''), best, request, accepts);
      if (this.#longestPrefix > 0) {
        // Every place where an element ends, and the whole path unless it ends with a slash.
        for (let end = 1; end <= path.length; end++) {
          end = path.indexOf('/', end);
          if (end === -1) end = path.length;
          if (end > this.#longestPrefix) break;
          best = this.#first(this.#prefix.get(path.slice(0, end)), best, request, accepts);
        }
      }
    }
    for (const index of this.#patterns) {
      if (index >= best) break;
      const route = this.#routes[index]!;
      if (
        route.path.type === 'RegularExpression' &&
        route.path.pattern.matches(path) &&
        accepts(route, request)
      ) {
        best = index;
        break;
      }
    }
    return this.#routes[best] ?? null;
  }

  #first<Q>(
    candidates: readonly number[] | undefined,
    best: number,
    request: Q,
    accepts: (route: R, request: Q) => boolean,
  ): number {
    if (candidates === undefined) return best;
    for (let i = 0; i < candidates.length; i++) {
      const index = candidates[i]!;
      if (index >= best) return best;
      if (accepts(this.#routes[index]!, request)) return index;
    }
    return best;
  }
}

/** A prefix without its trailing slashes, which do not count. */
export function trimSlashes(prefix: string): string {
  let end = prefix.length;
  while (end > 0 && prefix.charCodeAt(end - 1) === 0x2f) end--;
  return end === prefix.length ? prefix : prefix.slice(0, end);
}

function push(map: Map<string, number[]>, key: string, index: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [index]);
  else list.push(index);
}
