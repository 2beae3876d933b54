/** Where the cluster of this checkout keeps what it needs, and which addresses it uses inside. */
import { createHash } from 'node:crypto';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const root = dirname(dirname(import.meta.dirname));

/**
 * Tells apart the clusters on one machine, their folders, cgroups and locks: each checkout has one, and another one for
 * each value of SLUICE_CLUSTER.
 */
export const clusterId = createHash('sha256')
  .update(root + (process.env.SLUICE_CLUSTER ?? ''))
  .digest('hex')
  .slice(0, 8);

/** Everything that a running cluster writes; removed by `cluster:down`. */
export const runFolder = join(tmpdir(), `sluice-cluster-${clusterId}`);

/** The kubeconfig of the administrator, with an address that only the cluster's network namespace has. */
export const adminKubeconfig = join(runFolder, 'admin.kubeconfig');

/** Below it are the cgroups of all pods, one folder per node. */
export const cgroupRoot = `/sluice-cluster-${clusterId}`;

/** Built programs: outlive checkouts and clusters. */
export function cacheFolder(): string {
  return join(process.env.SLUICE_CACHE ?? join(homedir(), '.cache', 'sluice'), 'cluster');
}

/** From the block for benchmarks of networks (RFC 2544), which no network that a test could meet uses. */
export const addresses = {
  nodePrefixLength: 24,
  node: (index: number): string => `198.18.0.${index + 1}`,
  services: '198.18.128.0/20',
  kubernetesService: '198.18.128.1',
  dnsService: '198.18.128.10',
  pods: '198.19.0.0/16',
  podsOf: (index: number): string => `198.19.${index}.0/24`,
  apiServerPort: 6443,
} as const;
