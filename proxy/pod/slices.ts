/** What the EndpointSlices of a Service say of its addresses. Pure. */
import type { KubernetesObject, ResourceType } from '../../kubernetes/index.ts';
import { formatAddress } from '../pools/address.ts';
import type { SourceAddress } from '../pools/sources.ts';

export const ENDPOINT_SLICES: ResourceType = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
};

const SERVICE_NAME = 'kubernetes.io/service-name';

export interface EndpointSlice extends KubernetesObject {
  readonly addressType: string;
  readonly endpoints?: readonly SliceEndpoint[] | null;
  readonly ports?: readonly { readonly name?: string | null; readonly port?: number | null }[] | null;
}

interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly conditions?: {
    readonly ready?: boolean | null;
    readonly serving?: boolean | null;
    readonly terminating?: boolean | null;
  } | null;
}

/** The Service whose endpoints a slice lists; `null` when it names none. */
export function serviceOf({ metadata }: EndpointSlice): string | null {
  return metadata.labels?.[SERVICE_NAME] ?? null;
}

export interface ServiceAddresses {
  /** Those that new connections go to. */
  readonly addresses: readonly SourceAddress[];
  /** Those that are not ready, and not about to go either. */
  readonly resting: readonly SourceAddress[];
  /** Why there are none, in words. */
  readonly problem: string | null;
}

/**
 * - `ready`: takes connections.
 * - `resting`: not ready for now.
 * - `serving`: about to go, and yet able to serve.
 * - `leaving`: about to go.
 */
type Condition = 'ready' | 'resting' | 'serving' | 'leaving';

/** Of two slices that list the same address while it moves from one to the other, the better word counts. */
const BEST_FIRST: readonly Condition[] = ['ready', 'serving', 'resting', 'leaving'];

/**
 * The addresses of one port of a Service. What is about to go gets no new connection while anything is ready; when
 * nothing is, those that can still serve do, as with kube-proxy: it is what a Service of one pod has while that pod
 * is being replaced.
 *
 * @param service `namespace/name`, for words
 * @param slices all that name the Service
 * @param portName of the Service's port; empty for one without a name
 */
export function addressesOf(
  service: string,
  slices: readonly EndpointSlice[],
  portName: string,
): ServiceAddresses {
  const found = new Map<string, { readonly place: SourceAddress; readonly condition: Condition }>();
  let listed = 0;
  const otherPorts = new Set<string>();
  for (const { addressType, endpoints, ports } of slices) {
    if (addressType !== 'IPv4' && addressType !== 'IPv6') continue;
    const port = ports?.find(({ name }) => (name ?? '') === portName)?.port ?? null;
    for (const { addresses, conditions } of endpoints ?? []) {
      listed++;
      if (port === null) {
        for (const { name } of ports ?? []) otherPorts.add(name ?? '');
        continue;
      }
      const condition = conditionOf(conditions ?? {});
      for (const address of addresses) {
        const id = formatAddress(address, port);
        const known = found.get(id)?.condition;
        if (known !== undefined && BEST_FIRST.indexOf(known) <= BEST_FIRST.indexOf(condition)) continue;
        found.set(id, { place: { address, port }, condition });
      }
    }
  }
  const all = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  const those = (wanted: Condition) =>
    all.filter(({ condition }) => condition === wanted).map(({ place }) => place);
  const ready = those('ready');
  const addresses = ready.length > 0 ? ready : those('serving');
  const resting = those('resting');
  const problem =
    addresses.length > 0 ? null : nothing(service, slices.length, listed, found.size, portName, otherPorts);
  return { addresses, resting, problem };
}

/** Absent conditions are meant as in Kubernetes: `ready` is true then, `serving` what `ready` is. */
function conditionOf(conditions: NonNullable<SliceEndpoint['conditions']>): Condition {
  const ready = conditions.ready ?? true;
  if (conditions.terminating ?? false) return (conditions.serving ?? ready) ? 'serving' : 'leaving';
  return ready ? 'ready' : 'resting';
}

function nothing(
  service: string,
  slices: number,
  listed: number,
  found: number,
  portName: string,
  otherPorts: ReadonlySet<string>,
): string {
  if (slices === 0)
    return `there are no EndpointSlices of Service ${service}: is it there, and has it a selector?`;
  if (listed === 0) return `Service ${service} has no endpoints: do its labels select pods that run?`;
  if (found > 0) return `none of ${found} endpoints of Service ${service} is ready`;
  const named = [...otherPorts].sort().map((name) => (name === '' ? 'one without a name' : name));
  const expected = portName === '' ? 'a port without a name' : `port ${portName}`;
  return `endpoints of Service ${service}: found ${named.length === 0 ? 'no port' : `ports ${named.join(', ')}`}, expected ${expected}`;
}
