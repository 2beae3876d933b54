/**
 * The chart and the kustomization on a real cluster: what they install runs and has the rights that it needs; upgrades
 * reach the CustomResourceDefinitions; nothing that users wrote is lost by a rollback or an uninstallation.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { until } from '../support/until.ts';
import type { KubernetesObject } from './api.ts';
import type { Cluster as RunningCluster } from './cluster.ts';

// A cluster of its own, since the chart installs what belongs to the whole cluster.
process.env.SLUICE_CLUSTER = `${process.env.SLUICE_CLUSTER ?? ''}chart`;
const { CHART, NAMESPACE, RELEASE, render } = await import('../chart/render.ts');
const { Cluster } = await import('./cluster.ts');
const { clusterHelm, tryClusterHelm } = await import('./cluster-helm.ts');
const { root } = await import('./paths.ts');
const { projectImage } = await import('./project-image.ts');
const { skipWithoutCluster } = await import('./requirements.ts');

const OPERATOR = `${RELEASE}-operator`;
const WAIT = ['--wait', '--timeout=120s'];
const GATEWAYS = 'edgegateways.sluice.dev';
/** What the older version of the chart does not have. */
const NEW_COLUMN = 'Pods';

interface Definition extends KubernetesObject {
  readonly spec: {
    readonly versions: readonly { readonly additionalPrinterColumns: readonly { readonly name: string }[] }[];
  };
}

interface Workload extends KubernetesObject {
  readonly status: { readonly readyReplicas?: number };
}

/** Somebody's: a gateway, a pool without any target that could be down. */
const mine = (namespace: string): object[] => [
  {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'EdgeGateway',
    metadata: { name: 'mine', namespace },
    spec: {
      replicas: 1,
      listeners: [{ name: 'web', protocol: 'HTTP', port: 80 }],
      routes: [{ name: 'all', backend: { pool: 'mine' } }],
      infrastructure: { service: { type: 'ClusterIP' } },
    },
  },
  {
    apiVersion: 'sluice.dev/v1alpha1',
    kind: 'BackendPool',
    metadata: { name: 'mine', namespace },
    spec: { targets: [{ ip: '127.0.0.1', port: 1 }] },
  },
];

