/** What the chart lets the operator do, held against what the operator does. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ResourceType } from '../../kubernetes/index.ts';
import { OWNED_TYPES } from '../../operator/infrastructure/types.ts';
import { READ_TYPES } from '../../operator/sources/cluster/types.ts';
import type { KubernetesObject } from '../cluster/api.ts';
import { skipWithoutHelm } from '../cluster/helm.ts';
import { only, render } from './render.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface Role extends KubernetesObject {
  readonly rules: readonly Rule[];
}

const READ = ['get', 'list', 'watch'];
const OWN = [...READ, 'create', 'patch', 'delete'];
const SECRETS: ResourceType = {
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
};

/** Group, resource and verbs, for what no table of the operator lists. */
const OTHERS: readonly (readonly [group: string, resource: string, verbs: readonly string[]])[] = [
  // Statuses are written by server-side apply.
  ['sluice.dev', 'edgegateways/status', ['patch']],
  ['sluice.dev', 'backendpools/status', ['patch']],
  ['sluice.dev', 'firewallrulelists/status', ['patch']],
  ['networking.k8s.io', 'ingresses/status', ['patch']],
  // An owner reference that blocks the owner's deletion needs it where OwnerReferencesPermissionEnforcement is on.
  ['sluice.dev', 'edgegateways/finalizers', ['update']],
  ['', 'pods', READ],
  ['events.k8s.io', 'events', ['create', 'patch']],
  // What it grants to proxies.
  ['discovery.k8s.io', 'endpointslices', READ],
  ['coordination.k8s.io', 'leases', [...READ, 'create', 'update', 'delete']],
];

/** All that is needed, as `group/resource verb`. */
function needed(): string[] {
  const read = Object.values(READ_TYPES).flatMap((type) => rightsOf(type.group, type.plural, READ));
  const owned = [...OWNED_TYPES, SECRETS].flatMap((type) => rightsOf(type.group, type.plural, OWN));
  const others = OTHERS.flatMap((other) => rightsOf(...other));
  return [...new Set([...read, ...owned, ...others])].sort();
}

function rightsOf(group: string, resource: string, verbs: readonly string[]): string[] {
  return verbs.map((verb) => `${group}/${resource} ${verb}`);
}

function granted(rules: readonly Rule[]): string[] {
  return rules
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) => resources.flatMap((resource) => rightsOf(group, resource, verbs))),
    )
    .sort();
}

const isIngress = (right: string): boolean => /^networking\.k8s\.io\/ingress/.test(right);
const isIngressClass = (right: string): boolean => right.includes('/ingressclasses ');
const roleNamed = (objects: readonly KubernetesObject[], kind: string, name: string): Role =>
  only<Role>(
    objects.filter(({ metadata }) => metadata.name === name),
    kind,
  );

suite('the rights of the operator', { skip: skipWithoutHelm() }, () => {
  test('are what it needs and nothing else', () => {
    const { rules } = roleNamed(render(), 'ClusterRole', 'sluice-operator');
    assert.deepEqual(granted(rules), needed());
  });

  test('without Ingresses, do not include them', () => {
    const { rules } = roleNamed(render('--set=ingress.enabled=false'), 'ClusterRole', 'sluice-operator');
    assert.deepEqual(
      granted(rules),
      needed().filter((right) => !isIngress(right)),
    );
  });

  test('with a list of namespaces, are given in these, but for the classes of Ingresses', () => {
    const objects = render('--set=watchNamespaces={a,b}');
    for (const namespace of ['a', 'b']) {
      const here = objects.filter(({ metadata }) => metadata.namespace === namespace);
      assert.deepEqual(here.map(({ kind }) => kind).sort(), ['Role', 'RoleBinding']);
      const { rules } = only<Role>(here, 'Role');
      assert.deepEqual(
        granted(rules),
        needed().filter((right) => !isIngressClass(right)),
      );
    }
    const { rules } = roleNamed(objects, 'ClusterRole', 'sluice-system-sluice-operator');
    assert.deepEqual(granted(rules), needed().filter(isIngressClass));
  });

  test('to choose a leader are given in the namespace of the release', () => {
    const role = only<Role>(render(), 'Role');
    assert.equal(role.metadata.namespace, 'sluice-system');
    assert.deepEqual(
      granted(role.rules),
      rightsOf('coordination.k8s.io', 'leases', ['create', 'get', 'update']),
    );
  });

  test('are given to its own ServiceAccount, by every binding', () => {
    for (const options of [[], ['--set=watchNamespaces={a,b}'], ['--set=serviceAccount.name=mine']]) {
      const objects = render(...options);
      const { metadata } = only(objects, 'ServiceAccount');
      const deployment = only<KubernetesObject & { spec: { template: { spec: object } } }>(
        objects,
        'Deployment',
      );
      assert.partialDeepStrictEqual(deployment.spec.template.spec, { serviceAccountName: metadata.name });
      const bindings = objects.filter(({ kind }) => kind.endsWith('RoleBinding'));
      assert.ok(bindings.length > 0);
      for (const { roleRef, subjects, kind } of bindings as (KubernetesObject & {
        roleRef: { kind: string; name: string };
        subjects: object[];
      })[]) {
        assert.deepEqual(subjects, [
          { kind: 'ServiceAccount', name: metadata.name, namespace: metadata.namespace },
        ]);
        assert.equal(`${roleRef.kind}Binding`, kind);
        assert.ok(
          objects.some((object) => object.kind === roleRef.kind && object.metadata.name === roleRef.name),
        );
      }
    }
  });
});

suite('the rights of users', { skip: skipWithoutHelm() }, () => {
  test('who may read or edit a namespace include what they write for us', () => {
    const objects = render();
    const ours = ['edgegateways', 'backendpools', 'firewallrulelists'];
    const all = (verbs: readonly string[]): string[] =>
      ours.flatMap((resource) => rightsOf('sluice.dev', resource, verbs)).sort();
    const view = roleNamed(objects, 'ClusterRole', 'sluice-operator-view');
    assert.deepEqual(granted(view.rules), all(READ));
    const edit = roleNamed(objects, 'ClusterRole', 'sluice-operator-edit');
    assert.deepEqual(granted(edit.rules), all(['create', 'update', 'patch', 'delete', 'deletecollection']));
    const aggregatedTo = ({ metadata }: Role): string[] =>
      Object.keys(metadata.labels ?? {}).filter((label) => label.includes('/aggregate-to-'));
    assert.deepEqual(
      aggregatedTo(edit).map((label) => label.split('-to-')[1]),
      ['edit', 'admin'],
    );
    assert.deepEqual(
      aggregatedTo(view).map((label) => label.split('-to-')[1]),
      ['view', 'edit', 'admin'],
    );
  });
});
