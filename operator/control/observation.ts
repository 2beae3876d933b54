/** What the cluster shows of a gateway, as statuses are made from it. */
import type { KubernetesObject } from '../../kubernetes/index.ts';
import { STATUS_PORT } from '../../proxy/pod/places.ts';
import type { Secret } from '../../proxy/pod/secret.ts';
import { objectName, snapshotSecretName } from '../infrastructure/names.ts';
import type { PodAddress, PodReports } from '../pods/pod-reports.ts';
import type { ObservedGateway, ObservedPod } from '../status/observed.ts';
import type { OwnedObject } from './owned-objects.ts';
import { manifestOf } from './snapshot-secrets.ts';

interface Pod extends KubernetesObject {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly PodCondition[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface PodCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

interface ContainerStatus {
  readonly state?: { readonly waiting?: Reason; readonly terminated?: Reason };
}

interface Reason {
  readonly reason?: string;
  readonly message?: string;
}

interface Service extends KubernetesObject {
  readonly spec?: {
    readonly type?: string;
    readonly clusterIPs?: readonly string[];
    readonly clusterIP?: string;
  };
  readonly status?: {
    readonly loadBalancer?: {
      readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[];
    };
  };
}

interface Deployment extends KubernetesObject {
  readonly spec?: { readonly replicas?: number };
}

/**
 * @param objects all that the operator made for the gateway
 * @param problem why they could not be brought in line the last time
 */
export function observeGateway(
  name: string,
  objects: readonly OwnedObject[],
  reports: PodReports,
  problem: string | null,
): ObservedGateway {
  const find = (kind: string, called: string): KubernetesObject | undefined =>
    objects.find(({ type, object }) => type.kind === kind && object.metadata.name === called)?.object;
  const index = find('Secret', snapshotSecretName(name)) as Secret | undefined;
  const deployment = find('Deployment', objectName(name)) as Deployment | undefined;
  return {
    stored: index === undefined ? null : (manifestOf(index)?.hash ?? null),
    problem,
    pods: podsOf(objects)
      .filter((pod) => !isLeaving(pod))
      .map((pod) => observePod(pod, reports))
      .sort((left, right) => (left.name < right.name ? -1 : 1)),
    replicas: deployment?.spec?.replicas ?? null,
    addresses: addressesOf(find('Service', objectName(name))),
  };
}

/** Where the pods of a gateway report. */
export function podAddresses(
  objects: readonly OwnedObject[],
  urlOf: (podIP: string) => string,
): PodAddress[] {
  return podsOf(objects).flatMap((pod) => {
    const { podIP } = pod.status ?? {};
    if (!podIP || isLeaving(pod)) return [];
    return [{ uid: pod.metadata.uid ?? '', url: urlOf(podIP) }];
  });
}

export function reportUrl(podIP: string): string {
  const host = podIP.includes(':') ? `[${podIP}]` : podIP;
  return `http://${host}:${STATUS_PORT}/report`;
}

function podsOf(objects: readonly OwnedObject[]): Pod[] {
  return objects.filter(({ type }) => type.kind === 'Pod').map(({ object }) => object as Pod);
}

function observePod(pod: Pod, reports: PodReports): ObservedPod {
  const conditions = pod.status?.conditions ?? [];
  const { name, uid = '' } = pod.metadata;
  return {
    name,
    ready: conditions.some(({ type, status }) => type === 'Ready' && status === 'True'),
    report: reports.report(uid),
    problem: problemOf(pod) ?? reports.problem(uid),
  };
}

/** A pod that is on its way out, or has ended, no longer counts. */
function isLeaving({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp !== undefined || status?.phase === 'Succeeded' || status?.phase === 'Failed'
  );
}

function problemOf({ status }: Pod): string | null {
  const unscheduled = status?.conditions?.find(
    ({ type, status: is }) => type === 'PodScheduled' && is === 'False',
  );
  if (unscheduled !== undefined) return words(unscheduled, 'Unschedulable');
  for (const { state } of status?.containerStatuses ?? []) {
    const reason = state?.waiting ?? state?.terminated;
    // These two are the ordinary way to a container that runs.
    if (reason?.reason === 'ContainerCreating' || reason?.reason === 'PodInitializing') continue;
    if (reason !== undefined) return words(reason, 'the container does not run');
  }
  return null;
}

function words({ reason, message }: Reason, otherwise: string): string {
  return [reason ?? otherwise, message].filter((part) => part !== undefined && part !== '').join(': ');
}

/** Where clients reach a Service: what its load balancer says, else its own address in the cluster. */
function addressesOf(service: Service | undefined): ObservedGateway['addresses'] {
  if (service?.spec?.type === 'LoadBalancer') {
    const ingress = service.status?.loadBalancer?.ingress ?? [];
    return ingress.flatMap(({ ip, hostname }): ObservedGateway['addresses'] => {
      if (ip) return [{ type: 'IPAddress', value: ip }];
      return hostname ? [{ type: 'Hostname', value: hostname }] : [];
    });
  }
  const { clusterIPs, clusterIP } = service?.spec ?? {};
  return (clusterIPs ?? (clusterIP ? [clusterIP] : []))
    .filter((address) => address !== 'None')
    .map((value) => ({ type: 'IPAddress' as const, value }));
}