/** One after the other: each test begins where the one before it ended. */
suite('the chart on a real cluster', { skip: skipWithoutCluster() }, () => {
  let cluster: RunningCluster;
  let older: string;

  before(async () => {
    cluster = await Cluster.start();
    await clear();
    await cluster.importImage(projectImage().file);
    await cluster.kubectl(['apply', `--filename=${join(root, 'deploy/namespace.yaml')}`]);
    older = olderChart();
  });

  after(async () => {
    rmSync(older, { recursive: true, force: true });
    await cluster?.[Symbol.asyncDispose]();
  });

  /** What an earlier run has left, in a cluster that was there before. */
  async function clear(): Promise<void> {
    for (const namespace of [NAMESPACE, 'watched']) {
      await clusterHelm(namespace, ['uninstall', RELEASE, '--ignore-not-found', ...WAIT]);
    }
    const definitions = `--filename=${join(root, 'deploy/crds.yaml')}`;
    await cluster.kubectl(['delete', definitions, '--ignore-not-found', '--wait']);
    const namespaces = [NAMESPACE, 'gateways', 'watched', 'other'];
    await cluster.kubectl(['delete', 'namespace', ...namespaces, '--ignore-not-found', '--wait']);
  }

  /** The chart as it was: of another version, with a definition that lacks something. */
  function olderChart(): string {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-chart-'));
    cpSync(CHART, folder, { recursive: true });
    const replaceIn = (file: string, what: RegExp, by: string): void => {
      const path = join(folder, file);
      const text = readFileSync(path, 'utf8');
      assert.match(text, what);
      writeFileSync(path, text.replace(what, by));
    };
    replaceIn('Chart.yaml', /^version: .*$/m, 'version: 0.0.1');
    replaceIn(
      `templates/crds/sluice.dev_edgegateways.yaml`,
      new RegExp(`    - name: ${NEW_COLUMN}\n(?:      .*\n)+`),
      '',
    );
    return folder;
  }

  const columns = async (): Promise<string[]> => {
    const { spec } = (await cluster.get('crd', GATEWAYS, 'default')) as Definition;
    return spec.versions[0]!.additionalPrinterColumns.map(({ name }) => name);
  };

  const readyReplicas = async (namespace: string): Promise<number> =>
    ((await cluster.get('deployment', OPERATOR, namespace)) as Workload).status.readyReplicas ?? 0;

  const programmed = (namespace: string): Promise<void> =>
    cluster.wait('edgegateway', 'mine', 'condition=Programmed', namespace);

  /** Everything of the release that is there, as `Kind/name`. */
  const installed = async (): Promise<string[]> => {
    const kinds = 'deployments,services,serviceaccounts,poddisruptionbudgets,roles,rolebindings,configmaps';
    const clusterKinds = 'clusterroles,clusterrolebindings,ingressclasses,customresourcedefinitions';
    const list = await cluster.kubectl([
      'get',
      `${kinds},${clusterKinds}`,
      `--selector=app.kubernetes.io/instance=${RELEASE}`,
      '--all-namespaces',
      '--output=json',
    ]);
    const { items } = JSON.parse(list) as { items: KubernetesObject[] };
    return items.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort();
  };

  test('a gateway in the first installation is refused, with what to do', async () => {
    const { code, stderr } = await tryClusterHelm(NAMESPACE, [
      'install',
      RELEASE,
      CHART,
      '--set=ingress.gateway.enabled=true',
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /ingress\.gateway\.enabled: found true where .*Install without it first/);
    assert.equal((await clusterHelm(NAMESPACE, ['list', '--all', '--short'])).trim(), '');
    assert.deepEqual(await installed(), []);
  });

  test('an older version is installed, and its notes say what to do next', async () => {
    const output = await clusterHelm(NAMESPACE, ['install', RELEASE, older, ...WAIT]);
    assert.match(output, /STATUS: deployed/);
    assert.match(output, /kubectl --namespace sluice-system rollout status deployment\/sluice-operator/);
    assert.match(output, /--set ingress\.gateway\.enabled=true/);
    assert.equal(await readyReplicas(NAMESPACE), 2);
    assert.ok(!(await columns()).includes(NEW_COLUMN));
    // Helm keeps the whole chart in one Secret, and Kubernetes takes 1 MiB.
    const release = await cluster.get('secret', `sh.helm.release.v1.${RELEASE}.v1`, NAMESPACE);
    assert.ok(JSON.stringify(release).length < 512 * 1024, `${JSON.stringify(release).length} bytes`);
    const { spec } = (await cluster.get('lease', OPERATOR, NAMESPACE)) as KubernetesObject & {
      spec: { holderIdentity: string };
    };
    assert.match(spec.holderIdentity, new RegExp(`^${OPERATOR}-`));
  });

  test('the operator has the rights to serve a gateway, and not those of an administrator', async () => {
    await cluster.applyObjects(mine('default'));
    await programmed('default');
    const allowed = async (verb: string, what: string): Promise<boolean> => {
      const user = `system:serviceaccount:${NAMESPACE}:${OPERATOR}`;
      const { stdout } = await cluster.tryKubectl(['auth', 'can-i', verb, what, `--as=${user}`], {
        namespace: 'default',
      });
      return stdout.trim() === 'yes';
    };
    assert.equal(
      await allowed('patch', 'edgegateways.sluice.dev/status'),
      false,
      'a name, not a subresource',
    );
    for (const [verb, what] of [
      ['*', '*'],
      ['create', 'pods'],
      ['patch', 'edgegateways.sluice.dev'],
      ['delete', 'edgegateways.sluice.dev'],
      ['patch', 'customresourcedefinitions'],
      ['create', 'clusterroles'],
      ['escalate', 'roles'],
      ['get', 'nodes'],
      ['get', 'namespaces'],
    ] as const) {
      assert.equal(await allowed(verb, what), false, `${verb} ${what}`);
    }
  });

  test('an upgrade reaches the definitions, and leaves what users wrote alone', async () => {
    const gateway = await cluster.get('edgegateway', 'mine', 'default');
    await clusterHelm(NAMESPACE, ['upgrade', RELEASE, CHART, ...WAIT]);
    assert.ok((await columns()).includes(NEW_COLUMN));
    const { metadata } = await cluster.get('edgegateway', 'mine', 'default');
    assert.deepEqual(
      [metadata.uid, metadata.generation],
      [gateway.metadata.uid, gateway.metadata.generation],
    );
    assert.equal(await readyReplicas(NAMESPACE), 2);
  });

  test('the same upgrade again changes nothing', async () => {
    const state = async (): Promise<unknown[]> => {
      const { metadata } = await cluster.get('deployment', OPERATOR, NAMESPACE);
      const pods = await cluster.kubectl(
        ['get', 'pods', '--selector=app.kubernetes.io/component=operator', '--output=name'],
        { namespace: NAMESPACE },
      );
      const definition = await cluster.get('crd', GATEWAYS, 'default');
      return [metadata.generation, pods, definition.metadata.resourceVersion];
    };
    const earlier = await state();
    await clusterHelm(NAMESPACE, ['upgrade', RELEASE, CHART, ...WAIT]);
    assert.deepEqual(await state(), earlier);
  });

  test('everything that can be switched on is accepted without a warning', async () => {
    const values = join(root, 'test/chart/golden/everything.values.yaml');
    await cluster.kubectl(['create', 'namespace', 'gateways']);
    const objects = render(
      `--values=${values}`,
      '--set=fullnameOverride=other',
      '--set=crds.install=false',
      // The namespace refuses what is not restricted; the class is the other release's.
      '--set=ingress.class.name=other',
    ).filter(({ apiVersion }) => !apiVersion.startsWith('monitoring.coreos.com/'));
    const { code, stderr } = await cluster.tryKubectl(
      ['apply', '--dry-run=server', '--validate=strict', '--filename=-'],
      { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) },
    );
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  });

  test('the gateway for Ingresses comes with an upgrade', async () => {
    await clusterHelm(NAMESPACE, [
      'upgrade',
      RELEASE,
      CHART,
      '--reset-then-reuse-values',
      '--set=ingress.gateway.enabled=true',
      '--set=ingress.gateway.spec.infrastructure.service.type=ClusterIP',
      ...WAIT,
    ]);
    await cluster.wait('edgegateway', 'ingress', 'condition=Programmed', NAMESPACE);
  });

  test('a rollback brings back the version before, its definitions too', async () => {
    const gateway = await cluster.get('edgegateway', 'mine', 'default');
    await clusterHelm(NAMESPACE, ['rollback', RELEASE, '1', ...WAIT]);
    assert.ok(!(await columns()).includes(NEW_COLUMN));
    assert.equal(await readyReplicas(NAMESPACE), 2);
    const { metadata } = await cluster.get('edgegateway', 'mine', 'default');
    assert.equal(metadata.uid, gateway.metadata.uid);
    const left = await cluster.kubectl(['get', 'edgegateway', 'ingress', '--ignore-not-found'], {
      namespace: NAMESPACE,
    });
    assert.equal(left, '', 'the gateway that the chart had made');
  });

  test('an uninstallation leaves the definitions, and what users wrote serves on', async () => {
    await clusterHelm(NAMESPACE, ['uninstall', RELEASE, ...WAIT]);
    const left = await installed();
    assert.deepEqual(
      left,
      ['backendpools', 'edgegateways', 'firewallrulelists'].map(
        (plural) => `CustomResourceDefinition/${plural}.sluice.dev`,
      ),
    );
    const { status } = (await cluster.get('deployment', 'sluice-mine', 'default')) as Workload;
    assert.equal(status.readyReplicas, 1);
    // And the next one takes up what is there.
    await clusterHelm(NAMESPACE, ['install', RELEASE, CHART, ...WAIT]);
    await programmed('default');
    await cluster.delete('edgegateway', 'mine', 'default');
    await clusterHelm(NAMESPACE, ['uninstall', RELEASE, ...WAIT]);
  });

  test('with rights in some namespaces, it serves those and no other', async () => {
    for (const namespace of ['watched', 'other']) await cluster.kubectl(['create', 'namespace', namespace]);
    for (const namespace of ['watched', 'other']) await cluster.applyObjects(mine(namespace));
    await clusterHelm('watched', [
      'install',
      RELEASE,
      CHART,
      '--set=watchNamespaces={watched}',
      '--set=crds.install=false',
      '--set=rbac.aggregate=false',
      '--set=ingress.enabled=false',
      ...WAIT,
    ]);
    await programmed('watched');
    const { status } = await cluster.get('edgegateway', 'mine', 'other');
    assert.equal(status, undefined);
    for (const namespace of ['watched', 'other']) await cluster.delete('edgegateway', 'mine', namespace);
    await clusterHelm('watched', ['uninstall', RELEASE, ...WAIT]);
  });

  test('without Helm, kubectl installs the same, and then finds no difference', async () => {
    const folder = join(root, 'deploy');
    await cluster.kubectl(['apply', `--kustomize=${folder}`]);
    await cluster.kubectl(['rollout', 'status', `deployment/${OPERATOR}`, '--timeout=120s'], {
      namespace: NAMESPACE,
    });
    await cluster.applyObjects(mine('default'));
    await programmed('default');
    const { code, stdout, stderr } = await cluster.tryKubectl(['diff', `--kustomize=${folder}`]);
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' });
    await cluster.delete('edgegateway', 'mine', 'default');
    await until('the gateway leaves nothing behind', async () => {
      const left = await cluster.kubectl(
        ['get', 'deployments,services,secrets,roles', '--selector=sluice.dev/gateway', '--output=name'],
        { namespace: 'default' },
      );
      return left === '';
    });
    await cluster.kubectl(['delete', `--filename=${join(folder, 'operator.yaml')}`, '--wait']);
    assert.ok((await columns()).length > 0);
  });
});
