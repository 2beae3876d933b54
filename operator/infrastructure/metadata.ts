import type { OwnerReference } from '../../kubernetes/index.ts';
import type { Context } from './context.ts';
import { foreignObjectName, gatewayLabels } from './names.ts';
import { ownerReferenceOf } from './owner.ts';

export interface ObjectMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

/** Of an object beside the gateway: it goes when the gateway goes. */
export function metadataOf(
  context: Context,
  annotations: Readonly<Record<string, string>> = {},
): ObjectMetadata {
  const { gateway, namespace, objectName } = context;
  return {
    name: objectName,
    namespace,
    ...labelled(context, annotations),
    ownerReferences: [ownerReferenceOf(gateway)],
  };
}

/** Of an object in another namespace, where an owner cannot be named: only the labels say whose it is. */
export function foreignMetadataOf(context: Context, namespace: string): ObjectMetadata {
  return { name: foreignObjectName(context.gateway.metadata), namespace, ...labelled(context) };
}

/** The labels and annotations of everything, pods included. */
export function labelled(
  { gateway, infrastructure }: Context,
  annotations: Readonly<Record<string, string>> = {},
): Pick<ObjectMetadata, 'labels' | 'annotations'> {
  const all = { ...infrastructure.annotations, ...annotations };
  return {
    // Ours last: by them everything is found.
    labels: { ...infrastructure.labels, ...gatewayLabels(gateway.metadata) },
    ...(Object.keys(all).length > 0 && { annotations: all }),
  };
}
