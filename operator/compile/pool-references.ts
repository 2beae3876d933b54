import type { FieldPath, Resource } from '../resources/index.ts';
import type { Objects } from './objects.ts';
import type { Pools } from './pools.ts';
import type { Report } from './report.ts';

interface Context {
  readonly pools: Pools;
  readonly objects: Objects;
  readonly report: Report;
}

/** The id of a pool, in the namespace of who refers to it, that can serve HTTP routes; or `null`. */
export function resolvePool(
  referrer: Resource,
  path: FieldPath,
  name: string,
  /** What becomes of it where there is none. */
  message: string,
  { pools, objects, report }: Context,
): string | null {
  const id = `${referrer.namespace}/${name}`;
  if (pools.get(id)) return id;
  const written = objects.pools.get(id);
  const protocol = written?.body.spec.protocol ?? 'HTTP';
  const isByteStream = protocol === 'TCP' || protocol === 'TLS' || protocol === 'UDP';
  if (written !== undefined && isByteStream) {
    report.error(referrer, path, 'UnsupportedProtocol', {
      message,
      found: `BackendPool ${id} of protocol ${protocol}`,
      expected: 'a pool of protocol HTTP or HTTPS',
    });
  } else {
    report.error(referrer, path, 'BackendNotFound', {
      message,
      found:
        written === undefined
          ? objects.describeMissing('BackendPool', id)
          : `BackendPool ${id}, which cannot be used itself`,
      expected: `a BackendPool ${name} in the namespace ${referrer.namespace}`,
    });
  }
  return null;
}
