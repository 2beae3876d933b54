/** Parts of pools with everything filled in, for tests that care about one field. */
import type { Ejection, Pool, PoolTls, Probe, Target } from '../../proxy/config/snapshot.ts';

export function pool(targets: readonly Target[], changes: Partial<Pool> = {}): Pool {
  return {
    id: 'default/chat',
    protocol: 'HTTP',
    targets,
    hostHeader: { from: 'Client' },
    tls: null,
    probe: null,
    ejection: null,
    loadBalancing: { policy: 'RoundRobin' },
    affinity: null,
    connections: {
      connectTimeoutMs: 5000,
      idleTimeoutMs: 60_000,
      responseHeaderTimeoutMs: 60_000,
      streamIdleTimeoutMs: 300_000,
      maxPerTarget: 0,
      maxIdlePerTarget: 256,
      maxRequestsPerConnection: 0,
    },
    dns: { minRefreshMs: 5000, maxRefreshMs: 300_000, family: 'Any' },
    drain: { timeoutMs: 300_000, jitterMs: 30_000 },
    ...changes,
  };
}

export function ip(address: string, port: number, weight = 1): Target {
  return { kind: 'ip', address, port, weight };
}

export function fqdn(name: string, port: number, weight = 1): Target {
  return { kind: 'fqdn', name, port, weight };
}

export function service(
  name: string,
  port: number,
  changes: Partial<Extract<Target, { kind: 'service' }>> = {},
): Extract<Target, { kind: 'service' }> {
  return { kind: 'service', namespace: 'default', name, port, portName: '', weight: 1, ...changes };
}

export function poolTls(changes: Partial<PoolTls> = {}): PoolTls {
  return {
    ca: 'WellKnown',
    sni: null,
    subjectAltNames: [],
    clientCertificate: null,
    minVersion: 'TLSv1.2',
    ...changes,
  };
}

export function probe(changes: Partial<Probe> = {}): Probe {
  return {
    protocol: 'HTTP',
    path: '/health',
    method: 'GET',
    host: null,
    port: null,
    headers: [],
    intervalMs: 5000,
    timeoutMs: 2000,
    healthyThreshold: 1,
    unhealthyThreshold: 3,
    statuses: [{ from: 200, to: 399 }],
    body: null,
    ...changes,
  };
}

export function ejection(changes: Partial<Ejection> = {}): Ejection {
  return { consecutiveFailures: 3, baseMs: 30_000, maxMs: 90_000, maxEjectedPercent: 50, ...changes };
}
