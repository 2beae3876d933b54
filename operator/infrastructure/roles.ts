import type { Context } from './context.ts';
import { foreignMetadataOf, metadataOf, type ObjectMetadata } from './metadata.ts';
import { snapshotPartName, snapshotSecretName } from './names.ts';
import { type DesiredObject, ROLE_BINDINGS, ROLES } from './types.ts';

const READ = ['get', 'list', 'watch'];
const ENDPOINT_SLICES = { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: READ };

/**
 * What the pods may do at the API server: read the Secrets of their own snapshot, by name, and the endpoints of the
 * namespaces in which they have Services.
 */
export function rolesOf(context: Context): DesiredObject[] {
  const { gateway, namespace, parts } = context;
  const { name } = gateway.metadata;
  const secrets = {
    apiGroups: [''],
    resources: ['secrets'],
    resourceNames: [snapshotSecretName(name), ...parts.map((suffix) => snapshotPartName(name, suffix))],
    verbs: READ,
  };
  const foreign = foreignNamespaces(context).map((other) =>
    roleAndBinding(context, foreignMetadataOf(context, other), [ENDPOINT_SLICES]),
  );
  return [...roleAndBinding(context, metadataOf(context), [secrets, ENDPOINT_SLICES]), ...foreign.flat()];

  function foreignNamespaces({ snapshot }: Context): string[] {
    const used = snapshot.pools
      .flatMap(({ targets }) => targets)
      .flatMap((target) => (target.kind === 'service' ? [target.namespace] : []));
    return [...new Set(used)].filter((other) => other !== namespace).sort();
  }
}

function roleAndBinding(
  { namespace, objectName }: Context,
  metadata: ObjectMetadata,
  rules: readonly object[],
): DesiredObject[] {
  const binding = {
    metadata,
    roleRef: { apiGroup: ROLES.group, kind: ROLES.kind, name: metadata.name },
    subjects: [{ kind: 'ServiceAccount', name: objectName, namespace }],
  };
  return [
    { type: ROLES, object: { metadata, rules } },
    { type: ROLE_BINDINGS, object: binding },
  ];
}
