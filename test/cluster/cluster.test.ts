/** The test cluster itself: that it is a cluster, that it is sealed off, and that the helpers do what they say. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, suite, test } from 'node:test';
import { until } from '../support/until.ts';
import { Cluster, type TestNamespace } from './cluster.ts';
import { program } from './components.ts';
import { startControlPlane } from './control-plane.ts';
import { BUSYBOX_IMAGE } from './image.ts';
import { PROJECT_IMAGE, projectImage } from './project-image.ts';
import { skipWithoutCluster } from './requirements.ts';

const PORT = 8080;
const MEBIBYTE = 2 ** 20;

interface PodOptions {
  /** What its container has besides. */
  readonly container?: object;
  readonly nodeName?: string;
}

suite('the test cluster', { skip: skipWithoutCluster() }, () => {
  let cluster: Cluster;
  let namespace: TestNamespace;

  before(async () => {
    cluster = await Cluster.start();
    namespace = await cluster.namespace('cluster');
  });

  after(async () => {
    await namespace?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** A pod with the rights of nobody, which runs to its end unless its command stays. */
  const pod = (
    name: string,
    image: string,
    command: readonly string[],
    { container = {}, ...spec }: PodOptions = {},
  ): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'Never',
          command,
          securityContext: {
            runAsNonRoot: true,
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
            seccompProfile: { type: 'RuntimeDefault' },
          },
          ...container,
        },
      ],
      ...spec,
    },
  });

  const service = (name: string): object => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: PORT }] },
  });

  /** What a pod prints that must end well. */
  async function outputOf(
    name: string,
    image: string,
    command: readonly string[],
    options?: PodOptions,
  ): Promise<string> {
    await cluster.applyObjects([pod(name, image, command, options)], namespace.name);
    const phase = await until(
      `pod ${name} ends`,
      async () => {
        const { status } = await cluster.get('pod', name, namespace.name);
        const { phase } = status as { phase: string };
        return phase === 'Succeeded' || phase === 'Failed' ? phase : null;
      },
      60_000,
    );
    const output = await cluster.logs(name, namespace.name);
    assert.equal(phase, 'Succeeded', output);
    await cluster.delete('pod', name, namespace.name);
    return output;
  }

  /** Answers every connection with its name. */
  async function startServer(name: string, nodeName?: string): Promise<void> {
    const command = ['nc', '-ll', '-p', String(PORT), '-e', 'echo', `I am ${name}`];
    const container = { readinessProbe: { tcpSocket: { port: PORT }, periodSeconds: 1 } };
    const server = pod(name, BUSYBOX_IMAGE, command, {
      container,
      ...(nodeName === undefined ? {} : { nodeName }),
    });
    await cluster.applyObjects([server, service(name)], namespace.name);
    await cluster.wait('pod', name, 'condition=Ready', namespace.name);
  }

  /** Prints what a server answers, as soon as it does: DNS and kube-proxy learn of a new service a little later. */
  const ask = (server: string): string[] => {
    const host = `${server}.${namespace.name}.svc.cluster.local`;
    return ['sh', '-c', `until nc ${host} ${PORT} </dev/null 2>/dev/null; do sleep 0.1; done`];
  };

  test('no device leads out of a node', async () => {
    const [node] = cluster.nodes;
    const { stdout } = await node!.run('ip', ['-json', 'link']);
    const names = (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname);
    assert.deepEqual(
      names.filter((name) => !/^(?:lo|node0|veth.*|to-node\d)$/.test(name)),
      [],
    );
  });

  test('pods find and reach each other by name, and tests reach them from outside', async () => {
    await startServer('server');
    assert.equal(await outputOf('client', BUSYBOX_IMAGE, ask('server')), 'I am server\n');

    const { spec } = await cluster.get('service', 'server', namespace.name);
    const { clusterIP } = spec as { clusterIP: string };
    const socket = await cluster.dial(clusterIP, PORT);
    assert.equal(await text(socket.end()), 'I am server\n');
    await using forwarded = await cluster.forward(clusterIP, PORT);
    const client = createConnection({ host: '127.0.0.1', port: forwarded.port });
    assert.equal(await text(client.end()), 'I am server\n');

    await cluster.delete('pod', 'server', namespace.name);
    await until('nothing listens', () =>
      cluster.dial(clusterIP, PORT).then(
        () => false,
        () => true,
      ),
    );
  });

  test('the image of this checkout runs without rights, and after an edit little of it is sent', async () => {
    const image = projectImage();
    await cluster.importImage(image.file);
    const run = () => outputOf('sluice', PROJECT_IMAGE, ['node', 'bin/sluice.mjs', '--version']);
    assert.match(await run(), /^\d+\.\d+\.\d+\n$/);

    const edited = projectImage(image);
    assert.ok(statSync(edited.file).size < 10 * MEBIBYTE);
    await cluster.importImage(edited.file);
    assert.match(await run(), /^\d+\.\d+\.\d+\n$/);
  });

  test('a killed API server comes back with all objects', async () => {
    const [node] = cluster.nodes;
    const { metadata } = await cluster.get('namespace', namespace.name, 'default');
    await node!.kill(program('kube-apiserver'));
    await assert.rejects(cluster.get('namespace', namespace.name, 'default'), /refused/);
    await startControlPlane(node!, 'kube-apiserver');
    const again = await until(
      'the API server answers',
      () => cluster.get('namespace', namespace.name, 'default').catch(() => null),
      60_000,
    );
    assert.equal(again.metadata.uid, metadata.uid);
  });

  test('a second node joins, and pods on both reach each other', async () => {
    const node = await cluster.addNode();
    try {
      await startServer('near', cluster.nodes[0]!.name);
      await startServer('far', node.name);
      for (const [from, to] of [
        [node.name, 'near'],
        [cluster.nodes[0]!.name, 'far'],
      ]) {
        assert.equal(await outputOf('client', BUSYBOX_IMAGE, ask(to!), { nodeName: from! }), `I am ${to}\n`);
      }
    } finally {
      await cluster.removeNode(node);
    }
    assert.match(await cluster.kubectl(['get', 'nodes', '--output=name']), /^node\/node1\n$/);
  });
});
