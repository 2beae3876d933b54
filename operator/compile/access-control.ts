import { isIPv6 } from 'node:net';
import type { AccessControl } from '../../proxy/config/snapshot.ts';

const EVERYONE: readonly string[] = ['0.0.0.0/0', '::/0'];

/** What the user wrote: blocks of addresses in CIDR notation, valid already. */
interface Written {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
}

/** Access control of one object as the proxy executes it; `null` where everyone is let in. */
export function accessControl(written: Written | undefined): AccessControl | null {
  const allow = [...new Set(written?.allow)].sort();
  const deny = [...new Set(written?.deny)].sort();
  return allow.length === 0 && deny.length === 0 ? null : { allow, deny };
}

/** The access control that lets in exactly those whom both let in. */
export function bothAllow(outer: AccessControl | null, inner: AccessControl | null): AccessControl | null {
  if (outer === null) return inner;
  if (inner === null) return outer;
  const deny = [...new Set([...outer.deny, ...inner.deny])].sort();
  if (outer.allow.length === 0) return { allow: inner.allow, deny };
  if (inner.allow.length === 0) return { allow: outer.allow, deny };
  const allow = intersect(outer.allow, inner.allow);
  // An empty `allow` means everyone, so nobody has to be written as a denial.
  return allow.length === 0 ? { allow: [], deny: EVERYONE } : { allow, deny };
}

/** Of two blocks that overlap one contains the other, so the common part is always one of the two. */
function intersect(left: readonly string[], right: readonly string[]): string[] {
  const found = new Set<string>();
  const others = right.map(parseBlock);
  for (const one of left.map(parseBlock)) {
    for (const other of others) {
      if (one.bits !== other.bits) continue;
      const [wide, narrow] = one.length <= other.length ? [one, other] : [other, one];
      const dropped = BigInt(wide.bits - wide.length);
      if (wide.address >> dropped === narrow.address >> dropped) found.add(narrow.text);
    }
  }
  return [...found].sort();
}

interface Block {
  readonly text: string;
  readonly address: bigint;
  readonly bits: 32 | 128;
  readonly length: number;
}

function parseBlock(text: string): Block {
  const slash = text.lastIndexOf('/');
  const address = text.slice(0, slash);
  const length = Number(text.slice(slash + 1));
  return isIPv6(address)
    ? { text, address: parseIPv6(address), bits: 128, length }
    : { text, address: parseIPv4(address), bits: 32, length };
}

function parseIPv4(address: string): bigint {
  return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

function parseIPv6(address: string): bigint {
  const [head = '', tail] = address.split('::');
  const left = groups(head);
  if (tail === undefined) return join(left);
  const right = groups(tail);
  return join([...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]);
}

/** 16-bit groups; a trailing IPv4 address is two of them. */
function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [Number.parseInt(part, 16)];
    const value = Number(parseIPv4(part));
    return [value >>> 16, value & 0xffff];
  });
}

function join(values: readonly number[]): bigint {
  return values.reduce((sum, value) => (sum << 16n) | BigInt(value), 0n);
}
