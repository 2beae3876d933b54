import assert from 'node:assert/strict';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { AccessControl } from '../config/snapshot.ts';

/** Who may connect, by network. */
export class AccessList {
  readonly #allow: BlockList | null;
  readonly #deny: BlockList | null;

  constructor(accessControl: AccessControl) {
    this.#allow = blockList(accessControl.allow);
    this.#deny = blockList(accessControl.deny);
  }

  /** @param address shortest form; IPv4-mapped addresses as IPv4 */
  permits(address: string): boolean {
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (this.#deny?.check(address, family)) return false;
    return this.#allow === null || this.#allow.check(address, family);
  }
}

/** `null` when everyone may. */
export function compileAccessControl(accessControl: AccessControl | null): AccessList | null {
  if (accessControl === null) return null;
  if (accessControl.allow.length === 0 && accessControl.deny.length === 0) return null;
  return new AccessList(accessControl);
}

function blockList(networks: readonly string[]): BlockList | null {
  if (networks.length === 0) return null;
  const list = new BlockList();
  for (const network of networks) {
    const slash = network.indexOf('/');
    const address = slash === -1 ? network : network.slice(0, slash);
    assert(isIPv4(address) || isIPv6(address), `not a network: ${network}`);
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (slash === -1) list.addAddress(address, family);
    else list.addSubnet(address, Number(network.slice(slash + 1)), family);
  }
  return list;
}
