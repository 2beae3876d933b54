/**
 * The examples on a real cluster, from the files that run on a laptop: what the objects say of themselves, and the
 * clients that the examples are made for, inside and outside of the network of the pods.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { WebSocket } from 'ws';
import { run } from '../support/processes.ts';
import { until } from '../support/until.ts';
import type { KubernetesObject } from './api.ts';
import { Cluster, type TestNamespace } from './cluster.ts';
import type { Forward } from './dial.ts';
import { CLIENTS_IMAGE, clientsImage } from './e2e/clients-image.ts';
import { conditionsOf, shortly } from './e2e/conditions.ts';
import { addressOf } from './e2e/fleet-gateway.ts';
import { Installation } from './e2e/installation.ts';
import { tableOf } from './e2e/table.ts';
import { BUSYBOX_IMAGE } from './image.ts';
import { root } from './paths.ts';
import { skipWithoutCluster } from './requirements.ts';

const EXAMPLES = ['chat', 'signalr', 'webpubsub'] as const;
type Example = (typeof EXAMPLES)[number];
const PORTS: Readonly<Record<Example, number>> = { chat: 8080, signalr: 8081, webpubsub: 8082 };
/** From the block for documentation (RFC 5737): nothing is ever sent there. */
const LOAD_BALANCER = '203.0.113.7';
const CLIENT_TIMEOUT_MS = 60_000;
/** They are written now and then. */
const TOTALS_TIMEOUT_MS = 90_000;
const TRANSPORTS = ['WebSockets', 'ServerSentEvents', 'LongPolling'];
const AGE = /^\d+[smh]/;

