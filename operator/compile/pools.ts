import type { HashKey, Pool, PoolTls, Probe, Target } from '../../proxy/config/snapshot.ts';
import { type FieldPath, withDefaults } from '../resources/index.ts';
import { compileCaCertificates } from './ca-certificates.ts';
import type { Certificates } from './certificates.ts';
import type { Environment } from './environment.ts';
import { type Objects, objectId, type PoolResource } from './objects.ts';
import { expectedReference, isReferencePermitted } from './references.ts';
import type { Report } from './report.ts';
import { findServicePort } from './services.ts';
import { compileDrain, milliseconds } from './settings.ts';

type Spec = PoolResource['body']['spec'];
type Settings = Omit<Spec, 'targets'>;
type WrittenTarget = Spec['targets'][number];

/** Pools by id; one that cannot be used has `null`, and its reason is reported with it. */
export type Pools = ReadonlyMap<string, Pool | null>;

const SERVED_PROTOCOLS = ['HTTP', 'HTTPS'];

/** What pools are compiled with. */
interface PoolContext {
  readonly environment: Environment;
  readonly objects: Objects;
  readonly certificates: Certificates;
  readonly report: Report;
}

export function compilePools(context: PoolContext): Pools {
  const pools = new Map<string, Pool | null>();
  for (const [id, pool] of context.objects.pools) pools.set(id, compilePool(pool, context));
  return pools;
}

function compilePool(resource: PoolResource, context: PoolContext): Pool | null {
  const { objects, certificates, report } = context;
  const { spec } = resource.body;
  const { protocol } = withDefaults('BackendPool.spec', spec);
  if (!SERVED_PROTOCOLS.includes(protocol)) {
    report.warning(resource, ['spec', 'protocol'], 'NotServedProtocol', {
      message: 'this version does not serve the protocol yet, so the pool is left out',
      found: protocol,
      expected: SERVED_PROTOCOLS.join(' or '),
    });
    return null;
  }
  const tls = compileTls(resource, protocol, objects, certificates, report);
  if (tls === undefined) {
    report.rejected(resource);
    return null;
  }
  return {
    id: objectId(resource),
    protocol,
    targets: compileTargets(resource, context),
    tls,
    probe: compileProbe(resource, protocol, report),
    ...compilePoolSettings(spec),
  };
}

/** A pool of which nothing is written but its targets. */
export function defaultPool(id: string, targets: readonly Target[]): Pool {
  return { id, protocol: 'HTTP', targets, tls: null, probe: null, ...compilePoolSettings({}) };
}

type PoolSettings = Omit<Pool, 'id' | 'protocol' | 'targets' | 'tls' | 'probe'>;

function compilePoolSettings(spec: Settings): PoolSettings {
  const connections = withDefaults('BackendPool.spec.connections', spec.connections);
  const dns = withDefaults('BackendPool.spec.dns', spec.dns);
  return {
    hostHeader: compileHostHeader(spec),
    ejection: compileEjection(spec),
    loadBalancing: compileLoadBalancing(spec),
    affinity: compileAffinity(spec),
    connections: {
      connectTimeoutMs: milliseconds(connections.connectTimeoutSeconds),
      idleTimeoutMs: milliseconds(connections.idleTimeoutSeconds),
      responseHeaderTimeoutMs: milliseconds(connections.responseHeaderTimeoutSeconds),
      streamIdleTimeoutMs: milliseconds(connections.streamIdleTimeoutSeconds),
      maxPerTarget: connections.maxPerTarget,
      maxIdlePerTarget: connections.maxIdlePerTarget,
      maxRequestsPerConnection: connections.maxRequestsPerConnection,
    },
    dns: {
      minRefreshMs: milliseconds(dns.minRefreshSeconds),
      maxRefreshMs: milliseconds(dns.maxRefreshSeconds),
      family: dns.family,
    },
    drain: compileDrain(withDefaults('BackendPool.spec.drain', spec.drain)),
  };
}

