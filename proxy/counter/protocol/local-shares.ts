import type { Incarnation } from './lease.ts';
import { ranked } from './placement.ts';

/**
 * What a member may admit of a key without asking, under `failurePolicy: Local`: shares of the same members add up to
 * `maxCount`. What is left after even division goes to the first in the key's rendezvous order, so that with few slots
 * and many members not all keys favour the same one.
 * @param members as last agreed upon, with `self`; otherwise there is no share
 */
export function staticShare(
  key: string,
  maxCount: number,
  members: readonly Incarnation[],
  self: Incarnation,
): number {
  const place = ranked(key, new Set(members)).indexOf(self);
  if (place < 0) return 0;
  const count = new Set(members).size;
  return Math.floor(maxCount / count) + (place < maxCount % count ? 1 : 0);
}
