import type { RouteMatch } from '../../proxy/config/snapshot.ts';

/**
 * The order in which the matches of one host are tried: the rules of HTTPRoute v1 (`HTTPRouteRule.matches`).
 * Exact path, then the longest path prefix, then the match with a method, with more header matches, with
 * more query parameter matches. What is equal in all of that keeps the order it came in, so the caller
 * sorts by age or by place in the list beforehand (the sort is stable).
 *
 * The Gateway API leaves the place of regular expressions to the implementation. They come between exact
 * paths and prefixes, longer ones first: behind the prefixes, one route for `/` would hide them all.
 */
export function byPrecedence(left: RouteMatch, right: RouteMatch): number {
  return (
    pathRank(left) - pathRank(right) ||
    pathLength(right) - pathLength(left) ||
    hasMethod(right) - hasMethod(left) ||
    right.headers.length - left.headers.length ||
    right.queryParams.length - left.queryParams.length
  );
}

function pathRank(match: RouteMatch): number {
  switch (match.path.type) {
    case 'Exact':
      return 0;
    case 'RegularExpression':
      return 1;
    case 'PathPrefix':
      return 2;
  }
}

/** Exact paths that differ never compete, so their length does not matter. */
function pathLength(match: RouteMatch): number {
  return match.path.type === 'Exact' ? 0 : match.path.value.length;
}

function hasMethod(match: RouteMatch): number {
  return match.method === null ? 0 : 1;
}
