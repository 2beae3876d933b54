import type { RouteMatch, ValueMatch } from '../../proxy/config/snapshot.ts';
import { compilePattern } from '../../proxy/routing/pattern.ts';
import type { EdgeGateway, FieldPath } from '../resources/index.ts';
import { withDefaults } from '../resources/index.ts';
import { compare } from './hostnames.ts';

type Route = NonNullable<EdgeGateway['spec']['routes']>[number];
type WrittenMatch = NonNullable<Route['match']>;
type WrittenPath = NonNullable<WrittenMatch['paths']>[number];
type WrittenValue = NonNullable<WrittenMatch['headers']>[number];

const MATCH = 'EdgeGateway.spec.routes[].match';
const ANY_PATH: RouteMatch['path'] = { type: 'PathPrefix', value: '/' };

/** A regular expression that cannot be used, and why. */
export type Refuse = (path: FieldPath, pattern: string, reason: string) => void;

/**
 * One match for each pair of path and method. A path whose regular expression cannot be used is left out; a
 * header or query condition that cannot be used leaves no match at all, since the route would otherwise get
 * requests that it was not meant for.
 */
export function compileMatches(written: WrittenMatch, refuse: Refuse): RouteMatch[] {
  const headers = compileValues(written.headers ?? [], 'headers', refuse, (name) => name.toLowerCase());
  const queryParams = compileValues(written.queryParams ?? [], 'queryParams', refuse, (name) => name);
  if (headers === null || queryParams === null) return [];
  const paths: RouteMatch['path'][] = [];
  for (const [index, path] of (written.paths ?? []).entries()) {
    const compiled = compilePath(path, ['paths', index, 'value'], refuse);
    if (compiled !== null) paths.push(compiled);
  }
  if (!written.paths?.length) paths.push(ANY_PATH);
  const methods: readonly (string | null)[] = written.methods?.length ? [...written.methods].sort() : [null];
  return paths.flatMap((path) => methods.map((method) => ({ path, method, headers, queryParams })));
}

function compilePath(written: WrittenPath, at: FieldPath, refuse: Refuse): RouteMatch['path'] | null {
  const { type, value } = withDefaults(`${MATCH}.paths[]`, written);
  if (type === 'RegularExpression' && !isUsable(value, at, refuse)) return null;
  // A prefix counts whole path elements, so a slash at its end says nothing.
  if (type === 'PathPrefix' && value.length > 1 && value.endsWith('/'))
    return { type, value: value.slice(0, -1) };
  return { type, value };
}

/** Sorted by name, as all of them must match anyway. */
function compileValues(
  written: readonly WrittenValue[],
  field: 'headers' | 'queryParams',
  refuse: Refuse,
  normalise: (name: string) => string,
): ValueMatch[] | null {
  const values: ValueMatch[] = [];
  let usable = true;
  for (const [index, entry] of written.entries()) {
    const { type, name, value } = withDefaults(`${MATCH}.${field}[]`, entry);
    if (type === 'RegularExpression' && !isUsable(value, [field, index, 'value'], refuse)) usable = false;
    values.push({ name: normalise(name), type, value });
  }
  if (!usable) return null;
  return values.sort((left, right) => compare(left.name, right.name) || compare(left.value, right.value));
}

function isUsable(pattern: string, at: FieldPath, refuse: Refuse): boolean {
  const compiled = compilePattern(pattern);
  if (compiled.ok) return true;
  refuse(at, pattern, compiled.reason);
  return false;
}
