/** There is no Docker here to build it, so that the Dockerfile is held against the images that the cluster's tests run. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { USER_ID } from '../cluster/image.ts';
import {
  EXAMPLES_FILES,
  EXAMPLES_PACKAGES,
  isLeftOut,
  LEFT_OUT,
  PROJECT_FILES,
} from '../cluster/image-contents.ts';
import { root } from '../cluster/paths.ts';
import { EXAMPLES_IMAGE, PROJECT_IMAGE } from '../cluster/project-image.ts';

interface Instruction {
  readonly name: string;
  readonly text: string;
}

interface Stage {
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const dockerfile = read('Dockerfile');
const stages = parse(dockerfile);
const packageJson = JSON.parse(read('package.json')) as { devDependencies: { node: string } };

function parse(text: string): ReadonlyMap<string, Stage> {
  const found = new Map<string, Stage & { instructions: Instruction[] }>();
  let stage: (Stage & { instructions: Instruction[] }) | null = null;
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [name = '', ...words] = line.split(' ');
    if (name === 'FROM') {
      stage = { base: words[0]!, instructions: [] };
      found.set(words[2]!, stage);
    } else stage!.instructions.push({ name, text: words.join(' ') });
  }
  return found;
}

/** Those of the stage and of the stages that it is made from. */
function instructionsOf(name: string): readonly Instruction[] {
  const stage = stages.get(name);
  if (stage === undefined) return [];
  return [...instructionsOf(stage.base), ...stage.instructions];
}

function valuesOf(stage: string, name: string): string[] {
  return instructionsOf(stage)
    .filter((instruction) => instruction.name === name)
    .map(({ text }) => text);
}

/** What is copied from the checkout; each folder to one of its own name. */
function copiedFiles(stage: string): string[] {
  return valuesOf(stage, 'COPY')
    .filter((text) => !text.startsWith('--from='))
    .flatMap((text) => {
      const paths = text.split(' ');
      const destination = paths.pop()!;
      if (destination !== './') assert.deepEqual(paths, [destination], text);
      return paths;
    });
}

/** What is copied from other stages, by stage. */
function copiedPackages(stage: string): string[] {
  return valuesOf(stage, 'COPY').filter((text) => text.startsWith('--from='));
}

test('the image holds what the tests run', () => {
  assert.deepEqual(copiedFiles('sluice'), PROJECT_FILES);
  assert.deepEqual(copiedPackages('sluice'), ['--from=packages /app/node_modules node_modules']);
  assert.deepEqual(valuesOf('packages', 'RUN'), ['npm ci --omit=dev --ignore-scripts']);
  assert.deepEqual(valuesOf('sluice', 'ENTRYPOINT'), ['["node", "/app/bin/sluice.mjs"]']);
  assert.equal([...stages.keys()].at(-1), 'sluice', 'what is built unless another target is named');
});

test('the image of the examples holds what the tests run', () => {
  assert.deepEqual(copiedFiles('examples'), EXAMPLES_FILES);
  assert.deepEqual(copiedPackages('examples'), [
    '--from=packages /app/node_modules node_modules',
    ...EXAMPLES_PACKAGES.map((path) => `--from=all-packages /app/${path} ${path}`),
  ]);
  assert.deepEqual(valuesOf('all-packages', 'RUN').at(-1), 'npm ci --ignore-scripts');
  assert.deepEqual(valuesOf('examples', 'ENTRYPOINT'), ['["node"]']);
});

test('the images run as the user of the pods, with the Node.js that the tests run with', () => {
  const bases = new Set([...stages.values()].map(({ base }) => base).filter((base) => !stages.has(base)));
  assert.deepEqual([...bases], [`node:${packageJson.devDependencies.node}-slim`]);
  for (const image of ['sluice', 'examples']) {
    assert.deepEqual(valuesOf(image, 'USER'), [`${USER_ID}:${USER_ID}`]);
    assert.deepEqual(valuesOf(image, 'WORKDIR'), ['/app']);
    assert.deepEqual(valuesOf(image, 'ENV'), ['NODE_ENV=production']);
  }
});

test('the commands at its top name the images as charts and examples do', () => {
  const names = [...dockerfile.matchAll(/^#.* --tag (\S+)/gm)].map(([, name]) => name);
  assert.deepEqual(names, [PROJECT_IMAGE, EXAMPLES_IMAGE]);
});

test('what is sent to Docker is what is copied, without tests', () => {
  const lines = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  assert.deepEqual(lines, [
    '*',
    ...[...new Set(['package-lock.json', ...PROJECT_FILES, ...EXAMPLES_FILES])].map((path) => `!${path}`),
    ...LEFT_OUT,
  ]);
});

test('tests are left out, what they test is not', () => {
  const left = [
    'proxy/a.test.ts',
    'proxy/a/b.bench.ts',
    'operator/resources/testing',
    'operator/resources/golden',
  ];
  for (const path of left) assert.equal(isLeftOut(path), true, path);
  for (const path of ['proxy/a.ts', 'cli/main.ts', 'examples/chat'])
    assert.equal(isLeftOut(path), false, path);
  for (const path of [...PROJECT_FILES, ...EXAMPLES_FILES]) assert.ok(existsSync(join(root, path)), path);
});
