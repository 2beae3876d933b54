import type { Certificate, ListenerTls } from '../../proxy/config/snapshot.ts';
import { type FieldPath, type Resource, withDefaults } from '../resources/index.ts';
import { compileCaCertificates } from './ca-certificates.ts';
import type { Certificates } from './certificates.ts';
import { covers } from './hostnames.ts';
import type { GatewayResource, Objects } from './objects.ts';
import { describeUnusable } from './pools.ts';
import type { ClaimedListener, WrittenListener } from './ports.ts';
import { expectedReference, isReferencePermitted } from './references.ts';
import type { Report } from './report.ts';

/** A listener that can be served, without its routes. */
export interface UsableListener {
  readonly listener: WrittenListener;
  /** Sorted; empty is every host. */
  readonly hostnames: readonly string[];
  readonly tls: ListenerTls | null;
  /**
   * The listener of the gateway that would have had these hosts, where an Ingress has brought a certificate for them:
   * what is attached to that one holds here too.
   */
  readonly inherits: string | null;
}

/** The listeners that can be served: one that lacks what its TLS needs is left out and reported. */
export function compileListeners(
  gateway: GatewayResource,
  claimed: readonly ClaimedListener[],
  objects: Objects,
  certificates: Certificates,
  report: Report,
): UsableListener[] {
  const usable: UsableListener[] = [];
  for (const { listener, index } of claimed) {
    const hostnames = [...new Set(listener.hostnames)].sort();
    const tls = compileTls(gateway, listener, index, objects, certificates, report);
    if (tls !== undefined) usable.push({ listener, hostnames, tls, inherits: null });
  }
  return usable;
}

function compileTls(
  gateway: GatewayResource,
  listener: WrittenListener,
  index: number,
  objects: Objects,
  certificates: Certificates,
  report: Report,
): ListenerTls | null | undefined {
  if (listener.tls === undefined) return null;
  const path = ['spec', 'listeners', index, 'tls'];
  const tls = withDefaults('EdgeGateway.spec.listeners[].tls', listener.tls);
  const found: Certificate[] = [];
  for (const [place, ref] of (tls.certificateRefs ?? []).entries()) {
    const at = [...path, 'certificateRefs', place];
    const { namespace = gateway.namespace, name } = ref;
    const id = `${namespace}/${name}`;
    const secret = { group: '', kind: 'Secret', namespace, name };
    if (!isReferencePermitted(gateway, secret, objects)) {
      report.error(gateway, [...at, 'namespace'], 'RefNotPermitted', {
        message: 'this reference is left out',
        found: `the namespace ${namespace}`,
        expected: expectedReference(gateway, secret),
      });
      continue;
    }
    const certificate = certificates.get(id);
    if (certificate) {
      if (!found.includes(certificate)) found.push(certificate);
      continue;
    }
    report.error(gateway, at, 'InvalidCertificateRef', {
      message: 'this reference is left out',
      found: describeUnusable(id, objects, certificates),
      expected: `Secret ${id} of type kubernetes.io/tls`,
    });
  }
  if (tls.mode === 'Terminate' && found.length === 0) {
    report.error(gateway, [...path, 'certificateRefs'], 'InvalidCertificateRef', {
      message: 'this listener is left out',
      found: 'no certificate that can be used',
      expected: 'at least one',
    });
    return undefined;
  }
  reportMissingNames(gateway, listener, index, found, report);
  let clientValidation: ListenerTls['clientValidation'] = null;
  if (tls.clientValidation !== undefined) {
    const { mode, caCertificateRefs } = withDefaults(
      'EdgeGateway.spec.listeners[].tls.clientValidation',
      tls.clientValidation,
    );
    const at = [...path, 'clientValidation', 'caCertificateRefs'];
    const caPem = compileCaCertificates(caCertificateRefs, gateway, at, objects, report);
    if (caPem === null) {
      report.error(gateway, at, 'InvalidCACertificateRef', {
        message: 'this listener is left out, since it could not check certificates of clients',
        found: 'no CA certificate that can be used',
        expected: 'at least one',
      });
      return undefined;
    }
    clientValidation = { caPem, mode };
  }
  return {
    mode: tls.mode,
    certificates: found.map(({ id }) => id),
    minVersion: `TLSv${tls.minVersion}`,
    clientValidation,
  };
}

function reportMissingNames(
  gateway: GatewayResource,
  { hostnames = [] }: WrittenListener,
  index: number,
  certificates: readonly Certificate[],
  report: Report,
): void {
  for (const [place, hostname] of hostnames.entries()) {
    reportMissingName(
      gateway,
      ['spec', 'listeners', index, 'hostnames', place],
      hostname,
      certificates,
      report,
    );
  }
}

/** Warns of a host that none of the certificates is for. */
export function reportMissingName(
  resource: Resource,
  path: FieldPath,
  hostname: string,
  certificates: readonly Certificate[],
  report: Report,
): void {
  const names = certificates.flatMap(({ dnsNames }) => dnsNames);
  if (names.some((name) => bears(name, hostname))) return;
  report.warning(resource, path, 'CertificateNameMismatch', {
    message: 'clients that ask for this host refuse the certificate',
    found:
      names.length === 0
        ? 'certificates without DNS names'
        : `certificates for ${[...new Set(names)].join(', ')}`,
    expected: `a certificate for ${hostname}`,
  });
}

/**
 * Whether a name in a certificate serves some host of a listener. There a wildcard stands for one label
 * (RFC 9525, section 6.3), in a listener for one or more.
 */
function bears(name: string, hostname: string): boolean {
  if (name === hostname) return true;
  if (hostname.startsWith('*.')) return covers(hostname, name);
  return name.startsWith('*.') && name.slice(1) === hostname.slice(hostname.indexOf('.'));
}
