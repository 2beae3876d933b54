import type { Mirror } from '../config/snapshot.ts';

/** Whether this request is one of the share that is mirrored. @param random uniform in [0, 1) */
export function isMirrored(mirror: Mirror, random: () => number): boolean {
  if (mirror.numerator >= mirror.denominator) return true;
  return mirror.numerator > 0 && random() * mirror.denominator < mirror.numerator;
}
