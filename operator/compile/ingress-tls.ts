import type { Certificate, ListenerTls } from '../../proxy/config/snapshot.ts';
import { type FieldPath, type IngressTls, objectName, withDefaults } from '../resources/index.ts';
import type { Certificates } from './certificates.ts';
import { ANY_HOST, bySpecificity, covers, describeHostname, ingressHostname } from './hostnames.ts';
import { reportMissingName, type UsableListener } from './listeners.ts';
import { type GatewayResource, type IngressResource, type Objects, objectId } from './objects.ts';
import { describeUnusable } from './pools.ts';
import type { ClaimedListener, PortClaims } from './ports.ts';
import type { Report } from './report.ts';

export const HTTPS_PORT = 443;

interface IngressListenerInput {
  readonly gateway: GatewayResource;
  readonly claimed: readonly ClaimedListener[];
  /** The gateway's own listeners. */
  readonly own: readonly UsableListener[];
  /** Those that the gateway serves, the oldest first. */
  readonly ingresses: readonly IngressResource[];
  readonly certificates: Certificates;
  readonly objects: Objects;
  readonly ports: PortClaims;
  readonly report: Report;
}

/** A host that an Ingress has a certificate for. */
interface SecuredHost {
  readonly hostname: string;
  readonly certificate: Certificate;
  readonly ingress: IngressResource;
  /** The entry of `spec.tls`. */
  readonly path: FieldPath;
}

/**
 * The listeners that the certificates of Ingresses make: one for each host, so that each is stable whatever becomes of
 * the others. A host that a listener of the gateway names itself stays with that one.
 *
 * Such a listener takes its host from the listener of the gateway that would have had it, so what that one asks of
 * clients, its routes and its rule lists hold here too: an Ingress must not open what the gateway's owner has closed.
 */
export function compileIngressListeners(input: IngressListenerInput): UsableListener[] {
  const { gateway, ports, report } = input;
  const port = ingressPort(input.claimed);
  const secured = securedHosts(input, port);
  if (secured.length === 0) return [];
  const conflict = ports.claimForIngresses(gateway, port);
  if (conflict !== null) {
    const { code, ...finding } = conflict;
    const entries = new Map(
      secured.map(({ ingress, path }) => [`${objectId(ingress)} ${path.join()}`, { ingress, path }]),
    );
    for (const { ingress, path } of entries.values()) {
      report.error(ingress, path, code, {
        message: 'these hosts are not served with this certificate',
        ...finding,
      });
    }
    return [];
  }
  return secured.flatMap((host) => listenerOf(host, port, input) ?? []);
}

/** The port of the gateway's first HTTPS listener, or else 443. */
export function ingressPort(claimed: readonly ClaimedListener[]): number {
  return claimed.find(({ listener }) => listener.protocol === 'HTTPS')?.listener.port ?? HTTPS_PORT;
}

/** The host names of an entry of `spec.tls`; where it names none, those of the Ingress's rules. */
export function hostnamesOf({ hosts = [] }: IngressTls, { body: { spec } }: IngressResource): string[] {
  if (hosts.length > 0) return hosts.map(ingressHostname);
  const ofRules = (spec.rules ?? []).map(({ host }) => ingressHostname(host));
  return ofRules.length === 0 ? [ANY_HOST] : [...new Set(ofRules)];
}

function securedHosts(input: IngressListenerInput, port: number): SecuredHost[] {
  const { gateway, own, ingresses, report } = input;
  const ofGateway = own.filter(({ listener }) => listener.protocol === 'HTTPS' && listener.port === port);
  const found = new Map<string, SecuredHost>();
  for (const ingress of ingresses) {
    for (const [index, entry] of (ingress.body.spec.tls ?? []).entries()) {
      const path = ['spec', 'tls', index];
      const certificate = certificateOf(ingress, entry, path, input);
      if (certificate === null) continue;
      for (const [place, hostname] of hostnamesOf(entry, ingress).entries()) {
        const at = entry.hosts?.length ? [...path, 'hosts', place] : path;
        const earlier = found.get(hostname);
        const listener = ofGateway.find(({ hostnames }) => namesItself(hostnames, hostname));
        if (listener !== undefined) {
          if (listener.tls?.certificates.includes(certificate.id)) continue;
          report.warning(ingress, at, 'HostnameConflict', {
            message: "the gateway's certificate is shown for this host",
            found: `${describeHostname(hostname)}, which listener ${listener.listener.name} of ${objectName(gateway)} has already`,
            expected: 'a host that no HTTPS listener of the gateway names',
          });
        } else if (earlier === undefined) {
          found.set(hostname, { hostname, certificate, ingress, path });
          if (hostname !== ANY_HOST) {
            reportMissingName(ingress, at, describeHostname(hostname), [certificate], report);
          }
        } else if (earlier.certificate.id !== certificate.id) {
          report.error(ingress, at, 'HostnameConflict', {
            message: 'another certificate is shown for this host',
            found: `${describeHostname(hostname)}, for which ${objectName(earlier.ingress)} has Secret ${earlier.certificate.id}`,
            expected: 'one Secret for each host',
          });
        }
      }
    }
  }
  return [...found.values()].sort((left, right) => bySpecificity(left.hostname, right.hostname));
}

