/**
 * 64-bit string hashing for placement (rings, tables), as two 32-bit halves: JavaScript has no fast 64-bit integers.
 * Every pod must place alike, so the seeds are fixed; nothing here is a secret or protects one.
 */

/** Second half of the last {@link hash64}: a second return value without an allocation. */
export let hashLow = 0;

/** The first half; the second is {@link hashLow}, valid until the next call. Both are signed 32-bit integers. */
export function hash64(text: string, seed = 0): number {
  let high = 0x9747b28c ^ seed;
  let low = 0x3c6ef372 ^ Math.imul(seed, 0x85ebca6b);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    high = Math.imul(high ^ unit, 0x9e3779b1);
    high ^= high >>> 15;
    low = Math.imul(low ^ unit, 0x5f356495);
    low ^= low >>> 13;
  }
  hashLow = mix(low ^ text.length);
  return mix(high ^ hashLow);
}

/** An unsigned 32-bit hash, for a place on a ring. */
export function hash32(text: string, seed = 0): number {
  return hash64(text, seed) >>> 0;
}

/** Spreads every input bit over all output bits (the finaliser of MurmurHash3). */
export function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