/** In the order written, which is the order in which round robin begins. */
function compileTargets(resource: PoolResource, context: PoolContext): Target[] {
  const targets = new Map<string, Target>();
  for (const [index, written] of resource.body.spec.targets.entries()) {
    const path = ['spec', 'targets', index];
    const target = compileTarget(resource, written, path, context);
    if (target === null) continue;
    const name = describeTarget(target);
    const key = `${name} ${target.port}`;
    if (targets.has(key)) {
      context.report.warning(resource, path, 'DuplicateTarget', {
        message: 'this target is left out',
        found: `port ${target.port} of ${name} a second time`,
        expected: 'each target once, with a weight',
      });
      continue;
    }
    targets.set(key, target);
  }
  return [...targets.values()];
}

function compileTarget(
  resource: PoolResource,
  written: WrittenTarget,
  path: FieldPath,
  context: PoolContext,
): Target | null {
  const { fqdn, ip, serviceRef, port = 0, weight } = withDefaults('BackendPool.spec.targets[]', written);
  if (fqdn !== undefined) return { kind: 'fqdn', name: fqdn, port, weight };
  if (serviceRef === undefined) return { kind: 'ip', address: ip ?? '', port, weight };
  const { objects, environment, report } = context;
  const { namespace = resource.namespace, name } = serviceRef;
  const at = [...path, 'serviceRef'];
  const message = 'this target is left out';
  const service = { group: '', kind: 'Service', namespace, name };
  if (!isReferencePermitted(resource, service, objects)) {
    report.error(resource, [...at, 'namespace'], 'RefNotPermitted', {
      message,
      found: `the namespace ${namespace}`,
      expected: expectedReference(resource, service),
    });
    return null;
  }
  const found = findServicePort({ namespace, name, port: serviceRef.port }, environment, objects);
  if ('code' in found) {
    report.error(resource, at, found.code, { message, found: found.found, expected: found.expected });
    return null;
  }
  return { kind: 'service', namespace, name, ...found, weight };
}

function describeTarget(target: Target): string {
  switch (target.kind) {
    case 'fqdn':
      return target.name;
    case 'ip':
      return target.address;
    case 'service':
      return `Service ${target.namespace}/${target.name}`;
  }
}

function compileHostHeader(spec: Settings): Pool['hostHeader'] {
  const { from, value } = withDefaults('BackendPool.spec.hostHeader', spec.hostHeader);
  return from === 'Override' ? { from, value: value ?? '' } : { from };
}

/** `undefined` when a connection would not be as safe as the pool asks, so that the pool cannot be used. */
function compileTls(
  resource: PoolResource,
  protocol: Pool['protocol'],
  objects: Objects,
  certificates: Certificates,
  report: Report,
): PoolTls | null | undefined {
  if (protocol !== 'HTTPS' && protocol !== 'TLS') return null;
  const tls = withDefaults('BackendPool.spec.tls', resource.body.spec.tls);
  const refs = tls.caCertificateRefs ?? [];
  const path = ['spec', 'tls'];
  const pem = compileCaCertificates(refs, resource, [...path, 'caCertificateRefs'], objects, report);
  if (refs.length > 0 && pem === null) return undefined;
  const clientCertificate = compileClientCertificate(resource, objects, certificates, report);
  if (clientCertificate === undefined) return undefined;
  return {
    ca: pem === null ? 'WellKnown' : { pem },
    sni: tls.sni ?? null,
    subjectAltNames: [...new Set(tls.subjectAltNames)].sort(),
    clientCertificate,
    minVersion: `TLSv${tls.minVersion}`,
  };
}

function compileClientCertificate(
  resource: PoolResource,
  objects: Objects,
  certificates: Certificates,
  report: Report,
): PoolTls['clientCertificate'] | undefined {
  const ref = resource.body.spec.tls?.clientCertificateRef;
  if (ref === undefined) return null;
  const id = `${resource.namespace}/${ref.name}`;
  const certificate = certificates.get(id);
  if (certificate) return { certificatePem: certificate.chainPem, key: certificate.key };
  report.error(resource, ['spec', 'tls', 'clientCertificateRef'], 'InvalidClientCertificateRef', {
    message: 'this pool is left out',
    found: describeUnusable(id, objects, certificates),
    expected: `Secret ${id} of type kubernetes.io/tls`,
  });
  return undefined;
}

