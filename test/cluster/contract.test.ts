/**
 * The CRDs against a real API server: it accepts them, it accepts what we call valid and leaves it as it is, and it
 * refuses what we refuse in files, for the same reason.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { fieldName } from '../../operator/resources/diagnostics.ts';
import { badValues } from '../../operator/resources/testing/bad-values.ts';
import { broken, brokenRules, valid } from '../../operator/resources/testing/broken-rules.ts';
import { fieldsOf, ownKinds, rulesOf, setField } from '../../operator/resources/testing/schemas.ts';
import type { ApiResponse, KubernetesObject } from './api.ts';
import { Cluster, type TestNamespace } from './cluster.ts';
import { root } from './paths.ts';
import { skipWithoutCluster } from './requirements.ts';

type OwnKind = (typeof ownKinds)[number];

interface Crd {
  metadata: { name: string };
  spec: {
    names: { kind: OwnKind; plural: string };
    versions: { additionalPrinterColumns: { name: string; priority?: number }[] }[];
  };
}

const CRDS = join(root, 'crds');
const crds = readdirSync(CRDS).map((file) => parse(readFileSync(join(CRDS, file), 'utf8')) as Crd);
const pluralOf = (kind: OwnKind): string =>
  crds.find(({ spec }) => spec.names.kind === kind)!.spec.names.plural;

/** Asked of the API server at once; it is the tests' only user. */
const CONCURRENCY = 8;

