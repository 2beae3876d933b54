import fc from 'fast-check';

/** A change at some place of some document. The place is found by counting through what is there. */
export type Mutation =
  | { readonly kind: 'remove' | 'double' | 'doubleDocument'; readonly place: number }
  | { readonly kind: 'replace' | 'insert'; readonly place: number; readonly value: unknown }
  | { readonly kind: 'copy'; readonly place: number; readonly from: number };

/** Values that are wrong in many places, and right in some. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    0,
    -1,
    1.5,
    1e300,
    65536,
    [],
    {},
    '*',
    '*.example.com',
    'a.example.com',
    '/',
    '//',
    '/(',
    '(a+)+$',
    'chat',
    'nowhere',
    '0.0.0.0/0',
    '::/0',
    'HTTPS',
    'TCP',
    'RegularExpression',
    'None',
    '__proto__',
    'constructor',
    '\u0000',
    'x'.repeat(5000),
  ),
  fc.jsonValue({ maxDepth: 2 }),
);
const place = fc.nat();

export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('remove' as const, 'double' as const, 'doubleDocument' as const),
    place,
  }),
  fc.record({ kind: fc.constantFrom('replace' as const, 'insert' as const), place, value }),
  fc.record({ kind: fc.constant('copy' as const), place, from: place }),
);

interface Slot {
  readonly parent: Record<string, unknown> | unknown[];
  readonly key: string | number;
}

/** Changes the documents in place. */
export function mutate(documents: unknown[], change: Mutation): void {
  if (change.kind === 'doubleDocument') {
    if (documents.length > 0) documents.push(structuredClone(documents[change.place % documents.length]));
    return;
  }
  const slots = slotsOf(documents);
  const slot = slots[change.place % Math.max(1, slots.length)];
  if (slot === undefined) return;
  switch (change.kind) {
    case 'remove':
      if (Array.isArray(slot.parent)) slot.parent.splice(Number(slot.key), 1);
      else delete slot.parent[slot.key];
      return;
    case 'double':
      if (Array.isArray(slot.parent)) slot.parent.push(structuredClone(get(slot)));
      return;
    case 'replace':
      set(slot, structuredClone(change.value));
      return;
    case 'insert':
      if (Array.isArray(slot.parent)) slot.parent.push(structuredClone(change.value));
      else slot.parent[`${slot.key}x`] = structuredClone(change.value);
      return;
    case 'copy': {
      const from = slots[change.from % slots.length];
      if (from !== undefined) set(slot, structuredClone(get(from)));
    }
  }
}

function get({ parent, key }: Slot): unknown {
  return Array.isArray(parent) ? parent[Number(key)] : parent[key];
}

function set({ parent, key }: Slot, to: unknown): void {
  if (Array.isArray(parent)) parent[Number(key)] = to;
  else parent[key] = to;
}

function slotsOf(root: unknown): Slot[] {
  const slots: Slot[] = [];
  const pending: unknown[] = [root];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    if (typeof parent !== 'object' || parent === null) continue;
    const container = parent as Slot['parent'];
    for (const key of Object.keys(container)) {
      slots.push({ parent: container, key });
      const child = get({ parent: container, key });
      if (child !== undefined && child !== null) pending.push(child);
    }
  }
  return slots;
}