function namesItself(hostnames: readonly string[], hostname: string): boolean {
  return hostnames.length === 0 ? hostname === ANY_HOST : hostnames.includes(hostname);
}

function certificateOf(
  ingress: IngressResource,
  entry: IngressTls,
  path: FieldPath,
  { own, certificates, objects, report }: IngressListenerInput,
): Certificate | null {
  if (!entry.secretName) {
    reportWithoutSecret(ingress, entry, path, own, report);
    return null;
  }
  const id = `${ingress.namespace}/${entry.secretName}`;
  const certificate = certificates.get(id);
  if (certificate) return certificate;
  report.error(ingress, [...path, 'secretName'], 'InvalidCertificateRef', {
    message: 'these hosts are not served with this certificate',
    found: describeUnusable(id, objects, certificates),
    expected: `Secret ${id} of type kubernetes.io/tls`,
  });
  return null;
}

/** Without a Secret the gateway's own certificates are meant. */
function reportWithoutSecret(
  ingress: IngressResource,
  entry: IngressTls,
  path: FieldPath,
  own: readonly UsableListener[],
  report: Report,
): void {
  const https = own.filter(({ listener }) => listener.protocol === 'HTTPS');
  for (const hostname of hostnamesOf(entry, ingress)) {
    if (https.some(({ hostnames }) => coversHost(hostnames, hostname))) continue;
    report.warning(ingress, [...path, 'secretName'], 'InvalidCertificateRef', {
      message: `${describeHostname(hostname)} is not served over TLS`,
      found: 'no secretName, and no HTTPS listener of the gateway for the host',
      expected: 'a Secret of type kubernetes.io/tls, or such a listener',
    });
  }
}

function coversHost(hostnames: readonly string[], hostname: string): boolean {
  return hostnames.length === 0 || hostnames.some((name) => covers(name, hostname));
}

function listenerOf(
  { hostname, certificate, ingress, path }: SecuredHost,
  port: number,
  { claimed, own, report }: IngressListenerInput,
): UsableListener | null {
  const parent = parentOf(hostname, port, claimed);
  const written = parent?.tls;
  const inherited = own.find(({ listener }) => listener === parent)?.tls;
  if (written?.clientValidation !== undefined && !inherited) {
    report.error(ingress, path, 'InvalidCACertificateRef', {
      message: 'these hosts are not served with this certificate',
      found: `listener ${parent?.name}, which checks certificates of clients and is left out itself`,
      expected: 'that listener in order, as what it asks of clients holds for its hosts',
    });
    return null;
  }
  const { minVersion } = withDefaults('EdgeGateway.spec.listeners[].tls', written ?? {});
  const tls: ListenerTls = {
    mode: 'Terminate',
    certificates: [certificate.id],
    minVersion: `TLSv${minVersion as '1.2' | '1.3'}`,
    clientValidation: inherited?.clientValidation ?? null,
  };
  return {
    // No listener of a gateway can have such a name.
    listener: { name: `Ingress/${hostname.replace('?', '*')}`, protocol: 'HTTPS', port },
    hostnames: hostname === ANY_HOST ? [] : [hostname],
    tls,
    inherits: parent?.name ?? null,
  };
}

/** The listener of the gateway that has a host, if no Ingress takes it: the most specific that covers it. */
function parentOf(
  hostname: string,
  port: number,
  claimed: readonly ClaimedListener[],
): ClaimedListener['listener'] | null {
  let best: { listener: ClaimedListener['listener']; name: string } | null = null;
  for (const { listener } of claimed) {
    if (listener.protocol !== 'HTTPS' || listener.port !== port) continue;
    for (const name of listener.hostnames?.length ? listener.hostnames : [ANY_HOST]) {
      if (!covers(name, hostname)) continue;
      if (best === null || bySpecificity(name, best.name) < 0) best = { listener, name };
    }
  }
  return best?.listener ?? null;
}
