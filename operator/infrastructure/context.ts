import type { Snapshot } from '../../proxy/config/snapshot.ts';
import type { EdgeGateway } from '../resources/types.ts';
import { objectName } from './names.ts';
import type { InfrastructureSettings } from './settings.ts';

export interface InfrastructureInput {
  /** As the API server has it, with its uid. */
  readonly gateway: EdgeGateway;
  /** What the pods are to serve: the newest that is valid, which may be of an earlier state of the gateway. */
  readonly snapshot: Snapshot;
  /** Suffixes of the parts of the stored snapshot that there are. */
  readonly parts: readonly string[];
  readonly settings: InfrastructureSettings;
}

/** The input, and what every object needs of it. */
export interface Context extends InfrastructureInput {
  readonly namespace: string;
  /** Of the objects in the gateway's namespace. */
  readonly objectName: string;
  readonly infrastructure: NonNullable<EdgeGateway['spec']['infrastructure']>;
}

export function contextOf(input: InfrastructureInput): Context {
  const { namespace = 'default', name } = input.gateway.metadata;
  const { infrastructure = {} } = input.gateway.spec;
  return { ...input, namespace, objectName: objectName(name), infrastructure };
}
