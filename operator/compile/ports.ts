import type { Port } from '../../proxy/config/snapshot.ts';
import { PORTS_OF_PODS } from '../../proxy/pod/places.ts';
import type { Environment } from './environment.ts';
import { ANY_HOST } from './hostnames.ts';
import { type GatewayResource, objectId } from './objects.ts';
import type { Report } from './report.ts';

export type WrittenListener = GatewayResource['body']['spec']['listeners'][number];

/** A listener that has its port, with its place in the gateway's list. */
export interface ClaimedListener {
  readonly listener: WrittenListener;
  readonly index: number;
}

interface Claim {
  readonly gateway: string;
  readonly transport: Port['transport'];
  /** The name of the listener that has each host name. */
  readonly owners: Map<string, string>;
}

/** Why a port cannot be had. */
export interface PortConflict {
  readonly code: 'PortUnavailable' | 'ProtocolConflict';
  readonly found: string;
  readonly expected: string;
}

const SERVED_PROTOCOLS = ['HTTP', 'HTTPS'];

/**
 * Gives out ports: those of one process that all gateways share, or in a cluster those of each gateway's own
 * pods. Gateways are served by name and listeners in the order written; a listener that comes too late for
 * its port is left out and reported.
 */
export class PortClaims {
  readonly #environment: Environment;
  readonly #report: Report;
  readonly #claims = new Map<string, Claim>();

  constructor(environment: Environment, report: Report) {
    this.#environment = environment;
    this.#report = report;
  }

  /** The listeners of the gateway that have their port. */
  claim(gateway: GatewayResource): ClaimedListener[] {
    const claimed: ClaimedListener[] = [];
    for (const [index, listener] of gateway.body.spec.listeners.entries()) {
      if (this.#isServed(gateway, listener, index) && this.#claimOne(gateway, listener, index)) {
        claimed.push({ listener, index });
      }
    }
    return claimed;
  }

  /**
   * Claims a port for the TLS of Ingresses, once all gateways have theirs; a gateway may have it already.
   *
   * @returns why it cannot be had, or `null`
   */
  claimForIngresses(gateway: GatewayResource, port: number): PortConflict | null {
    const key = this.#keyOf(gateway, port);
    const id = objectId(gateway);
    const claim = this.#claims.get(key) ?? { gateway: id, transport: 'TLS', owners: new Map() };
    if (claim.gateway !== id) {
      return {
        code: 'PortUnavailable',
        found: `port ${port}, which EdgeGateway ${claim.gateway} has already`,
        expected: `an HTTPS listener of EdgeGateway ${id}, whose port is used then`,
      };
    }
    if (claim.transport !== 'TLS') {
      return {
        code: 'ProtocolConflict',
        found: `port ${port}, which EdgeGateway ${id} serves without TLS`,
        expected: 'an HTTPS listener on another port, which is used then',
      };
    }
    this.#claims.set(key, claim);
    return null;
  }

  #isServed(gateway: GatewayResource, { protocol }: WrittenListener, index: number): boolean {
    if (SERVED_PROTOCOLS.includes(protocol)) return true;
    this.#report.warning(gateway, ['spec', 'listeners', index, 'protocol'], 'NotServedProtocol', {
      message: 'this version does not serve the protocol yet, so the listener is left out',
      found: protocol,
      expected: SERVED_PROTOCOLS.join(' or '),
    });
    return false;
  }

  #claimOne(gateway: GatewayResource, listener: WrittenListener, index: number): boolean {
    const { port } = listener;
    const transport = transportOf(listener);
    const key = this.#keyOf(gateway, port);
    const claim = this.#claims.get(key) ?? { gateway: objectId(gateway), transport, owners: new Map() };
    const path = ['spec', 'listeners', index];
    if (this.#environment === 'Cluster' && PORTS_OF_PODS.includes(port)) {
      this.#report.error(gateway, [...path, 'port'], 'PortUnavailable', {
        message: 'this listener is left out',
        found: `port ${port}, which each pod of the gateway uses itself`,
        expected: `a port other than ${PORTS_OF_PODS.join(' and ')}`,
      });
      return false;
    }
    if (claim.gateway !== objectId(gateway)) {
      this.#report.error(gateway, [...path, 'port'], 'PortUnavailable', {
        message: 'this listener is left out',
        found: `port ${port}, which EdgeGateway ${claim.gateway} has already`,
        expected: 'a port that no other gateway has',
      });
      return false;
    }
    if (claim.transport !== transport) {
      this.#report.error(gateway, [...path, 'protocol'], 'ProtocolConflict', {
        message: 'this listener is left out',
        found: `${listener.protocol} on port ${port}, which a listener before it uses ${claim.transport === 'TLS' ? 'with' : 'without'} TLS`,
        expected: 'another port',
      });
      return false;
    }
    const hostnames = listener.hostnames?.length ? listener.hostnames : [ANY_HOST];
    for (const [place, hostname] of hostnames.entries()) {
      const owner = claim.owners.get(hostname);
      if (owner === undefined) continue;
      const at = hostname === ANY_HOST ? path : [...path, 'hostnames', place];
      this.#report.error(gateway, at, 'HostnameConflict', {
        message: 'this listener is left out',
        found: `${hostname === ANY_HOST ? 'every host' : hostname} on port ${port}, which listener ${owner} has already`,
        expected: 'another port or other hostnames',
      });
      return false;
    }
    for (const hostname of hostnames) claim.owners.set(hostname, listener.name);
    this.#claims.set(key, claim);
    return true;
  }

  /** Pods have ports of their own, so only those of one gateway can meet. */
  #keyOf(gateway: GatewayResource, port: number): string {
    return this.#environment === 'Cluster' ? `${objectId(gateway)} ${port}` : String(port);
  }
}

export function transportOf({ protocol }: WrittenListener): Port['transport'] {
  if (protocol === 'UDP') return 'UDP';
  return protocol === 'HTTPS' || protocol === 'TLS' ? 'TLS' : 'Cleartext';
}
