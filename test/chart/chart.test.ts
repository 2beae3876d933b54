/**
 * What Helm makes of the chart. Golden cases: `golden/NAME.values.yaml` gives `NAME.out.yaml`, without the
 * CustomResourceDefinitions; `UPDATE_GOLDEN=1` writes them anew: read the difference.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import { CONTROLLER_NAME } from '../../operator/infrastructure/names.ts';
import type { KubernetesObject } from '../cluster/api.ts';
import { skipWithoutHelm, tryHelm } from '../cluster/helm.ts';
import { root } from '../cluster/paths.ts';
import { PROJECT_IMAGE } from '../cluster/project-image.ts';
import { CHART, only, render, template } from './render.ts';

const UPDATE = process.env.UPDATE_GOLDEN === '1';
const GOLDEN = join(import.meta.dirname, 'golden');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

interface Deployment extends KubernetesObject {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly image: string;
          readonly args: readonly string[];
          readonly env: readonly { readonly name: string; readonly value?: string }[];
        }[];
      };
    };
  };
}

suite('the chart', { skip: skipWithoutHelm() }, () => {
  test('Helm finds nothing wrong with it', () => {
    const cases = globSync('*.values.yaml', { cwd: GOLDEN }).sort();
    assert.deepEqual(cases, [
      'defaults.values.yaml',
      'everything.values.yaml',
      'namespaced.values.yaml',
      'nothing-for-the-cluster.values.yaml',
    ]);
    for (const values of cases) {
      const { code, stdout, stderr } = tryHelm([
        'lint',
        '--strict',
        CHART,
        `--values=${join(GOLDEN, values)}`,
      ]);
      assert.equal(code, 0, `${values}: ${stdout}${stderr}`);
      assert.doesNotMatch(stdout, /\[(?:WARNING|ERROR)\]/, values);
    }
  });

  for (const file of globSync('*.values.yaml', { cwd: GOLDEN }).sort()) {
    const name = file.replace('.values.yaml', '');
    test(name, () => {
      const text = template('--set=crds.install=false', `--values=${join(GOLDEN, file)}`);
      // Nobody reads a dashboard here; it has a test of its own.
      const actual = text.replace(/(?<= {2}sluice\.json: \|\n)(?: {4}.*\n|\n)+/, '    …\n');
      const golden = join(GOLDEN, `${name}.out.yaml`);
      if (UPDATE) writeFileSync(golden, actual);
      assert.ok(existsSync(golden), `${name}.out.yaml is missing: run with UPDATE_GOLDEN=1 and read it`);
      assert.equal(actual, readFileSync(golden, 'utf8'));
    });
  }

  test('it is of the version of the project, and names the image as the tests do', () => {
    const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as Record<string, unknown>;
    assert.deepEqual([chart.version, chart.appVersion], [version, version]);
    const [container] = only<Deployment>(render(), 'Deployment').spec.template.spec.containers;
    assert.equal(container!.image, PROJECT_IMAGE);
  });

  test('the proxies run the image that the operator runs', () => {
    const [container] = only<Deployment>(
      render('--set=image.repository=localhost:5000/team/sluice', '--set=image.tag=v1'),
      'Deployment',
    ).spec.template.spec.containers;
    assert.equal(container!.image, 'localhost:5000/team/sluice:v1');
    const [flag] = container!.args.filter((arg) => arg.startsWith('--image='));
    assert.equal(flag, '--image=$(SLUICE_IMAGE)');
    assert.equal(container!.env.find(({ name }) => name === 'SLUICE_IMAGE')?.value, container!.image);
  });

  test('the command line takes the arguments', () => {
    for (const values of globSync('*.values.yaml', { cwd: GOLDEN })) {
      const [container] = only<Deployment>(render(`--values=${join(GOLDEN, values)}`), 'Deployment').spec
        .template.spec.containers;
      const { status, stderr } = spawnSync(
        process.execPath,
        // Ends in what the arguments mean, before anything is connected with.
        [join(root, 'bin/sluice.mjs'), ...container!.args, '--kubeconfig=/dev/null/none'],
        { encoding: 'utf8', env: { PATH: process.env.PATH } },
      );
      assert.equal(status, 1, `${values}: ${stderr}`);
      assert.match(stderr, /\/dev\/null\/none/, values);
    }
  });

  test('the CustomResourceDefinitions are those of the project, and stay', () => {
    const inChart = render('--set=crds.annotations.example\\.com/note=mine').filter(
      ({ kind }) => kind === 'CustomResourceDefinition',
    );
    const folder = join(root, 'crds');
    const inProject = readdirSync(folder)
      .sort()
      .map((file) => parse(readFileSync(join(folder, file), 'utf8')) as KubernetesObject);
    const byName = (a: KubernetesObject, b: KubernetesObject): number =>
      a.metadata.name < b.metadata.name ? -1 : 1;
    assert.deepEqual(
      inChart.sort(byName).map(({ spec, metadata: { name, annotations } }) => ({ spec, name, annotations })),
      inProject.sort(byName).map(({ spec, metadata: { name } }) => ({
        spec,
        name,
        annotations: { 'helm.sh/resource-policy': 'keep', 'example.com/note': 'mine' },
      })),
    );
    assert.deepEqual(
      render('--set=crds.install=false').filter(({ kind }) => kind === 'CustomResourceDefinition'),
      [],
    );
  });

  test('the IngressClass is of the controller that the operator is', () => {
    const { spec } = only(render(), 'IngressClass') as KubernetesObject & { spec: { controller: string } };
    assert.equal(spec.controller, CONTROLLER_NAME);
  });

  test('with rights in its own namespaces only, nothing belongs to the cluster', () => {
    const objects = render(`--values=${join(GOLDEN, 'nothing-for-the-cluster.values.yaml')}`);
    const clusterWide = objects.filter(({ metadata }) => metadata.namespace === undefined);
    assert.deepEqual(clusterWide, []);
  });

  test('names fit, whatever the release is called', () => {
    const long = 'r'.repeat(53);
    const objects = render('--set=watchNamespaces={a}', `--name-template=${long}`);
    for (const { kind, metadata } of objects) {
      assert.ok(metadata.name.length <= (kind.includes('Role') ? 253 : 63), `${kind} ${metadata.name}`);
      for (const [label, value] of Object.entries(metadata.labels ?? {}))
        assert.ok(value.length <= 63, label);
    }
  });
});

/** What is given, and what Helm must name. */
const BAD: readonly (readonly [given: string, named: string])[] = [
  ['replica=2', "'replica'"],
  ['replicas=two', '/replicas'],
  ['replicas=-1', '/replicas'],
  ['replicas=1.5', '/replicas'],
  ['image.pullPolicy=Sometimes', '/image/pullPolicy'],
  ['image.repository=sluice:1', '/image/repository'],
  ['image.digest=abc', '/image/digest'],
  ['image.pullSecrets=one', '/image/pullSecrets'],
  ['fullnameOverride=A', '/fullnameOverride'],
  ['watchNamespaces=team', '/watchNamespaces'],
  ['watchNamespaces={a,a}', '/watchNamespaces'],
  ['watchNamespaces={A}', '/watchNamespaces/0'],
  ['crds.install=yes', '/crds/install'],
  ['crds.keep=true', "'/crds': additional properties 'keep'"],
  ['resources.request.cpu=1', "'/resources': additional properties 'request'"],
  ['podDisruptionBudget.maxUnavailable=half', '/podDisruptionBudget/maxUnavailable'],
  ['topologySpreadConstraints[0].maxSkew=1', '/topologySpreadConstraints/0'],
  ['nodeSelector.a=1', '/nodeSelector/a'],
  ['tolerations=all', '/tolerations'],
  ['affinity.nodes=1', "'/affinity': additional properties 'nodes'"],
  ['podLabels.app\\.kubernetes\\.io/name=mine', '/podLabels/app.kubernetes.io~1name'],
  ['podAnnotations.a=1', '/podAnnotations/a'],
  ['env[0].name=POD_NAME', '/env/0/name'],
  ['env[0].value=x', '/env/0'],
  ['logFormat=xml', '/logFormat'],
  ['serviceAccount.name=A', '/serviceAccount/name'],
  ['rbac.create=no', '/rbac/create'],
  ['proxies.networkPolicies=false', "'/proxies': additional properties 'networkPolicies'"],
  ['ingress.class.name=A_b', '/ingress/class/name'],
  ['ingress.gateway.spec=none', '/ingress/gateway/spec'],
  ['ingress.gateway.namespace=a.b', '/ingress/gateway/namespace'],
  ['metrics.podMonitor.interval=soon', '/metrics/podMonitor/interval'],
  ['metrics.dashboard.labels.a=1', '/metrics/dashboard/labels/a'],
];

suite('a bad value is refused, by its name', { skip: skipWithoutHelm() }, () => {
  for (const [given, named] of BAD) {
    test(given, () => {
      const { code, stderr } = tryHelm(['template', CHART, '--set', given]);
      assert.equal(code, 1);
      assert.ok(stderr.includes(named), stderr);
    });
  }

  test('a ServiceMonitor without its Service', () => {
    const { code, stderr } = tryHelm([
      'template',
      CHART,
      '--set=metrics.serviceMonitor.enabled=true',
      '--set=metrics.service.enabled=false',
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /metrics\.service\.enabled: found false, expected true/);
  });

  test('an older Kubernetes', () => {
    const { code, stderr } = tryHelm(['template', CHART, '--kube-version=1.30.9']);
    assert.equal(code, 1);
    assert.match(stderr, /kubeVersion/);
  });
});
