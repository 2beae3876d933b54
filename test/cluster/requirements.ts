/** What a machine needs for the cluster besides npm's packages. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { findTool, skipWithout } from '../support/tools.ts';
import { isBuilt } from './build.ts';

/** Debian's CNI plugins. */
export const CNI_FOLDER = '/usr/lib/cni';

const DEBIAN_PACKAGES: Readonly<Record<string, string>> = {
  runc: 'runc',
  iptables: 'iptables',
  conntrack: 'conntrack',
  ip: 'iproute2',
  nsenter: 'util-linux',
  busybox: 'busybox-static',
};

/** What is missing here, in words; empty when the cluster can run. */
export function missing(): string[] {
  if (process.platform !== 'linux') return ['Linux'];
  const found: string[] = [];
  // Namespaces with a name of their own in each: whoever can make these can run the cluster.
  const { status } = spawnSync('unshare', ['--net', '--mount', '--pid', '--fork', 'true'], {
    stdio: 'ignore',
  });
  if (status !== 0) found.push('root (to make namespaces and mounts)');
  const packages = Object.entries(DEBIAN_PACKAGES).filter(([tool]) => findTool(tool) === null);
  const names = new Set(packages.map(([, name]) => name));
  if (!existsSync(`${CNI_FOLDER}/ptp`)) names.add('containernetworking-plugins');
  if (names.size > 0) found.push(`the Debian packages ${[...names].join(', ')}`);
  if (!isBuilt() && findTool('go') === null) found.push('Go 1.26, to build Kubernetes');
  return found;
}

/** For the `skip` option of suites that need the cluster. */
export function skipWithoutCluster(): string | false {
  const lacks = missing();
  return skipWithout(
    'A real Kubernetes cluster',
    lacks.length === 0 ? 'here' : null,
    `It needs ${lacks.join('; ')}.`,
  );
}