suite('the contract on a real API server', { skip: skipWithoutCluster() }, () => {
  let cluster: Cluster;
  let namespace: TestNamespace;

  before(async () => {
    cluster = await Cluster.start();
    // Not by the test below: each must be able to run alone.
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', `--filename=${CRDS}`]);
    const names = crds.map(({ metadata }) => `crd/${metadata.name}`);
    await cluster.kubectl(['wait', '--for=condition=Established', ...names, '--timeout=60s']);
    namespace = await cluster.namespace('contract');
  });

  after(async () => {
    await namespace?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const collection = (kind: OwnKind): string =>
    `/apis/sluice.dev/v1alpha1/namespaces/${namespace.name}/${pluralOf(kind)}`;

  const dryRun = 'dryRun=All&fieldValidation=Strict';
  const create = (kind: OwnKind, body: object): Promise<ApiResponse> =>
    cluster.request({ method: 'POST', path: `${collection(kind)}?${dryRun}`, body });

  test('the CRDs are accepted without a warning or a violation', async () => {
    for (const { metadata } of crds) {
      const crd = await cluster.get('crd', metadata.name, 'default');
      const { conditions } = crd.status as { conditions: { type: string; status: string }[] };
      assert.deepEqual(
        Object.fromEntries(conditions.map(({ type, status }) => [type, status])),
        { NamesAccepted: 'True', Established: 'True' },
        metadata.name,
      );
    }
    const applied = await cluster.tryKubectl([
      'apply',
      '--validate=strict',
      '--dry-run=server',
      '--filename',
      CRDS,
    ]);
    // kubectl warns of objects that were not made by it with a plain apply; that is not about the CRDs.
    const warnings = applied.stderr
      .split('\n')
      .filter((line) => line !== '' && !/last-applied-config/.test(line));
    assert.deepEqual({ code: applied.code, warnings }, { code: 0, warnings: [] });
  });

  const manifests = [
    'operator/resources/golden/valid.yaml',
    ...readdirSync(join(root, 'examples'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `examples/${name}`),
  ];
  for (const manifest of manifests) {
    for (const mode of ['client', 'server'] as const) {
      test(`${manifest} applies (${mode} side), and applying it again changes nothing`, async () => {
        await using own = await cluster.namespace('apply');
        const input = inNamespace(manifest, own.name);
        const side = mode === 'server' ? ['--server-side'] : [];
        const apply = ['apply', '--validate=strict', ...side, '--filename=-'];
        const state = async (): Promise<Record<string, string>> => {
          const list = JSON.parse(await cluster.kubectl(['get', '--filename=-', '--output=json'], { input }));
          const items = (list.items ?? [list]) as KubernetesObject[];
          return Object.fromEntries(
            items.map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.resourceVersion!]),
          );
        };
        const first = await cluster.tryKubectl(apply, { input });
        assert.deepEqual({ code: first.code, stderr: first.stderr }, { code: 0, stderr: '' });
        const before = await state();
        assert.ok(Object.keys(before).length > 0);

        const diff = await cluster.tryKubectl(['diff', ...side, '--filename=-'], { input });
        assert.deepEqual(diff, { code: 0, stdout: '', stderr: '' });
        await cluster.kubectl(apply, { input });
        // Not what kubectl says: it calls a Secret with stringData configured, though nothing changes.
        assert.deepEqual(await state(), before);
      });
    }
  }

  for (const kind of ownKinds) {
    test(`${kind}: every rule is enforced at admission, with the message that files get`, async () => {
      assert.equal((await create(kind, valid[kind])).status, 201);
      const messages = new Set(rulesOf(kind).map(({ rule }) => rule.message));
      await inParallel(brokenRules[kind], async ([at, value, expected]) => {
        const { status, body } = await create(kind, broken(kind, at, value));
        const what = `${kind} ${expected}`;
        assert.equal(status, 422, what);
        const causes = body.details?.causes ?? [];
        assert.equal(causes.length, 1, `${what}: ${JSON.stringify(causes)}`);
        const field = expected.slice(0, expected.indexOf(': '));
        const message = [...messages].find((text) => expected.endsWith(text))!;
        assert.ok(message, `${what}: not the message of a rule`);
        assert.ok(causes[0]!.message!.endsWith(`: ${message}`), `${what}: ${causes[0]!.message}`);
        assert.equal(causes[0]!.field, field === '' ? '<nil>' : field, what);
      });
    });

    test(`${kind}: every bad value of every field is refused at admission, by a message that names it`, async () => {
      const existing = { ...valid[kind], metadata: { name: 'existing' } };
      const made = await cluster.request({ method: 'POST', path: collection(kind), body: existing });
      assert.equal(made.status, 201);
      const { metadata } = made.body;
      const bad = fieldsOf(kind).flatMap((field) => badValues(field));
      await inParallel(bad, async ({ keys, value, code }) => {
        const answerTo = (wrong: unknown): Promise<ApiResponse> => {
          const body = structuredClone(valid[kind]);
          setField(body, keys, wrong);
          // Status is written to an endpoint of its own, and only to an object that exists.
          if (keys[0] !== 'status') return create(kind, body);
          const path = `${collection(kind)}/${metadata.name}/status?${dryRun}`;
          return cluster.request({ method: 'PUT', path, body: { ...body, metadata } });
        };
        const { status, body } = await answerTo(value);
        const what = `${kind} ${fieldName(keys)} ${code} ${JSON.stringify(value)?.slice(0, 80)}: ${body.message}`;
        if (value === null && typeof keys.at(-1) === 'string') {
          // The one difference: the API server takes null for a field that is not there, where the author of a file
          // may have forgotten the value.
          const without = await answerTo(undefined);
          assert.deepEqual([status, body.message], [without.status, without.body.message], what);
          return;
        }
        assert.ok(status === 422 || status === 400, what);
        assert.ok(isAbout(body, fieldName(keys)), what);
      });
      await cluster.delete(kind, metadata.name, namespace.name);
    });

    test(`${kind}: kubectl get shows the printer columns`, async () => {
      const { versions } = crds.find(({ spec }) => spec.names.kind === kind)!.spec;
      const columns = versions[0]!.additionalPrinterColumns;
      await cluster.applyObjects([valid[kind]], namespace.name);
      const headers = async (...args: string[]): Promise<string[]> => {
        const output = await cluster.kubectl(['get', pluralOf(kind), ...args], { namespace: namespace.name });
        return output.split('\n')[0]!.trim().split(/ {2,}/);
      };
      const expected = (shown: typeof columns): string[] => [
        'NAME',
        ...shown.map((column) => column.name.toUpperCase()),
      ];
      assert.deepEqual(await headers(), expected(columns.filter(({ priority = 0 }) => priority === 0)));
      assert.deepEqual(await headers('--output=wide'), expected(columns));
    });
  }
});

/** Whether a refusal is about this field or one below it. */
function isAbout(answer: ApiResponse['body'], field: string): boolean {
  const causes = answer.details?.causes ?? [];
  return causes.some((cause) => cause.field?.startsWith(field)) || answer.message.includes(field);
}

/** The manifests of a file or folder as a list, all in one namespace. */
function inNamespace(path: string, namespace: string): string {
  const full = join(root, path);
  const files = path.endsWith('.yaml')
    ? [full]
    : readdirSync(full)
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => join(full, name));
  const items = files
    .flatMap((file) => parseAllDocuments(readFileSync(file, 'utf8')))
    .map((document) => document.toJS() as KubernetesObject)
    .map((object) => {
      // Printed by `kubectl get` for an object of another time; only the API server gives these.
      const { uid: _, creationTimestamp: __, ...metadata } = object.metadata;
      return { ...object, metadata: { ...metadata, namespace } };
    });
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (const item of queue) await work(item);
    }),
  );
}
