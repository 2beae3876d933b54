import { randomBytes } from 'node:crypto';
import { isIncarnation } from '../link/codec.ts';
import type { Incarnation } from '../protocol/lease.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';
/** 80 bits of chance: no name is ever used twice. */
const SUFFIX_LENGTH = 16;

/**
 * A name for one life of a member in a place, such as a Pod.
 * @param place lower-case letters, digits, dots and dashes
 */
export function newIncarnation(place: string): Incarnation {
  const suffix = [...randomBytes(SUFFIX_LENGTH)].map((byte) => LETTERS[byte % LETTERS.length]).join('');
  const incarnation = `${place}.${suffix}`;
  if (!isIncarnation(incarnation))
    throw new Error(`place of a member: found "${place}", expected lower-case letters, digits, dots, dashes`);
  return incarnation;
}

/** Where an incarnation lives or lived. */
export function placeOf(incarnation: Incarnation): string {
  return incarnation.slice(0, Math.max(0, incarnation.lastIndexOf('.')));
}
