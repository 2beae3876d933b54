/** `deploy/`, as kubectl builds it; that it is current is checked with all that is generated. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { stringify } from 'yaml';
import type { KubernetesObject } from '../cluster/api.ts';
import { program } from '../cluster/components.ts';
import { skipWithoutHelm } from '../cluster/helm.ts';
import { root } from '../cluster/paths.ts';
import { PROJECT_IMAGE } from '../cluster/project-image.ts';
import { readPage } from '../docs/markdown.ts';
import { skipWithout } from '../support/tools.ts';
import { NAMESPACE, objectsOf, only, render } from './render.ts';

const kubectl = program('kubectl');

function build(folder: string): KubernetesObject[] {
  const { status, stdout, stderr } = spawnSync(kubectl, ['kustomize', folder], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  assert.equal(status, 0, stderr);
  return objectsOf(stdout);
}

/** The images that the operator runs, and that it has the proxies run. */
function imagesOf(objects: readonly KubernetesObject[]): (string | undefined)[] {
  const { spec } = only<{
    spec: {
      template: { spec: { containers: { image: string; env: { name: string; value?: string }[] }[] } };
    };
  }>(objects, 'Deployment');
  const [container] = spec.template.spec.containers;
  return [container!.image, container!.env.find(({ name }) => name === 'SLUICE_IMAGE')?.value];
}

const skip = skipWithout('kubectl', existsSync(kubectl) ? kubectl : null, 'npm run cluster:build builds it.');

suite('kubectl apply -k deploy', { skip }, () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-deploy-'));
    cpSync(join(root, 'deploy'), join(folder, 'deploy'), { recursive: true });
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  test('has what the chart has, in a namespace of its own', { skip: skipWithoutHelm() }, () => {
    const bare = (objects: readonly KubernetesObject[]): unknown[] =>
      objects
        .filter(({ kind }) => kind !== 'Namespace')
        .map((object) => {
          const {
            'helm.sh/chart': _,
            'app.kubernetes.io/managed-by': __,
            ...labels
          } = object.metadata.labels ?? {};
          const isDefinition = object.kind === 'CustomResourceDefinition';
          const metadata = isDefinition ? { name: object.metadata.name } : { ...object.metadata, labels };
          return { ...object, metadata };
        })
        .sort((a, b) => (`${a.kind}/${a.metadata.name}` < `${b.kind}/${b.metadata.name}` ? -1 : 1));
    const built = build(join(folder, 'deploy'));
    assert.deepEqual(bare(built), bare(render()));
    const { metadata } = only(built, 'Namespace');
    assert.equal(metadata.name, NAMESPACE);
    assert.equal(metadata.labels?.['pod-security.kubernetes.io/enforce'], 'restricted');
    assert.deepEqual(imagesOf(built), [PROJECT_IMAGE, PROJECT_IMAGE]);
  });

  test('has another image when deploy/kustomization.yaml says so', () => {
    const file = join(folder, 'deploy/kustomization.yaml');
    const images = [{ name: 'sluice', newName: 'registry.example/team/sluice', newTag: 'v2' }];
    writeFileSync(file, stringify({ images }), { flag: 'a' });
    try {
      const image = 'registry.example/team/sluice:v2';
      assert.deepEqual(imagesOf(build(join(folder, 'deploy'))), [image, image]);
    } finally {
      cpSync(join(root, 'deploy/kustomization.yaml'), file);
    }
  });

  test('has another image when the kustomization of docs/install.md is made on top of it', () => {
    const block = readPage('docs/install.md').blocks.find(({ text }) => text.includes('kind: Kustomization'));
    assert.ok(block !== undefined);
    mkdirSync(join(folder, 'mine'));
    writeFileSync(
      join(folder, 'mine/kustomization.yaml'),
      block.text.replaceAll('../sluice/deploy', '../deploy'),
    );
    const [image, proxies] = imagesOf(build(join(folder, 'mine')));
    assert.match(image!, /^registry\.example\.com\//);
    assert.equal(proxies, image);
  });
});
