import type { RouteMatch } from '../../proxy/config/snapshot.ts';
import { normalizePath, type PathPolicy } from '../../proxy/http/codec/path.ts';
import type { FieldPath, IngressPath } from '../resources/index.ts';
import { describeValue } from '../resources/index.ts';
import type { IngressResource } from './objects.ts';
import type { Report } from './report.ts';

/** Every path. */
export const ANY_PATH: RouteMatch['path'] = { type: 'PathPrefix', value: '/' };

/** What other controllers take for a pattern: `/.*`, `/*`, `/a(/|$)(.*)`, `/[a-z]`, `\d`. */
const PATTERN = /\.\*|\*$|\([^)]*[|.][^)]*\)|\[[^\]]*\]|\\/;

/**
 * The path of an Ingress as it is compared with those of requests: those come made unambiguous, so this one must be
 * too. `null` when no request can have it.
 */
export function compilePath(
  { path: written = '', pathType }: IngressPath,
  at: FieldPath,
  ingress: IngressResource,
  policy: PathPolicy,
  report: Report,
): RouteMatch['path'] | null {
  if (written === '') return ANY_PATH;
  const path = /[?#]/.test(written) ? null : normalizePath(percentEncoded(written), policy);
  if (typeof path !== 'string') {
    report.error(ingress, at, 'UnsupportedValue', {
      message: 'this path is left out, since no request can have it',
      found: describeValue(written),
      expected: `a path${path === null ? ' without query and fragment' : ` that can be read in one way only (${path.message})`}`,
    });
    return null;
  }
  if (PATTERN.test(written)) {
    report.warning(ingress, at, 'UnsupportedValue', {
      message: 'paths are compared as they are written',
      found: `${describeValue(written)}, which looks like a pattern`,
      expected: 'a path, or the beginning of one with pathType Prefix',
    });
  }
  if (pathType === 'Exact') return { type: 'Exact', value: path };
  // A prefix counts whole path elements, so a slash at its end says nothing.
  return { type: 'PathPrefix', value: path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path };
}

/** As it stands in requests; what is encoded already stays. */
function percentEncoded(path: string): string {
  return encodeURI(path.toWellFormed()).replaceAll('%25', '%');
}
