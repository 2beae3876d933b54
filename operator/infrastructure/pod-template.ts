/**
 * A pod of a gateway. Whatever is in here costs every pod's connections when it changes, so nothing of the listeners or
 * of anything else that the snapshot carries is; only how long a pod may take to stop has to be.
 */
import { SNAPSHOT_VOLUME, STATUS_PORT } from '../../proxy/pod/places.ts';
import type { Context } from './context.ts';
import { labelled } from './metadata.ts';
import { snapshotSecretName } from './names.ts';
import { resourcesOf } from './resources.ts';
import { schedulingOf } from './scheduling.ts';

const USER = 65532;
/** For what a process does after its last connection, and before Kubernetes kills it. */
const GRACE_SECONDS = 15;

export function podTemplateOf(context: Context): object {
  const { objectName, settings, gateway } = context;
  const pullSecrets = settings.imagePullSecrets.map((name) => ({ name }));
  const snapshotSecret = snapshotSecretName(gateway.metadata.name);
  return {
    metadata: labelled(context),
    spec: {
      serviceAccountName: objectName,
      automountServiceAccountToken: true,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: gracePeriodSeconds(context),
      ...schedulingOf(context),
      ...(pullSecrets.length > 0 && { imagePullSecrets: pullSecrets }),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER,
        runAsGroup: USER,
        seccompProfile: { type: 'RuntimeDefault' },
        // Without privileges, listeners may have ports below 1024 all the same.
        sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
      },
      containers: [containerOf(context, snapshotSecret)],
      // For a container that starts again while the API server is away.
      volumes: [{ name: 'snapshot', secret: { secretName: snapshotSecret, optional: true } }],
    },
  };
}

/** The drain is that of the snapshot, since it is what the pods go by. */
function gracePeriodSeconds({ snapshot, settings }: Context): number {
  const { timeoutMs, jitterMs } = snapshot.settings.drain;
  return Math.ceil((timeoutMs + jitterMs) / 1000) + settings.shutdownDelaySeconds + GRACE_SECONDS;
}

function containerOf(context: Context, snapshotSecret: string): object {
  const { gateway, namespace, settings, infrastructure } = context;
  return {
    name: 'proxy',
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    args: [
      'proxy',
      ...['--namespace', namespace],
      ...['--gateway', gateway.metadata.name],
      ...['--snapshot-secret', snapshotSecret],
      ...['--shutdown-delay', String(settings.shutdownDelaySeconds)],
    ],
    env: [
      fromPod('POD_NAME', 'metadata.name'),
      fromPod('POD_NAMESPACE', 'metadata.namespace'),
      fromPod('POD_IP', 'status.podIP'),
    ],
    ports: [{ name: 'status', containerPort: STATUS_PORT, protocol: 'TCP' }],
    resources: resourcesOf(infrastructure.resources),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    // A pod that is busy is better than one that is killed with all its connections.
    startupProbe: { ...probe('/healthz'), periodSeconds: 1, failureThreshold: 60 },
    livenessProbe: { ...probe('/healthz'), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
    readinessProbe: { ...probe('/readyz'), periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 2 },
    volumeMounts: [{ name: 'snapshot', mountPath: SNAPSHOT_VOLUME, readOnly: true }],
  };
}

function probe(path: string): object {
  return { httpGet: { path, port: STATUS_PORT } };
}

function fromPod(name: string, fieldPath: string): object {
  // The version is a default that is stored, and the reference is owned as one.
  return { name, valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } } };
}
