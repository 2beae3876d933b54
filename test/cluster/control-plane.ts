/** etcd, the API server, the controllers and the scheduler: processes of the first node. */
import { program } from './components.ts';
import type { ClusterNode } from './node.ts';
import { addresses } from './paths.ts';
import { pki } from './pki.ts';

export type ControlPlaneProgram = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler';

/** Starts one program of the control plane; also after a test has killed it. */
export function startControlPlane(node: ClusterNode, name: ControlPlaneProgram): Promise<void> {
  return node.daemon(name, program(name), FLAGS[name](node));
}

const ETCD = 'http://127.0.0.1:2379';

const FLAGS: Readonly<Record<ControlPlaneProgram, (node: ClusterNode) => string[]>> = {
  etcd: () => [
    '--data-dir=/var/lib/etcd',
    `--listen-client-urls=${ETCD}`,
    `--advertise-client-urls=${ETCD}`,
    // Nothing needs to outlive a power cut.
    '--unsafe-no-fsync',
    '--log-level=warn',
  ],
  'kube-apiserver': (node) => [
    `--etcd-servers=${ETCD}`,
    `--service-cluster-ip-range=${addresses.services}`,
    `--advertise-address=${node.address}`,
    `--secure-port=${addresses.apiServerPort}`,
    `--client-ca-file=${pki.ca}`,
    `--tls-cert-file=${pki.path('kube-apiserver.crt')}`,
    `--tls-private-key-file=${pki.path('kube-apiserver.key')}`,
    // For logs and exec of pods.
    `--kubelet-client-certificate=${pki.path('admin.crt')}`,
    `--kubelet-client-key=${pki.path('admin.key')}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${pki.serviceAccounts.publicKey}`,
    `--service-account-signing-key-file=${pki.serviceAccounts.privateKey}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
  ],
  'kube-controller-manager': () => [
    `--kubeconfig=${pki.kubeconfig('kube-controller-manager')}`,
    `--service-account-private-key-file=${pki.serviceAccounts.privateKey}`,
    `--root-ca-file=${pki.ca}`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    // It makes this folder, elsewhere by default.
    '--flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins',
  ],
  'kube-scheduler': () => [`--kubeconfig=${pki.kubeconfig('kube-scheduler')}`, '--leader-elect=false'],
};
