import { placeOf } from '../driver/incarnation.ts';
import type { Incarnation } from '../protocol/lease.ts';

/** Whose members link with each other. */
export interface GatewayName {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The subject alternative name that a member's certificate has: of a pod, or of all pods of a gateway.
 * @param pod `null` for all
 */
export function memberUri({ namespace, name }: GatewayName, pod: string | null): string {
  return `sluice://${namespace}/${name}${pod === null ? '' : `/${pod}`}`;
}

/**
 * Whether the owner of a certificate may speak for a member.
 * @param names as Node prints them: `URI:sluice://…, DNS:…`; it puts a name in quotes that holds anything special
 */
export function speaksFor(names: string | undefined, gateway: GatewayName, member: Incarnation): boolean {
  const accepted = [memberUri(gateway, placeOf(member)), memberUri(gateway, null)];
  return (names ?? '').split(', ').some((name) => accepted.some((uri) => name === `URI:${uri}`));
}
