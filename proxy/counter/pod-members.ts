import type { OwnerReference } from '../../kubernetes/objects.ts';
import type { Transport } from '../../kubernetes/transport.ts';
import type { Log } from '../telemetry/log.ts';
import { monotonicClock } from './driver/monotonic-clock.ts';
import type { GatewayName } from './link/identity.ts';
import { type LinkCredentials, TlsTransport } from './link/tls-transport.ts';
import { Membership } from './membership.ts';
import { DEFAULT_SETTINGS, type Settings } from './protocol/settings.ts';
import { KubernetesStore } from './store/kubernetes-store.ts';

export interface PodMembersOptions {
  readonly gateway: GatewayName;
  /** Names of the Leases begin with it. */
  readonly prefix: string;
  /** On all Leases of the gateway's counter, and on no other Lease. */
  readonly labels: Readonly<Record<string, string>>;
  /** With whom the Leases go. */
  readonly owner?: OwnerReference;
  readonly pod: { readonly name: string; readonly uid: string; readonly address: string };
  readonly credentials: LinkCredentials;
  /** Where links of other pods come in: every address of the pod. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly transport: Transport;
  readonly log: Log;
  readonly settings?: Settings;
}

/** A pod as a member, whose certificates can be changed. */
export interface PodMembers {
  readonly membership: Membership;
  /** For links that are opened from now on. */
  rotate(credentials: LinkCredentials): void;
}

/**
 * Opens the counter that the pods of a gateway share: Leases at the API server, links over TLS.
 *
 * @throws Error where the port cannot be had, or the credentials are none
 */
export async function openPodMembers(options: PodMembersOptions): Promise<PodMembers> {
  const { gateway, pod, credentials, listen, log, settings = DEFAULT_SETTINGS } = options;
  const clock = monotonicClock;
  const links = await TlsTransport.listen({ gateway, credentials, listen, host: pod.address });
  const store = new KubernetesStore({
    ...options,
    namespace: gateway.namespace,
    settings,
    clock,
    random: Math.random,
  });
  const among = `all pods of gateway ${gateway.namespace}/${gateway.name}`;
  const membership = new Membership({
    place: pod.name,
    among,
    settings,
    store,
    transport: links,
    clock,
    log,
  });
  return { membership, rotate: (changed) => links.rotate(changed) };
}
