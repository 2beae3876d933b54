import type { Incarnation } from './lease.ts';

/** FNV-1a, finished by a mix, so that names that differ in their last character spread. Unsigned, 32 bits. */
export function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  }
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}

export function shardOfKey(key: string, shards: number): number {
  return hash(key) % shards;
}

/**
 * Rendezvous hashing: the members by their weight for a name, heaviest first. When a member comes or goes, only what
 * it wins or held moves.
 */
export function ranked(name: string, members: Iterable<Incarnation>): Incarnation[] {
  const weighed = [...members].map((member) => ({ member, weight: hash(`${name} ${member}`) }));
  weighed.sort((a, b) => b.weight - a.weight || (a.member < b.member ? -1 : 1));
  return weighed.map(({ member }) => member);
}
