/** The resources that Sluice reads, as they stand in files and in the cluster. */
import type { BackendPoolSections } from './generated/backend-pool.ts';
import type { EdgeGatewaySections } from './generated/edge-gateway.ts';
import type { FirewallRuleListSections } from './generated/firewall-rule-list.ts';

export interface Metadata {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  generation?: number;
  uid?: string;
  /** RFC 3339; absent in files, unless they were printed by kubectl. */
  creationTimestamp?: string;
}

export interface EdgeGateway extends EdgeGatewaySections {
  apiVersion: 'sluice.dev/v1alpha1';
  kind: 'EdgeGateway';
  metadata: Metadata;
}

export interface BackendPool extends BackendPoolSections {
  apiVersion: 'sluice.dev/v1alpha1';
  kind: 'BackendPool';
  metadata: Metadata;
}

export interface FirewallRuleList extends FirewallRuleListSections {
  apiVersion: 'sluice.dev/v1alpha1';
  kind: 'FirewallRuleList';
  metadata: Metadata;
}

export interface Secret {
  apiVersion: 'v1';
  kind: 'Secret';
  metadata: Metadata;
  type?: string;
  immutable?: boolean;
  /** Values in base64. */
  data?: Record<string, string>;
  /** Values as they are; they win over `data`. */
  stringData?: Record<string, string>;
}

export interface ConfigMap {
  apiVersion: 'v1';
  kind: 'ConfigMap';
  metadata: Metadata;
  immutable?: boolean;
  data?: Record<string, string>;
  /** Values in base64. */
  binaryData?: Record<string, string>;
}

/** The fields that are read; the object has others. */
export interface Service {
  apiVersion: 'v1';
  kind: 'Service';
  metadata: Metadata;
  spec?: {
    /** `ClusterIP` when left out. */
    type?: string;
    externalName?: string;
    ports?: ServicePort[];
  };
}

export interface ServicePort {
  /** Left out or empty where it is the only one. */
  name?: string;
  port: number;
  /** `TCP` when left out. */
  protocol?: string;
  appProtocol?: string;
}

export interface Ingress {
  apiVersion: 'networking.k8s.io/v1';
  kind: 'Ingress';
  metadata: Metadata;
  spec: {
    ingressClassName?: string;
    defaultBackend?: IngressBackend;
    tls?: IngressTls[];
    rules?: IngressRule[];
  };
}

export interface IngressRule {
  /** Every host when left out or empty. */
  host?: string;
  http?: { paths: IngressPath[] };
}

export interface IngressPath {
  path?: string;
  pathType: 'Exact' | 'Prefix' | 'ImplementationSpecific';
  backend: IngressBackend;
}

/** One of the two. */
export interface IngressBackend {
  service?: {
    name: string;
    /** One of the two. */
    port?: { name?: string; number?: number };
  };
  resource?: { apiGroup?: string; kind: string; name: string };
}

export interface IngressTls {
  hosts?: string[];
  secretName?: string;
}

export interface IngressClass {
  apiVersion: 'networking.k8s.io/v1';
  kind: 'IngressClass';
  metadata: Metadata;
  spec?: {
    controller?: string;
    parameters?: {
      apiGroup?: string;
      kind: string;
      name: string;
      /** `Cluster` when left out. */
      scope?: 'Cluster' | 'Namespace';
      namespace?: string;
    };
  };
}

export interface ReferenceGrant {
  apiVersion: 'gateway.networking.k8s.io/v1' | 'gateway.networking.k8s.io/v1beta1';
  kind: 'ReferenceGrant';
  metadata: Metadata;
  spec: {
    from: { group: string; kind: string; namespace: string }[];
    /** Without a name all objects of the kind are meant. */
    to: { group: string; kind: string; name?: string }[];
  };
}

/** What one document holds, by kind. */
export interface Bodies {
  EdgeGateway: EdgeGateway;
  BackendPool: BackendPool;
  FirewallRuleList: FirewallRuleList;
  Secret: Secret;
  ConfigMap: ConfigMap;
  Service: Service;
  Ingress: Ingress;
  IngressClass: IngressClass;
  ReferenceGrant: ReferenceGrant;
}

export type Kind = keyof Bodies;

/** A place in a file; lines and columns count from 1, and are 0 where there is no file. */
export interface Position {
  line: number;
  column: number;
}

/** Keys and list indexes that lead from the top of a document to a field. */
export type FieldPath = readonly (string | number)[];

/** Where a resource was written down. */
export interface Source {
  /** The name of the file as it was given; empty for an object of a cluster. */
  file: string;
  /** An API server has taken the object in, so what is not our own kind needs no check against a schema. */
  admitted?: true;
  /** The place of a field, or of the nearest field above it that is there. */
  locate(path: FieldPath): Position;
  /** The characters of a scalar as they were written; undefined when the path leads to none. */
  written?(path: FieldPath): string | undefined;
}

/** A document of one kind. */
export interface ResourceOf<K extends Kind> {
  apiVersion: Bodies[K]['apiVersion'];
  kind: K;
  /** `default` when the document names none; empty when objects of the kind have none. */
  namespace: string;
  name: string;
  labels: Readonly<Record<string, string>>;
  /**
   * The whole document. It has this type once `validateResource` found nothing wrong; until then its fields
   * may be anything.
   */
  body: Bodies[K];
  source: Source;
}

/** A document of one of the kinds that Sluice reads; `kind` tells which. */
export type Resource = { [K in Kind]: ResourceOf<K> }[Kind];
