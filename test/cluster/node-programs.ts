/** What runs on every node: containerd, kubelet and kube-proxy. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { findTool } from '../support/tools.ts';
import { until } from '../support/until.ts';
import { program } from './components.ts';
import { BUSYBOX_IMAGE, busyboxImage } from './image.ts';
import type { ClusterNode } from './node.ts';
import { addresses } from './paths.ts';
import { pki } from './pki.ts';
import { CNI_FOLDER } from './requirements.ts';

export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';

/** Starts containerd and puts the image into it that every pod needs. */
export async function startContainerd(node: ClusterNode): Promise<void> {
  const config = node.path('etc', 'containerd.toml');
  writeFileSync(config, containerdConfig(node));
  mkdirSync(node.path('etc', 'cni', 'net.d'), { recursive: true });
  writeFileSync(node.path('etc', 'cni', 'net.d', '10-pods.conflist'), JSON.stringify(podNetwork(node)));
  await node.daemon('containerd', program('containerd'), ['--config', config, '--log-level=warn']);
  await until('containerd answers', async () => {
    const { code } = await node.run(program('ctr'), ['--connect-timeout=1s', 'version']);
    return code === 0;
  });
  await importImage(node, busyboxImage());
}

export async function startKubelet(node: ClusterNode): Promise<void> {
  const config = node.path('etc', 'kubelet.json');
  writeFileSync(config, JSON.stringify(kubeletConfig(node)));
  await node.daemon('kubelet', program('kubelet'), [
    `--config=${config}`,
    `--kubeconfig=${pki.kubeconfig(node.name)}`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.address}`,
  ]);
}

export async function startKubeProxy(node: ClusterNode): Promise<void> {
  await node.daemon('kube-proxy', program('kube-proxy'), [
    `--kubeconfig=${pki.kubeconfig('kube-proxy')}`,
    `--hostname-override=${node.name}`,
    '--proxy-mode=iptables',
    `--cluster-cidr=${addresses.pods}`,
    // The limit belongs to the whole machine.
    '--conntrack-max-per-core=0',
    '--oom-score-adj=0',
  ]);
}

/** @param file an OCI image layout as a tar archive. */
export async function importImage(node: ClusterNode, file: string): Promise<void> {
  const { code, stderr } = await node.run(program('ctr'), [
    '--namespace=k8s.io',
    'images',
    'import',
    '--local',
    file,
  ]);
  if (code !== 0) throw new Error(`importing ${file} into ${node.name}: ${stderr}`);
}

function containerdConfig(node: ClusterNode): string {
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins.'io.containerd.internal.v1.opt']
  path = "/var/lib/containerd/opt"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "${BUSYBOX_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  # Root of some virtual machines lacks CAP_SYS_RESOURCE, which lowering the score would need.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "${findTool('runc')}"
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["${CNI_FOLDER}"]
    conf_dir = "${node.path('etc', 'cni', 'net.d')}"
`;
}

/**
 * Every pod has a point-to-point link to its node, so that all packets between pods are routed and kube-proxy's rules
 * see them; over a bridge they would need the br_netfilter module.
 */
function podNetwork(node: ClusterNode): object {
  return {
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        ipam: { type: 'host-local', ranges: [[{ subnet: node.podRange }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
}

function kubeletConfig(node: ClusterNode): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    cgroupDriver: 'cgroupfs',
    // Its own, so that the kubelets of several nodes and clusters do not tidy away each other's pods.
    cgroupRoot: node.cgroup,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki.ca },
    },
    authorization: { mode: 'Webhook' },
    clusterDNS: [addresses.dnsService],
    clusterDomain: 'cluster.local',
    resolvConf: '',
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    // The disk is the machine's, and its fill level none of the tests' business.
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
  };
}
