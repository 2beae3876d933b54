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

/** What one document holds, by kind. */
export interface Bodies {
  EdgeGateway: EdgeGateway;
  BackendPool: BackendPool;
  FirewallRuleList: FirewallRuleList;
  Secret: Secret;
  ConfigMap: ConfigMap;
}

export type Kind = keyof Bodies;

/** A place in a file; lines and columns count from 1. */
export interface Position {
  line: number;
  column: number;
}

/** Keys and list indexes that lead from the top of a document to a field. */
export type FieldPath = readonly (string | number)[];

/** Where a resource was written down. */
export interface Source {
  /** The name of the file as it was given. */
  file: string;
  /** The place of a field, or of the nearest field above it that is there. */
  locate(path: FieldPath): Position;
  /** The characters of a scalar as they were written; undefined when the path leads to none. */
  written?(path: FieldPath): string | undefined;
}

/** A document of one kind. */
export interface ResourceOf<K extends Kind> {
  apiVersion: Bodies[K]['apiVersion'];
  kind: K;
  /** `default` when the document names none. */
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
