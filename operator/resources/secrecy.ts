/** Which values must never be shown. */
import type { FieldPath, Kind } from './types.ts';

/**
 * Whether the value of a field may be secret, or hold something that is: everything in a Secret, keys of
 * tokens, values of header fields and query parameters (they often carry credentials), and annotations (kubectl keeps a copy of
 * the whole object there).
 */
export function isHidden(kind: Kind, path: FieldPath): boolean {
  if (kind === 'Secret') return path[0] !== 'metadata' || path[1] === 'annotations';
  if (path.includes('annotations')) return true;
  if (kind === 'ConfigMap') return path[0] === 'data' || path[0] === 'binaryData';
  const last = path.at(-1)!;
  const isKey = path.includes('jwt') && path.includes('keys');
  const isMatchOrHeader = path.some((key) => namedValues.has(key));
  return (isKey || isMatchOrHeader) && !shown.has(last);
}

const namedValues = new Set<string | number>([
  'headers',
  'queryParams',
  'requestHeaderModifier',
  'responseHeaderModifier',
]);

/** Fields next to the values, in which nobody writes a secret by mistake. */
const shown = new Set<string | number>(['name', 'type', 'encoding']);
