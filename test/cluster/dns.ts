/** The cluster's DNS: CoreDNS in a pod, as in any cluster, without a way to names outside. */
import { program } from './components.ts';
import { programImage } from './image.ts';
import { addresses } from './paths.ts';

const IMAGE = 'localhost/coredns:local';
const NAME = 'coredns';
const NAMESPACE = 'kube-system';
const PORT = 53;

export function dnsImage(): string {
  return programImage(IMAGE, program('coredns'));
}

const COREFILE = `.:${PORT} {
  errors
  ready
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    ttl 5
  }
  loadbalance
}
`;

const labels = { 'k8s-app': NAME };
const metadata = { name: NAME, namespace: NAMESPACE };

export const dnsObjects: readonly object[] = [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: NAME },
    rules: [
      { apiGroups: [''], resources: ['services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: NAME },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: NAME },
    subjects: [{ kind: 'ServiceAccount', name: NAME, namespace: NAMESPACE }],
  },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { Corefile: COREFILE } },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'kube-dns', namespace: NAMESPACE },
    spec: {
      clusterIP: addresses.dnsService,
      selector: labels,
      ports: [
        { name: 'dns', port: PORT, protocol: 'UDP' },
        { name: 'dns-tcp', port: PORT, protocol: 'TCP' },
      ],
    },
  },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: NAME,
          // Pods must find it, so it cannot ask itself.
          dnsPolicy: 'Default',
          terminationGracePeriodSeconds: 0,
          volumes: [{ name: 'config', configMap: { name: NAME } }],
          containers: [
            {
              name: NAME,
              image: IMAGE,
              imagePullPolicy: 'Never',
              args: ['-conf', '/etc/coredns/Corefile'],
              volumeMounts: [{ name: 'config', mountPath: '/etc/coredns' }],
              readinessProbe: { httpGet: { path: '/ready', port: 8181 }, periodSeconds: 1 },
              securityContext: {
                runAsNonRoot: true,
                readOnlyRootFilesystem: true,
                allowPrivilegeEscalation: false,
              },
            },
          ],
        },
      },
    },
  },
];
