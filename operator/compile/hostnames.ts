/**
 * Host names as the Gateway API compares them: exact (`a.example.com`), a wildcard for every name below a
 * suffix (`*.example.com`, one label or more), or `*` for any. The wildcard of an Ingress stands for one label
 * and is written `?.example.com` here. All are lower case already.
 */

/** The widest host name: any host, also none at all. */
export const ANY_HOST = '*';

/**
 * The part of `left` that `right` covers too, or `null` when they have no name in common.
 * Of two names that overlap one always contains the other, so the result is one of the two.
 */
export function intersectHostnames(left: string, right: string): string | null {
  if (covers(left, right)) return right;
  if (covers(right, left)) return left;
  return null;
}

/** Whether every host that `narrow` stands for is one that `wide` stands for. */
export function covers(wide: string, narrow: string): boolean {
  if (wide === ANY_HOST || wide === narrow) return true;
  if (isOneLabel(wide)) return !isWildcard(narrow) && parentOf(narrow) === wide.slice(1);
  return wide.startsWith('*.') && narrow.length > wide.length - 1 && narrow.endsWith(wide.slice(1));
}

/** The host name of an Ingress: nothing stands for any host, and a wildcard for one label. */
export function ingressHostname(written: string | undefined): string {
  if (written === undefined || written === '') return ANY_HOST;
  return written.startsWith('*.') ? `?${written.slice(1)}` : written;
}

/** A host name as users write it. */
export function describeHostname(hostname: string): string {
  if (hostname === ANY_HOST) return 'every host';
  return isOneLabel(hostname) ? `*${hostname.slice(1)}` : hostname;
}

/** What follows the first label, with the dot before it; empty when there is nothing more. */
export function parentOf(hostname: string): string {
  const dot = hostname.indexOf('.');
  return dot === -1 ? '' : hostname.slice(dot);
}

/**
 * The hosts that a route serves on a listener: each of its names cut down to what the listener serves.
 * An empty list stands for any host, on either side. Without duplicates, most specific first.
 */
export function effectiveHostnames(route: readonly string[], listener: readonly string[]): string[] {
  const found = new Set<string>();
  for (const wanted of route.length === 0 ? [ANY_HOST] : route) {
    for (const served of listener.length === 0 ? [ANY_HOST] : listener) {
      const common = intersectHostnames(wanted, served);
      if (common !== null) found.add(common);
    }
  }
  return [...found].sort(bySpecificity);
}

/**
 * Sorts the most specific first: exact names, wildcards by falling length (of two for the same suffix the one for one
 * label), any host; each alphabetically.
 */
export function bySpecificity(left: string, right: string): number {
  return (
    rank(left) - rank(right) ||
    (isWildcard(left) ? right.length - left.length : 0) ||
    Number(isOneLabel(right)) - Number(isOneLabel(left)) ||
    compare(left, right)
  );
}

/** The order of code units, which is the same on every machine (`localeCompare` is not). */
export function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function rank(hostname: string): number {
  if (hostname === ANY_HOST) return 2;
  return isWildcard(hostname) ? 1 : 0;
}

function isWildcard(hostname: string): boolean {
  return hostname.startsWith('*.') || isOneLabel(hostname);
}

function isOneLabel(hostname: string): boolean {
  return hostname.startsWith('?.');
}
