/** A gateway with a fleet's backend behind it, in a namespace of its own. */
import { SignJWT } from 'jose';
import type { FleetOptions } from '../../support/fleet/fleet.ts';
import { until } from '../../support/until.ts';
import type { Cluster } from '../cluster.ts';
import { ClusterFleet } from '../cluster-fleet.ts';
import { ECHO_IMAGE } from './echo-image.ts';

export const GATEWAY = 'fleet';
export const PORT = 8080;
const ECHO_PORT = 8080;
const KEY = 'a-key-of-the-fleet-that-is-long-enough-for-its-hash';
const AUDIENCE = 'fleet';

/** How a stopping pod lets go: short, so that tests are, and long enough to tell it from an end without any. */
export const DRAIN = { timeoutSeconds: 3, jitterSeconds: 4 };
/** For how long a pod that was told to stop accepts connections on. */
const SHUTDOWN_DELAY_SECONDS = 5;
/** The longest that a client may have to wait for the close frame. */
export const DRAIN_MS = (SHUTDOWN_DELAY_SECONDS + DRAIN.timeoutSeconds + DRAIN.jitterSeconds) * 1_000;

export interface GatewaySettings {
  readonly replicas: number;
  /** Merged into the gateway's `spec`. */
  readonly spec?: object;
  /** Where the backend's pods are. */
  readonly echoNode?: string;
}

/** Everything that is applied for the gateway itself. */
export function gatewayObjects({ replicas, spec = {} }: GatewaySettings): object[] {
  const ours = (kind: string, name: string, body: object): object => ({
    apiVersion: 'sluice.dev/v1alpha1',
    kind,
    metadata: { name },
    spec: body,
  });
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'fleet-key' }, stringData: { key: KEY } },
    ours('EdgeGateway', GATEWAY, {
      replicas,
      workers: 1,
      listeners: [{ name: 'web', protocol: 'HTTP', port: PORT }],
      authentication: {
        jwt: {
          providers: [
            {
              name: 'fleet',
              audiences: [AUDIENCE],
              keys: { secretRef: { name: 'fleet-key', key: 'key' } },
            },
          ],
        },
      },
      routes: [
        {
          name: 'open',
          match: { paths: [{ type: 'PathPrefix', value: '/open' }] },
          authentication: { mode: 'None' },
          backend: { pool: 'echo' },
        },
        { name: 'all', backend: { pool: 'echo' } },
      ],
      drain: DRAIN,
      accessLog: { mode: 'None' },
      ...spec,
    }),
    ours('BackendPool', 'echo', {
      targets: [{ serviceRef: { name: 'echo', port: 80 } }],
      loadBalancing: { policy: 'LeastConnections' },
      probe: { path: '/healthz', intervalSeconds: 2, timeoutSeconds: 1 },
    }),
    ours('FirewallRuleList', 'per-user', {
      targetRefs: [{ group: 'sluice.dev', kind: 'EdgeGateway', name: GATEWAY }],
      clientConnectionCountRules: [{ type: 'ThrottleByUserIdRule', maxCount: 2 }],
    }),
  ];
}

/** The backend: its Service and its pods. */
export function echoObjects(replicas: number, node?: string): object[] {
  const labels = { app: 'echo' };
  const probe = { httpGet: { path: '/healthz', port: ECHO_PORT }, periodSeconds: 1 };
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'echo' },
      spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: ECHO_PORT }] },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'echo' },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            automountServiceAccountToken: false,
            ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
            containers: [
              {
                name: 'echo',
                image: ECHO_IMAGE,
                imagePullPolicy: 'Never',
                args: ['test/support/fleet/main.ts'],
                readinessProbe: probe,
              },
            ],
          },
        },
      },
    },
  ];
}

/** Applies a gateway and its backend; resolves when it is programmed, and its Service leads to it. */
export async function startFleetGateway(
  cluster: Cluster,
  namespace: string,
  settings: GatewaySettings,
): Promise<void> {
  const { echoNode } = settings;
  await cluster.applyObjects([...echoObjects(2, echoNode), ...gatewayObjects(settings)], namespace);
  await cluster.wait('deployment', 'echo', 'condition=Available', namespace);
  await programmed(cluster, namespace);
  const address = await addressOf(cluster, namespace);
  await until('the Service of the gateway leads to it', () =>
    cluster.dial(address, PORT).then(
      (socket) => {
        socket.destroy();
        return true;
      },
      () => false,
    ),
  );
}

/** Resolves when the gateway, as it was changed last, is in effect in as many pods as it wants. */
export async function programmed(cluster: Cluster, namespace: string, gateway = GATEWAY): Promise<void> {
  await cluster.wait('edgegateway', gateway, 'condition=Programmed', namespace);
}

/** Changes the gateway's `spec` by a merge patch. */
export async function change(cluster: Cluster, namespace: string, spec: object): Promise<void> {
  const patch = JSON.stringify({ spec });
  await cluster.kubectl(['patch', 'edgegateway', GATEWAY, '--type=merge', `--patch=${patch}`], { namespace });
}

/** The address of the Service that the operator makes for a gateway. */
export async function addressOf(cluster: Cluster, namespace: string, gateway = GATEWAY): Promise<string> {
  const { spec } = await cluster.get('service', `sluice-${gateway}`, namespace);
  return (spec as { clusterIP: string }).clusterIP;
}

/** Tokens of as many users, valid for an hour. */
export function tokens(users: number, first = 0): Promise<string[]> {
  const key = new TextEncoder().encode(KEY);
  return Promise.all(
    Array.from({ length: users }, (_, user) =>
      new SignJWT()
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject(`user-${first + user}`)
        .setAudience(AUDIENCE)
        .setIssuedAt()
        .setExpirationTime('1 hour')
        .sign(key),
    ),
  );
}

/** A fleet, each client of which is a user of its own. */
export async function openFleet(
  cluster: Cluster,
  namespace: string,
  { firstUser = 0, ...options }: Omit<FleetOptions, 'url' | 'tokens'> & { readonly firstUser?: number },
): Promise<ClusterFleet> {
  const address = await addressOf(cluster, namespace);
  const url = `ws://${address}:${PORT}/chat`;
  return ClusterFleet.open(cluster, { ...options, url, tokens: await tokens(options.clients, firstUser) });
}
