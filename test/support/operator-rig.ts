/** The operator over an API server for tests, without a cluster: what users write goes in, what it makes comes out. */
import type { TestContext } from 'node:test';
import {
  collectionPath,
  type KubernetesObject,
  type ResourceType,
  systemClock,
  UndiciTransport,
} from '../../kubernetes/index.ts';
import { FakeApiServer } from '../../kubernetes/testing/fake-api-server.ts';
import { FixedCredentials } from '../../kubernetes/testing/rig.ts';
import { Operator, type OperatorOptions } from '../../operator/control/operator.ts';
import type { Kind } from '../../operator/resources/index.ts';
import { READ_TYPES } from '../../operator/sources/cluster/types.ts';
import type { Log } from '../../proxy/telemetry/log.ts';
import { until } from './until.ts';

export interface OperatorRig {
  readonly server: FakeApiServer;
  readonly operator: Operator;
  /** What the operator logged, a line each. */
  readonly lines: string[];
  /** Writes what a user would; the generation grows with each change of the spec. */
  put(kind: Kind, name: string, content: object, namespace?: string): KubernetesObject;
  remove(kind: Kind, name: string, namespace?: string): void;
  /** An object as the server has it. */
  get(type: ResourceType, name: string, namespace?: string): KubernetesObject | null;
  /** The status of an object that a user wrote. */
  status(kind: Kind, name: string, namespace?: string): Record<string, unknown>;
  /** Resolves with an object once it is there and the condition holds. */
  awaits(
    type: ResourceType,
    name: string,
    condition?: (object: KubernetesObject) => boolean,
    namespace?: string,
  ): Promise<KubernetesObject>;
  /** How many requests that write came so far, but for the election of a leader. */
  writes(): number;
  /** Another replica, or the one that is started after the first. */
  another(identity: string): Operator;
}

const QUICK_ELECTION = { leaseDurationMs: 1_000, renewDeadlineMs: 800, retryPeriodMs: 100 };

export async function operatorRig(
  t: TestContext,
  options: Partial<OperatorOptions> = {},
): Promise<OperatorRig> {
  const server = new FakeApiServer({ clock: systemClock });
  await server.start();
  const credentials = new FixedCredentials({
    server: server.url,
    tls: { rejectUnauthorized: true },
    headers: {},
    proxyUrl: null,
  });
  const transport = new UndiciTransport(credentials, systemClock);
  const lines: string[] = [];
  const make = (identity: string): Operator =>
    new Operator({
      transport,
      clock: systemClock,
      random: Math.random,
      log: logInto(lines),
      identity,
      namespaces: null,
      leaseNamespace: 'sluice-system',
      ingress: true,
      settings: {
        image: 'sluice:test',
        imagePullPolicy: 'IfNotPresent',
        imagePullSecrets: [],
        operatorNamespace: 'sluice-system',
        operatorPodLabels: { 'app.kubernetes.io/component': 'operator' },
        networkPolicy: true,
        shutdownDelaySeconds: 0,
      },
      electionTiming: QUICK_ELECTION,
      ...options,
    });
  const operators = [make('operator-1')];
  const [operator] = operators as [Operator];
  t.after(async () => {
    for (const each of operators) await each.stop();
    await transport.close();
    await server.stop();
  });
  const get = (type: ResourceType, name: string, namespace = 'default') =>
    server.etcd.get(collectionPath(type), type.namespaced ? namespace : undefined, name);
  return {
    server,
    operator,
    lines,
    put(kind, name, content, namespace = 'default') {
      const type = READ_TYPES[kind];
      const before = get(type, name, namespace);
      const isSame =
        JSON.stringify((before as { spec?: unknown } | null)?.spec) ===
        JSON.stringify((content as { spec?: unknown }).spec);
      const generation = (before?.metadata.generation ?? 0) + (isSame && before !== null ? 0 : 1);
      const metadata = { ...before?.metadata, name, ...(type.namespaced && { namespace }), generation };
      return server.put(type, { ...before, ...content, metadata });
    },
    remove(kind, name, namespace = 'default') {
      const type = READ_TYPES[kind];
      server.delete(type, type.namespaced ? namespace : undefined, name);
    },
    get,
    status(kind, name, namespace) {
      const object = get(READ_TYPES[kind], name, namespace) as { status?: Record<string, unknown> } | null;
      return object?.status ?? {};
    },
    awaits(type, name, condition = () => true, namespace = 'default') {
      return until(`${type.kind} ${namespace}/${name}`, () => {
        const object = get(type, name, namespace);
        return object !== null && condition(object) ? object : null;
      });
    },
    another(identity) {
      const next = make(identity);
      operators.push(next);
      return next;
    },
    writes: () =>
      server.requests.filter(
        ({ method, path }) => method !== 'GET' && !path.endsWith('/leases') && !path.includes('/leases/'),
      ).length,
  };
}

function logInto(lines: string[]): Log {
  const at =
    (level: string) =>
    (first: string | object, message?: string): void => {
      lines.push(`${level}: ${typeof first === 'string' ? first : `${message} ${JSON.stringify(first)}`}`);
    };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
