/** The programs of the cluster, each a Go module of `modules/` that pins its version and checksums. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './paths.ts';

export interface Component {
  readonly name: string;
  readonly version: string;
  /** The Go module that is built. */
  readonly module: string;
  /** Program → Go package. */
  readonly programs: Readonly<Record<string, string>>;
  readonly tags: string;
  readonly linkerFlags: string;
  /** Where its programs are once they are built; the name holds the version and a checksum of all that goes in. */
  readonly folder: string;
}

const modules = join(import.meta.dirname, 'modules');

const kubernetes = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`]));
const containerd = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `github.com/containerd/containerd/v2/cmd/${name}`]));

/** A build from a module does not know its version; Kubernetes refuses to start without one. */
const kubernetesVersion = (version: string): string => {
  const [major, minor] = version.split('.');
  const variables = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor };
  return Object.entries(variables)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(' ');
};

/** Nor does Helm; and it would take every cluster for one of Kubernetes 1.20 where it has none to ask. */
const helmVersion = (version: string, goMod: string): string => {
  const [, minor] = requiredVersion(goMod, 'k8s.io/client-go').split('.');
  const variables = {
    'internal/version.version': `v${version}`,
    'pkg/chartutil.k8sVersionMajor': 1,
    'pkg/chartutil.k8sVersionMinor': minor,
    'pkg/lint/rules.k8sVersionMajor': 1,
    'pkg/lint/rules.k8sVersionMinor': minor,
  };
  return Object.entries(variables)
    .map(([name, value]) => `-X helm.sh/helm/v3/${name}=${value}`)
    .join(' ');
};

export const components: readonly Component[] = [
  component('etcd', 'go.etcd.io/etcd/server/v3', { etcd: 'go.etcd.io/etcd/server/v3' }),
  component(
    'containerd',
    'github.com/containerd/containerd/v2',
    containerd('containerd', 'containerd-shim-runc-v2', 'ctr'),
    { tags: 'no_btrfs no_devmapper no_zfs' },
  ),
  component('coredns', 'github.com/coredns/coredns', { coredns: '.' }),
  component(
    'kubernetes',
    'k8s.io/kubernetes',
    kubernetes(
      'kube-apiserver',
      'kubectl',
      'kube-controller-manager',
      'kube-scheduler',
      'kubelet',
      'kube-proxy',
    ),
    { linkerFlags: kubernetesVersion },
  ),
  component('helm', 'helm.sh/helm/v3', { helm: 'helm.sh/helm/v3/cmd/helm' }, { linkerFlags: helmVersion }),
];

/** The path of a built program. */
export function program(name: string): string {
  const owner = components.find(({ programs }) => name in programs);
  if (owner === undefined) throw new Error(`no component has the program ${name}`);
  return join(owner.folder, name);
}

function component(
  name: string,
  mainModule: string,
  programs: Readonly<Record<string, string>>,
  options: { tags?: string; linkerFlags?: (version: string, goMod: string) => string } = {},
): Component {
  const module = join(modules, name);
  const goMod = readFileSync(join(module, 'go.mod'), 'utf8');
  const version = requiredVersion(goMod, mainModule);
  const tags = options.tags ?? '';
  const linkerFlags = `-s -w ${options.linkerFlags?.(version, goMod) ?? ''}`.trim();
  const inputs = createHash('sha256').update(JSON.stringify([programs, tags, linkerFlags]));
  for (const file of readdirSync(module).sort()) inputs.update(readFileSync(join(module, file)));
  const folder = join(cacheFolder(), `${name}-${version}-${inputs.digest('hex').slice(0, 12)}`);
  return { name, version, module, programs, tags, linkerFlags, folder };
}

function requiredVersion(goMod: string, module: string): string {
  const match = new RegExp(`^(?:require |\\t)${RegExp.escape(module)} v(\\S+)`, 'm').exec(goMod);
  if (match === null) throw new Error(`no version of ${module} in its go.mod`);
  return match[1]!;
}