/** Why there is no certificate under an id. */
export function describeUnusable(id: string, objects: Objects, certificates: Certificates): string {
  if (certificates.get(id) === null) return `Secret ${id}, which cannot be used itself`;
  const secret = objects.secrets.get(id);
  return secret === undefined
    ? objects.describeMissing('Secret', id)
    : `Secret ${id} of type ${secret.body.type ?? 'Opaque'}`;
}

function compileProbe(resource: PoolResource, protocol: Pool['protocol'], report: Report): Probe | null {
  const written = resource.body.spec.probe;
  if (written === undefined) return null;
  const probe = withDefaults('BackendPool.spec.probe', written);
  const match = withDefaults('BackendPool.spec.probe.match', written.match);
  const isHttp = protocol === 'HTTP' || protocol === 'HTTPS' || protocol === 'H2C';
  return {
    protocol: probe.protocol ?? (isHttp ? 'HTTP' : 'TCP'),
    path: probe.path,
    method: probe.method,
    host: probe.host ?? null,
    port: probe.port ?? null,
    headers: (probe.headers ?? []).map(({ name, value }) => ({ name, value })),
    intervalMs: milliseconds(probe.intervalSeconds),
    timeoutMs: milliseconds(probe.timeoutSeconds),
    healthyThreshold: probe.healthyThreshold,
    unhealthyThreshold: probe.unhealthyThreshold,
    statuses: compileStatuses(match.statuses, resource, report),
    body: match.body ?? null,
  };
}

/** Each is `200` or `200-399`. */
function compileStatuses(
  written: readonly string[],
  resource: PoolResource,
  report: Report,
): Probe['statuses'] {
  const ranges: { from: number; to: number }[] = [];
  for (const [index, text] of written.entries()) {
    const [from = '', to = from] = text.split('-');
    if (Number(from) <= Number(to)) {
      ranges.push({ from: Number(from), to: Number(to) });
      continue;
    }
    report.error(resource, ['spec', 'probe', 'match', 'statuses', index], 'UnsupportedValue', {
      message: 'this range is left out, since it holds no status',
      found: text,
      expected: `the lower status first, such as ${to}-${from}`,
    });
  }
  return ranges.sort((left, right) => left.from - right.from || left.to - right.to);
}

function compileEjection(spec: Settings): Pool['ejection'] {
  const ejection = withDefaults('BackendPool.spec.ejection', spec.ejection);
  if (ejection.mode === 'Disabled') return null;
  return {
    consecutiveFailures: ejection.consecutiveFailures,
    baseMs: milliseconds(ejection.baseSeconds),
    maxMs: milliseconds(ejection.maxSeconds),
    maxEjectedPercent: ejection.maxEjectedPercent,
  };
}

function compileLoadBalancing(spec: Settings): Pool['loadBalancing'] {
  const { policy, consistentHash } = withDefaults('BackendPool.spec.loadBalancing', spec.loadBalancing);
  if (policy !== 'ConsistentHash') return { policy };
  const { header, cookie, query } = consistentHash ?? {};
  let key: HashKey = { from: 'sourceIP' };
  if (header !== undefined) key = { from: 'header', name: header.toLowerCase() };
  else if (cookie !== undefined) key = { from: 'cookie', name: cookie };
  else if (query !== undefined) key = { from: 'query', name: query };
  return { policy, key };
}

function compileAffinity({ affinity }: Settings): Pool['affinity'] {
  if (affinity === undefined) return null;
  if (affinity.query !== undefined) return { by: 'query', name: affinity.query };
  const cookie = withDefaults('BackendPool.spec.affinity.cookie', affinity.cookie);
  return {
    by: 'cookie',
    name: cookie.name,
    path: cookie.path,
    ttlSeconds: cookie.ttlSeconds,
    sameSite: cookie.sameSite,
    secure: cookie.secure ?? (cookie.sameSite === 'None' ? true : null),
  };
}
