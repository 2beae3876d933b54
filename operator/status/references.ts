/** The Secrets and ConfigMaps that objects refer to, and what it is called when one is of no use. */
import type { BackendPool, EdgeGateway, FieldPath } from '../resources/index.ts';
import type { Reference } from './problems.ts';

type Spec = EdgeGateway['spec'];
type Listener = Spec['listeners'][number];
type Authentication = NonNullable<Spec['authentication']>;
type CaRef = NonNullable<NonNullable<BackendPool['spec']['tls']>['caCertificateRefs']>[number];

export function referencesOfListener({ tls }: Listener, namespace: string): Reference[] {
  return [
    ...(tls?.certificateRefs ?? []).map(
      (ref): Reference => ({
        object: `Secret ${ref.namespace ?? namespace}/${ref.name}`,
        reason: 'InvalidCertificateRef',
      }),
    ),
    ...(tls?.clientValidation?.caCertificateRefs ?? []).map((ref) => referenceToCa(ref, namespace)),
  ];
}

/** Those of the gateway that belong to no listener: keys of token providers. */
export function referencesOfGateway({ authentication, routes = [] }: Spec, namespace: string): Reference[] {
  return [authentication, ...routes.map((route) => route.authentication)].flatMap((each) =>
    keySecrets(each).map(
      (name): Reference => ({ object: `Secret ${namespace}/${name}`, reason: 'InvalidKeys' }),
    ),
  );
}

function keySecrets(authentication: Authentication | undefined): string[] {
  return (authentication?.jwt?.providers ?? []).flatMap(({ keys }) => {
    const name = keys.secretRef?.name ?? keys.jwks?.secretRef?.name;
    return name === undefined ? [] : [name];
  });
}

export function referencesOfPool({ tls }: BackendPool['spec'], namespace: string): Reference[] {
  const { clientCertificateRef, caCertificateRefs = [] } = tls ?? {};
  const references = caCertificateRefs.map((ref) => referenceToCa(ref, namespace));
  if (clientCertificateRef === undefined) return references;
  const object = `Secret ${namespace}/${clientCertificateRef.name}`;
  return [{ object, reason: 'InvalidClientCertificateRef' }, ...references];
}

function referenceToCa({ kind = 'Secret', name }: CaRef, namespace: string): Reference {
  return { object: `${kind} ${namespace}/${name}`, reason: 'InvalidCACertificateRef' };
}

/** The number in `spec.listeners[1].port`; `null` for a field outside of the list. */
export function indexIn(list: FieldPath, field: string): number | null {
  const prefix = `${list.join('.')}[`;
  if (!field.startsWith(prefix)) return null;
  const index = Number.parseInt(field.slice(prefix.length), 10);
  return Number.isNaN(index) ? null : index;
}