suite('the examples on a cluster', { skip: skipWithoutCluster() }, () => {
  const stack = new AsyncDisposableStack();
  let cluster: Cluster;
  let namespace: TestNamespace;
  let chatUrl: string;
  /** Open till the end. */
  const held: WebSocket[] = [];

  before(async () => {
    cluster = stack.use(await Cluster.start());
    const installation = stack.use(await Installation.install(cluster));
    await cluster.importImage(clientsImage(installation.project));
    namespace = stack.use(await cluster.namespace('examples'));
    await cluster.kubectl([
      ...['label', 'namespace', namespace.name],
      'pod-security.kubernetes.io/enforce=restricted',
    ]);
    for (const example of EXAMPLES) await cluster.apply([folderOf(example)], namespace.name);
    for (const example of EXAMPLES) {
      await cluster.wait('backendpool', example, 'condition=Healthy', namespace.name);
      await cluster.wait('edgegateway', example, 'condition=Programmed', namespace.name);
    }
    chatUrl = `http://127.0.0.1:${(await outside('chat')).port}`;
  });

  after(() => stack.disposeAsync());

  /** An example's gateway at a port of this machine. */
  async function outside(example: Example): Promise<Forward> {
    const address = await addressOf(cluster, namespace.name, example);
    return stack.use(await cluster.forward(address, PORTS[example]));
  }

  const objects = (): Promise<KubernetesObject[]> =>
    Promise.all([
      cluster.get('edgegateway', 'chat', namespace.name),
      cluster.get('backendpool', 'chat', namespace.name),
      cluster.get('firewallrulelist', 'chat-per-user', namespace.name),
    ]);

  test('every condition holds, and is about the object as it is now', async () => {
    const [gateway, pool, rules] = (await objects()) as [
      KubernetesObject,
      KubernetesObject,
      KubernetesObject,
    ];
    assert.deepEqual(shortly(gateway), [
      'Accepted=True Accepted',
      'Programmed=True Programmed',
      'ResolvedRefs=True ResolvedRefs',
      'web: Accepted=True Accepted',
      'web: Conflicted=False NoConflicts',
      'web: Programmed=True Programmed',
      'web: ResolvedRefs=True ResolvedRefs',
    ]);
    assert.deepEqual(shortly(pool), [
      'Accepted=True Accepted',
      'Healthy=True AllHealthy',
      'ResolvedRefs=True ResolvedRefs',
    ]);
    // Two pods, each of which counts for itself.
    assert.deepEqual(shortly(rules), ['Accepted=True Accepted', 'Enforced=False Degraded']);
    for (const object of [gateway, pool, rules]) {
      for (const { type, observedGeneration } of conditionsOf(object)) {
        assert.equal(observedGeneration, object.metadata.generation, `${object.kind}: ${type}`);
      }
    }
    const { listeners } = gateway.status as { listeners: { name: string; attachedRoutes: number }[] };
    assert.deepEqual(
      listeners.map(({ name, attachedRoutes }) => [name, attachedRoutes]),
      [['web', 4]],
    );
  });

  test('the columns of kubectl get show it, with the address of the load balancer', async () => {
    const ingress = JSON.stringify({ status: { loadBalancer: { ingress: [{ ip: LOAD_BALANCER }] } } });
    await cluster.kubectl(
      ['patch', 'service', 'sluice-chat', '--subresource=status', '--type=merge', `--patch=${ingress}`],
      { namespace: namespace.name },
    );
    await cluster.wait(
      'edgegateway',
      'chat',
      `jsonpath={.status.addresses[0].value}=${LOAD_BALANCER}`,
      namespace.name,
    );
    const table = async (kinds: string): Promise<Record<string, string>> => {
      const [row] = tableOf(
        await cluster.kubectl(
          ['get', kinds, '--output=wide', '--field-selector', `metadata.name=${nameOf(kinds)}`],
          { namespace: namespace.name },
        ),
      );
      const { AGE: age, ...others } = row!;
      assert.match(age!, AGE);
      return others;
    };
    assert.deepEqual(await table('egw'), {
      NAME: 'chat',
      ADDRESS: LOAD_BALANCER,
      ACCEPTED: 'True',
      PROGRAMMED: 'True',
      READY: '2',
      PODS: '2',
    });
    assert.deepEqual(await table('bp'), {
      NAME: 'chat',
      PROTOCOL: 'HTTPS',
      ACCEPTED: 'True',
      HEALTHY: '1',
      TARGETS: '1',
    });
    assert.deepEqual(await table('frl'), {
      NAME: 'chat-per-user',
      // The file does not set it.
      MODE: '',
      ACCEPTED: 'True',
      ENFORCEMENT: 'Degraded',
      CONNECTIONS: '0',
    });
  });

  test('applying the same files again changes nothing', async () => {
    const before = (await objects()).map(({ metadata }) => metadata.resourceVersion);
    for (const example of EXAMPLES) {
      const again = ['--filename', folderOf(example)];
      assert.equal(await cluster.kubectl(['diff', ...again], { namespace: namespace.name }), '');
      await cluster.kubectl(['apply', ...again], { namespace: namespace.name });
    }
    const now = (await objects()).map(({ metadata }) => metadata.resourceVersion);
    assert.deepEqual(now, before);
  });

  /** Signs in to the chat as a page does. */
  async function signIn(name: string): Promise<string> {
    const response = await fetch(`${chatUrl}/api/sign-in`, {
      method: 'POST',
      body: JSON.stringify({ name }),
    });
    assert.equal(response.status, 200);
    return ((await response.json()) as { token: string }).token;
  }

  async function connect(token: string): Promise<WebSocket> {
    const socket = new WebSocket(`${chatUrl.replace('http', 'ws')}/hub?access_token=${token}`);
    await once(socket, 'open');
    return socket;
  }

  test('people talk in the chat, from outside', async () => {
    const page = await fetch(chatUrl);
    assert.match(await page.text(), /<title>/);
    const [ada, alan] = await Promise.all([signIn('Ada').then(connect), signIn('Alan').then(connect)]);
    const heard = new Promise<string>((resolve) => {
      alan.on('message', (data) => {
        const { type, from, text } = JSON.parse(String(data));
        if (type === 'message') resolve(`${from}: ${text}`);
      });
    });
    ada.send(JSON.stringify({ type: 'message', text: 'Hello from outside' }));
    assert.equal(await heard, 'Ada: Hello from outside');
    ada.terminate();
    alan.terminate();
  });

  test('nobody has more connections than the pods allow together', async () => {
    const token = await signIn('Grace');
    // Two pods, each of which counts to two; whoever is refused by one may be let in by the other.
    const attempts = await Promise.allSettled(Array.from({ length: 30 }, () => connect(token)));
    const open = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
    const refused = attempts.flatMap((attempt) => (attempt.status === 'rejected' ? [attempt.reason] : []));
    assert.equal(open.length, 4);
    for (const error of refused) assert.match((error as Error).message, /429/);
    held.push(...open);
  });

  /** Runs an example's client on this machine. */
  async function client(
    example: Example,
    args: readonly string[],
    env: Record<string, string>,
  ): Promise<string> {
    const { code, output } = await run(process.execPath, [join(folderOf(example), 'client.ts'), ...args], {
      env,
    });
    assert.equal(code, 0, output);
    return output;
  }

  /** Runs an example's client in a pod to its end. */
  async function clientInPod(
    example: Example,
    args: readonly string[],
    env: Record<string, string>,
  ): Promise<string> {
    const name = `client-${example}-${args.join('-').toLowerCase()}`;
    await cluster.applyObjects([clientPod(name, example, args, env)], namespace.name);
    const phase = await until(
      `the client ${name} ends`,
      async () => {
        const { status } = await cluster.get('pod', name, namespace.name);
        const { phase } = status as { phase: string };
        return phase === 'Succeeded' || phase === 'Failed' ? phase : null;
      },
      CLIENT_TIMEOUT_MS,
    );
    const output = await cluster.logs(name, namespace.name);
    assert.equal(phase, 'Succeeded', output);
    return output;
  }

  for (const transport of TRANSPORTS) {
    test(`SignalR by ${transport}, from outside and inside`, async () => {
      const expected = new RegExp(
        `Connected as \\w+ by ${transport}[^]*Hello from the other side[^]*3\n2\n1\n`,
      );
      const { port } = await outside('signalr');
      const env = { URL: `http://127.0.0.1:${port}/chat` };
      assert.match(await client('signalr', ['Ada', transport], env), expected);
      const inside = { URL: `http://sluice-signalr:${PORTS.signalr}/chat` };
      assert.match(await clientInPod('signalr', ['Alan', transport], inside), expected);
    });
  }

  test('Web PubSub, from outside and inside', async () => {
    const { port } = await outside('webpubsub');
    const endpoints = [`http://127.0.0.1:${port}`, `http://sluice-webpubsub:${PORTS.webpubsub}`] as const;
    // A token is for the address that the client connects to.
    const audiences = endpoints.map((endpoint) => `${endpoint}/client/hubs/chat`);
    const path = '/spec/authentication/jwt/providers/0/audiences';
    const patch = JSON.stringify([{ op: 'replace', path, value: audiences }]);
    await cluster.kubectl(['patch', 'edgegateway', 'webpubsub', '--type=json', `--patch=${patch}`], {
      namespace: namespace.name,
    });
    await cluster.wait('edgegateway', 'webpubsub', 'condition=Programmed', namespace.name);
    const expected = /Connected as \w+: .*Hello from the other side.*The hub got the event wave/s;
    assert.match(await client('webpubsub', ['Ada'], { ENDPOINT: endpoints[0] }), expected);
    assert.match(await clientInPod('webpubsub', ['Alan'], { ENDPOINT: endpoints[1] }), expected);
  });

  test('the rule list shows the connections that are held', async () => {
    assert.equal(held.length, 4);
    await until(
      'they are counted',
      async () => {
        const [row] = tableOf(
          await cluster.kubectl(['get', 'frl', 'chat-per-user', '--output=wide'], {
            namespace: namespace.name,
          }),
        );
        return row!.CONNECTIONS === '4';
      },
      TOTALS_TIMEOUT_MS,
    );
    for (const socket of held) socket.terminate();
  });
});

function folderOf(example: Example): string {
  return join(root, 'examples', example);
}

function nameOf(kinds: string): string {
  return kinds === 'frl' ? 'chat-per-user' : 'chat';
}

/** Waits for the gateway's name, which the DNS learns of a little later, and runs the client. */
function clientPod(
  name: string,
  example: Example,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): object {
  const securityContext = {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  };
  const host = `sluice-${example}.$(NAMESPACE).svc.cluster.local`;
  const namespace = { name: 'NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      initContainers: [
        {
          name: 'name',
          image: BUSYBOX_IMAGE,
          imagePullPolicy: 'Never',
          command: [
            'sh',
            '-c',
            `until nc -w 1 ${host} ${PORTS[example]} </dev/null >/dev/null 2>&1; do sleep 0.2; done`,
          ],
          env: [namespace],
          securityContext,
        },
      ],
      containers: [
        {
          name: 'client',
          image: CLIENTS_IMAGE,
          imagePullPolicy: 'Never',
          args: [`examples/${example}/client.ts`, ...args],
          env: Object.entries(env).map(([name, value]) => ({ name, value })),
          securityContext,
        },
      ],
    },
  };
}
