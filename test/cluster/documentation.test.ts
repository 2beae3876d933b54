/** Every command of the documentation that needs a cluster, page by page, and what it shows. */
import { dirname } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type Block, guidePages, type Page, type Place, root } from '../docs/markdown.ts';
import { follow, isRun } from '../docs/page-run.ts';
import type { Shell } from '../docs/terminal.ts';
import { until } from '../support/until.ts';
import type { Cluster as RunningCluster } from './cluster.ts';

// A cluster of its own, since some pages begin where nothing is installed.
process.env.SLUICE_CLUSTER = `${process.env.SLUICE_CLUSTER ?? ''}documentation`;
const { Cluster } = await import('./cluster.ts');
const { program } = await import('./components.ts');
const { helmEnvironment } = await import('./helm.ts');
const { runCommand } = await import('./node.ts');
const { adminKubeconfig, runFolder } = await import('./paths.ts');
const { examplesImage, projectImage } = await import('./project-image.ts');
const { skipWithoutCluster } = await import('./requirements.ts');

const COMMAND_TIMEOUT_MS = 180_000;
const SHOWN_TIMEOUT_MS = 60_000;
/** Those that a cluster has before anybody installs anything. */
const OWN_NAMESPACES: readonly string[] = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];
const OPERATOR_NAMESPACE = 'sluice-system';

suite('the documentation, in a cluster', { skip: skipWithoutCluster() }, () => {
  let cluster: RunningCluster;
  let shell: Shell;

  before(async () => {
    cluster = await Cluster.start();
    shell = shellIn(cluster);
    const project = projectImage();
    await cluster.importImage(project.file);
    await cluster.importImage(examplesImage(project).file);
    await empty();
  });

  after(async () => {
    await cluster?.[Symbol.asyncDispose]();
  });

  for (const { page, blocks } of pagesIn('an empty cluster')) {
    test(`${page.path} shows what happens`, async () => {
      try {
        await follow(page, { blocks, shell, shownTimeoutMs: SHOWN_TIMEOUT_MS });
      } finally {
        await empty();
      }
    });
  }

  suite('with the chat', () => {
    before(async () => {
      const where = ['--namespace', OPERATOR_NAMESPACE, '--create-namespace', '--wait'];
      await run(program('helm'), ['install', 'sluice', `${root}/charts/sluice`, ...where]);
      await cluster.kubectl(['apply', '--filename', `${root}/examples/chat`]);
      await cluster.wait('edgegateway', 'chat', 'condition=Programmed', 'default');
      await cluster.wait('backendpool', 'chat', 'condition=Healthy', 'default');
    });

    for (const { page, blocks } of pagesIn('a cluster with the chat')) {
      test(`${page.path} shows what happens`, () =>
        follow(page, { blocks, shell, shownTimeoutMs: SHOWN_TIMEOUT_MS }));
    }

    after(() => empty());
  });

  async function run(command: string, args: readonly string[]): Promise<string> {
    const [first, ...others] = [...shell.command.slice(0, shell.command.indexOf('bash')), command, ...args];
    const { code, stdout, stderr } = await runCommand(first!, others, { env: shell.env });
    if (code !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** Takes away all that a page may have left. */
  async function empty(): Promise<void> {
    const kinds = (await cluster.kubectl(['get', 'crd', '--output=name'])).split('\n');
    for (const definition of kinds.filter((name) => name.endsWith('.sluice.dev'))) {
      await cluster.kubectl(['delete', definition, '--wait']);
    }
    const releases = await run(program('helm'), ['list', '--all-namespaces', '--output=json']);
    for (const { name, namespace } of JSON.parse(releases) as { name: string; namespace: string }[]) {
      await run(program('helm'), ['uninstall', name, '--namespace', namespace, '--wait']);
    }
    // Complains of the kinds that are gone by now, and deletes the rest.
    await cluster.tryKubectl(['delete', '--filename', `${root}/examples/chat`, '--ignore-not-found']);
    const namespaces = (await cluster.kubectl(['get', 'namespace', '--output=name'])).trim().split('\n');
    for (const name of namespaces.map((each) => each.replace('namespace/', ''))) {
      if (!OWN_NAMESPACES.includes(name)) await cluster.kubectl(['delete', 'namespace', name, '--wait']);
    }
    const left = [
      '--selector=app.kubernetes.io/managed-by=sluice-operator',
      '--all-namespaces',
      '--output=name',
    ];
    const kindsOfGateways = 'deployments,services,secrets,roles,rolebindings';
    await until(
      'nothing is left',
      async () => (await cluster.kubectl(['get', kindsOfGateways, ...left])) === '',
    );
  }
});

/** Pages with commands for such a place. */
function pagesIn(place: Place): { readonly page: Page; readonly blocks: readonly Block[] }[] {
  return guidePages()
    .map((page) => ({ page, blocks: page.blocks.filter((block) => block.place === place) }))
    .filter(({ blocks }) => blocks.some(isRun));
}

/** A terminal of somebody with kubectl and Helm, in the network of the cluster. */
function shellIn(cluster: RunningCluster): Shell {
  const [command, args] = cluster.nodes[0]!.inside('bash', ['--norc'], ['net']);
  const folders = [dirname(program('kubectl')), dirname(program('helm'))];
  return {
    command: [command, ...args],
    env: {
      ...helmEnvironment,
      KUBECONFIG: adminKubeconfig,
      KUBECACHEDIR: `${runFolder}/kubectl-cache`,
      PATH: [...folders, process.env.PATH].join(':'),
    },
    timeoutMs: COMMAND_TIMEOUT_MS,
  };
}
