/** The types that the operator reads what users write from. */
import type { ResourceType } from '../../../kubernetes/index.ts';
import type { Kind } from '../../resources/index.ts';

const own = (kind: string, plural: string): ResourceType => ({
  group: 'sluice.dev',
  version: 'v1alpha1',
  kind,
  plural,
  namespaced: true,
});

const core = (kind: string, plural: string): ResourceType => ({
  group: '',
  version: 'v1',
  kind,
  plural,
  namespaced: true,
});

/** By kind. */
export const READ_TYPES: Readonly<Record<Kind, ResourceType>> = {
  EdgeGateway: own('EdgeGateway', 'edgegateways'),
  BackendPool: own('BackendPool', 'backendpools'),
  FirewallRuleList: own('FirewallRuleList', 'firewallrulelists'),
  Secret: core('Secret', 'secrets'),
  ConfigMap: core('ConfigMap', 'configmaps'),
  Service: core('Service', 'services'),
  Ingress: {
    group: 'networking.k8s.io',
    version: 'v1',
    kind: 'Ingress',
    plural: 'ingresses',
    namespaced: true,
  },
  IngressClass: {
    group: 'networking.k8s.io',
    version: 'v1',
    kind: 'IngressClass',
    plural: 'ingressclasses',
    namespaced: false,
  },
  ReferenceGrant: {
    group: 'gateway.networking.k8s.io',
    version: 'v1beta1',
    kind: 'ReferenceGrant',
    plural: 'referencegrants',
    namespaced: true,
  },
};
